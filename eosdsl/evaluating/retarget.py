"""A spec at a budget: turned until the mean of tokens entering decoder layers is as near as it gets, never above.

Counts are the plan's, those of the model's usual image. A budget that a method cannot meet is not approached by other
means: FastV cuts at layer 2, so the layers before it take in every token, whatever happens later. Such a cell is
`Unreached`, with the reason. Torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from eosdsl.diagnostics import SpecError
from eosdsl.evaluating.budgets import TokenBudget
from eosdsl.evaluating.knobs import UNTRAINED, Fixed, Knob, asks_learned, knob
from eosdsl.evaluating.operators import operator_of
from eosdsl.evaluating.resized import resized
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.quantities import Word
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.ir.spell import spell
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.bind import bind
from eosdsl.passes.sites import site_name
from eosdsl.source import SourceFile


@dataclass(frozen=True, slots=True)
class Reached:
    """`program` spends `tokens` on average, at most the budget; `said`: what was turned; `text`: it as a spec;
    `number`: of the knob, 0 as written."""

    program: DiscreteProgram
    tokens: Fraction
    said: str
    number: int = 0

    @property
    def text(self) -> str:
        return spell(self.program)


@dataclass(frozen=True, slots=True)
class Unreached:
    """Why there is no such program, and the fewest tokens on average that it can spend, where that is known."""

    reason: str
    least: Fraction | None = None


def retargeted(
    source: SourceFile, budget: TokenBudget, model: ModelFacts, home: ModelFacts | None = None, *, trained: bool = False
) -> Reached | Unreached:
    """The spec at a budget on a model; `home`: the model that it was written for, None for this one; `trained`: its
    learned scores have their numbers.

    Raises:
        SpecError: what is wrong with the spec as text.
    """
    own = knob(source, home, model, trained=trained)
    if isinstance(own, Fixed):
        return Unreached(own.reason)
    most = _bound(own.program(own.size), model)
    if isinstance(most, Unreached):
        return most
    wanted = budget.tokens(model.visual_tokens)
    first = _first_sound(own, model)
    lowest = _schedule(own, first, model)
    if lowest is None or lowest.mean_tokens > wanted:
        return _why(lowest, model)
    number = _largest(own, first, wanted, model)
    program = own.program(number)
    schedule = _schedule(own, number, model)
    assert schedule is not None
    return Reached(program, schedule.mean_tokens, own.said(number), number)


def as_written(
    source: SourceFile, model: ModelFacts, home: ModelFacts | None = None, *, trained: bool = False
) -> Reached | Unreached:
    """The spec with its own amounts, moved to the model where it was written for another; `tokens`: at most."""
    program = operator_of(source)
    if asks_learned(program) and not trained:
        return Unreached(UNTRAINED)
    program = program if home is None else resized(program, home, model)
    bound = _bound(program, model)
    return bound if isinstance(bound, Unreached) else Reached(program, bound.mean_tokens, "as written")


def _bound(program: DiscreteProgram, model: ModelFacts) -> Schedule | Unreached:
    schedule, found = bind(program, model)
    if schedule is not None:
        return schedule
    return Unreached(f"it does not fit {model.name}: {next(d.message for d in found if d.is_error)}")


def _schedule(own: Knob, number: int, model: ModelFacts) -> Schedule | None:
    """The program of a number on the model, None where it is not the method any more."""
    try:
        schedule, _ = bind(own.program(number), model)
    except SpecError:
        return None
    if schedule is None or not all(_sound(reduction) for reduction in schedule.reductions):
        return None
    return schedule


def _sound(reduction: SiteReduction) -> bool:
    """Something stays where not everything was to go, and a matching of pairs leaves a half."""
    if not reduction.retained and not any(_removes_all(reduction, number) for number in range(len(reduction.groups))):
        return False
    paired = reduction.groups[0].pick.name == "bipartite"
    return not paired or 2 * reduction.retained >= reduction.incoming


def _removes_all(reduction: SiteReduction, number: int) -> bool:
    value = reduction.groups[number].amount.amount.value
    return isinstance(value, Word) and value.name == "all"


def _first_sound(own: Knob, model: ModelFacts) -> int:
    """The least number whose program is the method still: soundness rises with the number."""
    low, high = 1, own.size
    while low < high:
        middle = (low + high) // 2
        if _schedule(own, middle, model) is None:
            low = middle + 1
        else:
            high = middle
    return low


def _largest(own: Knob, first: int, wanted: Fraction, model: ModelFacts) -> int:
    """The greatest number, from `first` on, whose program spends no more than `wanted`."""
    low, high = first, own.size
    while low < high:
        middle = (low + high + 1) // 2
        schedule = _schedule(own, middle, model)
        if schedule is not None and schedule.mean_tokens <= wanted:
            low = middle
        else:
            high = middle - 1
    return low


def _why(lowest: Schedule | None, model: ModelFacts) -> Unreached:
    """What keeps the mean up."""
    if lowest is None:
        return Unreached("no amounts make it a method that keeps anything")
    least = lowest.mean_tokens
    shown = f"at least {float(least):.4g} of {model.visual_tokens} on average"
    first = lowest.reductions[0]
    sites = sum(one.groups[0].pick.name == "bipartite" for one in lowest.reductions)
    if sites:
        return Unreached(f"{shown}: matching pairs removes at most half at each of {sites} places", least)
    if first.site.stream == "decoder" and first.site.layer > 0:
        before = first.site.layer + int(first.site.after_attention)
        layers = "layer 0 takes" if before == 1 else f"layers 0..{before - 1} take"
        return Unreached(f"{shown}: {layers} in every token before the cut at {site_name(first.site)}", least)
    return Unreached(shown, least)
