"""From a member back to its genome: holes matched with what stands in their place."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.holes import Hole, decide_step
from eosdsl.ir.nodes import DiscreteProgram, Group, Mix, ScoreExpr, Step, Sum, Weighted
from eosdsl.ir.quantities import Argument, Call, Node, Open, Quantity, Value
from eosdsl.ir.spell import spell, spell_value

if TYPE_CHECKING:
    from eosdsl.ir.space import Space
    from eosdsl.passes.candidates import Variant


def recognise(space: Space, program: DiscreteProgram) -> Genome | None:
    """The genome whose member the program is; None where `fill` would write another program."""
    values: dict[str, Gene] = {point.id: point.prior for point in space.points}
    values.update({name: False for gates in space.gates for name in gates.ids})
    waiting = list(program.steps)
    for statement in space.statements:
        for variant in statement.variants:
            step = next((one for one in waiting if one.where == variant.step.where), None)
            if step is None:
                continue
            waiting.remove(step)
            if statement.choose is not None:
                values[f"{variant.path}.gate"] = True
            values.update(_values(space, variant, step))
    genome = Genome(space.program.name, values)
    return genome if not waiting and _is_same(space, genome, program) else None


def _is_same(space: Space, genome: Genome, program: DiscreteProgram) -> bool:
    member = space.fill(genome)
    return spell(member.model_copy(update={"name": program.name})) == spell(
        program.model_copy(update={"expectations": (), "comment": ()})
    )


def _values(space: Space, variant: Variant, step: Step) -> dict[str, Gene]:
    """What stands in the holes of a variant, as far as it is there."""
    found: dict[str, Value | None] = {}
    _match_step(variant.step, step, found)
    values: dict[str, Gene] = {}

    def read(hole: Hole) -> Value:
        key = _key(hole.open)
        if key in found:
            gene = _gene(space, hole, found[key])
            if gene is not None:
                values[hole.path] = gene
        return hole.open

    decide_step(variant.step, variant.path, read)
    return values


def _gene(space: Space, hole: Hole, value: Value | None) -> Gene | None:
    point = space.point(hole.path)
    if value is None:
        return 0.0 if point.kind in ("weight", "real") else None
    if point.kind == "choice":
        exact = spell_value(value)
        return exact if exact in point.names else _template(point.choices, value)
    if not isinstance(value, Quantity):
        return None
    return int(value.value) if point.kind == "count" else float(value.value)


def _template(choices: Sequence[Value], value: Value) -> str | None:
    """The choice, with holes in it, that a decided call was made of."""
    for choice in choices:
        if isinstance(choice, Call) and isinstance(value, Call) and choice.name == value.name:
            return spell_value(choice)
    return None


def _key(hole: Open) -> str:
    """A hole by the object that it is: equal holes stand in different places."""
    return str(id(hole))


def _match_step(open_step: Step, step: Step, found: dict[str, Value | None]) -> None:
    for one, other in zip(open_step.groups, step.groups, strict=False):
        _match_group(one, other, found)
    _match(open_step.bookkeeping.attention_bias.strength, step.bookkeeping.attention_bias.strength, found)


def _match_group(one: Group, other: Group, found: dict[str, Value | None]) -> None:
    for amount, decided in zip(one.budget.amounts, other.budget.amounts, strict=False):
        _match(amount.value, decided.value, found)
    if one.budget.start is not None and other.budget.start is not None:
        _match(one.budget.start.value, other.budget.start.value, found)
    if one.score is not None and other.score is not None:
        _match_score(one.score, other.score, found)
    _match(one.pick, other.pick, found)
    _match_behaviour(one, other, found)


def _match_score(one: ScoreExpr, other: ScoreExpr, found: dict[str, Value | None]) -> None:
    if isinstance(one, Weighted):
        weighted = isinstance(other, Weighted)
        _match(one.weight, other.weight if weighted else Quantity(value=Fraction(1)), found)
        _match_score(one.score, other.score if weighted else other, found)
        return
    if not isinstance(one, Sum):
        if isinstance(one, Call) and isinstance(other, Call):
            _match(one, other, found)
        return
    given: list[ScoreExpr] = list(other.terms) if isinstance(other, Sum) else [other]
    for term in one.terms:
        decided = next((own for own in given if _core(own, term)), None)
        if decided is None and isinstance(term, Weighted):
            found[str(id(term.weight))] = None
        elif decided is not None:
            given.remove(decided)
            _match_score(term, decided, found)


def _core(decided: ScoreExpr, term: ScoreExpr) -> bool:
    """Whether a decided term can have been made of this one: the same calls, weights apart."""
    bare = decided.score if isinstance(decided, Weighted) else decided
    wanted = term.score if isinstance(term, Weighted) else term
    return _fits(wanted, bare)


def _fits(one: Node, other: Node) -> bool:
    if isinstance(one, Open):
        return True
    if isinstance(one, Call) and isinstance(other, Call):
        same = one.name == other.name and len(one.arguments) == len(other.arguments)
        return same and all(_fits(a.value, b.value) for a, b in zip(one.arguments, other.arguments, strict=True))
    return one == other


def _match_behaviour(one: Group, other: Group, found: dict[str, Value | None]) -> None:
    if not isinstance(one.behaviour, Mix):
        if not isinstance(other.behaviour, Mix):
            _match(one.behaviour, other.behaviour, found)
        return
    whole = Quantity(value=Fraction(1))
    decided = other.behaviour
    given: list[tuple[Quantity | Open, Call | Open]] = (
        [(part.share, part.behaviour) for part in decided.parts] if isinstance(decided, Mix) else [(whole, decided)]
    )
    for part in one.behaviour.parts:
        match = next(((share, call) for share, call in given if _fits(part.behaviour, call)), None)
        if match is None:
            found[str(id(part.share))] = None
            continue
        given.remove(match)
        _match(part.share, match[0], found)
        _match(part.behaviour, match[1], found)


def _match(one: Value, other: Value | Mix, found: dict[str, Value | None]) -> None:
    if isinstance(other, Mix):
        return
    if isinstance(one, Open):
        found[_key(one)] = other
        choice = next((c for c in one.choices if isinstance(c, Call) and _fits(c, other)), None)
        if choice is not None:
            _match(choice, other, found)
        return
    if isinstance(one, Call) and isinstance(other, Call) and one.name == other.name:
        _match_arguments(one.arguments, other.arguments, found)


def _match_arguments(ones: Sequence[Argument], others: Sequence[Argument], found: dict[str, Value | None]) -> None:
    for one, other in zip(ones, others, strict=False):
        _match(one.value, other.value, found)
