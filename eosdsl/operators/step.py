"""`apply_step`: one step of the language on anybody's tensors, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.ir.nodes import Group, Step
from eosdsl.ir.quantities import Argument, Call, Open, Word
from eosdsl.ir.schedule import BoundGroup, SiteAmount
from eosdsl.operators.base import AttentionProbe, KeysProbe, LearnedProbe, Probe, Reduction, TextProbe, ValuesProbe
from eosdsl.operators.binding import bind_call
from eosdsl.operators.bound import calls
from eosdsl.operators.needs import probes
from eosdsl.operators.registry import KINDS, Kind, operators
from eosdsl.operators.step_text import own_diagnostic, read_step
from eosdsl.source import SourceFile

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.inputs import Inputs


_INPUT: Mapping[type[Probe], str] = {
    KeysProbe: "keys",
    ValuesProbe: "values",
    AttentionProbe: "attention",
    TextProbe: "text",
    LearnedProbe: "learned",
}


def apply_step(
    step_text: str,
    hidden: Tensor,
    *,
    keys: Tensor | None = None,
    values: Tensor | None = None,
    attention: Tensor | Mapping[str, Tensor] | None = None,
    text: Tensor | None = None,
    sizes: Tensor | None = None,
    grid: tuple[int, int] | None = None,
    valid: Tensor | None = None,
    index: Tensor | None = None,
    frame: Tensor | None = None,
    learned: Mapping[str, Tensor] | None = None,
    original: int | None = None,
) -> Reduction:
    """Reduce the tokens of a batch by what follows the colon of an `at` statement: `"retain 25% via merge"`.

    Every sample is reduced on its own. Results are in the dtype of `hidden` (computed in float32 at least) and
    differentiable with respect to it.

    Args:
        step_text: the step.
        hidden: [B, N, D] the tokens.
        keys: [B, N, F] or [B, H, N, d], where a score or similarity reads them; `values` likewise.
        attention: [B, H, R, N] post-softmax attention of R query rows over the tokens, averaged over the rows; or a
            mapping from query (`last`, `cls`, `text`, …) to such a tensor where a step reads several.
        text: [B, F] or [B, T, F] text features, where `relevance` reads them.
        sizes: [B, N] how many original tokens each stands for; one each if left out.
        grid: (rows, columns) of the image that the tokens come from.
        valid: [B, N] bool, which rows exist; all if left out.
        index: [B, N] the place of each token in its unreduced image; 0..N-1 if left out.
        frame: [B, N] the frame of a video that each token comes from; one frame if left out.
        learned: [B, N] scores by the name of a module, where `learned(name)` reads them.
        original: what percentages are of; N if left out.

    Without `by`, scores are the attention if it is given, else `norm(hidden)`.

    Returns:
        A `Reduction`: `.hidden` [B, K, D], `.anchors` [B, K] (-1 for rows without one), `.weights` [B, K, N],
        `.sizes` [B, K], and `.valid` [B, K] where K differs between samples (else None).

    Raises:
        SpecError: what is wrong with the text (E01xx, E02xx), an input that the step needs and did not get (E0240), or
            one of a wrong shape (E0241).
    """
    from eosdsl.operators.inputs import Inputs

    given = Inputs(hidden, keys, values, attention, text, sizes, grid, valid, index, frame, learned)
    try:
        return _apply(read_step(step_text), given, original)
    except SpecError as problem:
        if problem.source is not None:
            raise
        own = [own_diagnostic(one) for one in problem.diagnostics]
        raise SpecError(own, SourceFile("<step>", step_text)) from problem


def step_groups(step_text: str) -> list[BoundGroup]:
    """The groups of a step as `apply_step` takes them, where no attention is given. SpecError as there."""
    return [_bound_group(group, _default_score(None)) for group in read_step(step_text).groups]


def _apply(step: Step, given: Inputs, original: int | None) -> Reduction:
    from eosdsl.operators.counts import anchor_counts
    from eosdsl.operators.inputs import is_given, tokens_of
    from eosdsl.operators.reduce import reduce_tokens

    groups = [_bound_group(group, _default_score(given.attention)) for group in step.groups]
    needed = probes(groups)
    tokens = tokens_of(given, needed)
    missing = [_missing(probe, groups) for probe in needed if not is_given(probe, tokens)]
    if missing:
        raise SpecError(missing)
    return reduce_tokens(groups, step.bookkeeping, tokens, anchor_counts(groups, tokens, original))


def _default_score(attention: Tensor | Mapping[str, Tensor] | None) -> Call:
    if attention is None:
        return Call(name="norm", arguments=(Argument(value=Word(name="hidden")),))
    query = next(iter(attention), "last") if isinstance(attention, Mapping) else "last"
    return Call(name="attention", arguments=(Argument(name="query", value=Word(name=query)),))


def _bound_group(group: Group, default: Call) -> BoundGroup:
    if isinstance(group.pick, Open):
        raise SpecError([error("E0226", "the pick is left open", group.pick.span, "decide it here")])
    budget = group.budget
    if len(budget.amounts) != 1 or budget.start is not None:
        message = "one site takes one amount"
        raise SpecError([error("E0242", message, budget.span, "several amounts", helps=("write one, such as `25%`",))])
    amount = SiteAmount(verb=budget.verb, amount=budget.amounts[0])
    score = group.score or default
    return BoundGroup(amount=amount, score=score, pick=group.pick, behaviour=group.behaviour, count=None)


def _missing(probe: Probe, groups: Sequence[BoundGroup]) -> Diagnostic:
    name = _INPUT[type(probe)]
    reader = next((call for group in groups for call in calls(group) if probe in _probes(call)), None)
    what = f"`{reader.name}`" if reader else "this step"
    query = f" of the query rows `{probe.query}`" if isinstance(probe, AttentionProbe) else ""
    message = f"{what} reads {name}{query}, which were not given"
    span = reader.span if reader else None
    return error("E0240", message, span, f"reads {name}", helps=(f"pass `{name}=` to `apply_step`",))


def _probes(call: Call) -> frozenset[Probe]:
    """What a call reads, whichever kind of operator it names."""
    kind: Kind | None = next((kind for kind in KINDS if call.name in operators(kind)), None)
    bound = bind_call(kind, call)[0] if kind else None
    return bound.probes() if bound else frozenset()
