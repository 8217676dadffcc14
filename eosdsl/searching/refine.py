"""Neighbours of a member, tried one after the other: what a gradient cannot see is measured.

A relaxed program is not the one that is derived: places and picks are mixtures until the end, and late in a search the
temperature leaves them where they are. So the member that a search came to is compared with those that differ from it
in one decision, each with its budgets raised or lowered together to what the constraints allow. Most can be told on a
part of the questions; the others are asked all. Every comparison is counted; black-box searches may spend as many
passes of the model more (`eosdsl.searching.baselines`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.spell import spell
from eosdsl.searching.judge import Judge, Verdict
from eosdsl.searching.members import Members

Neighbour = tuple[str, Callable[[Genome], Genome | None]]
_STEPS = (0.5, 2.0)
SCREEN = 0.25
"""The share of the questions on which a neighbour is looked at first."""


def refined(
    genome: Genome, members: Members, judge: Judge, tries: int, note: Callable[[str], None] = lambda line: None
) -> Genome:
    """The best of a climb over neighbours that spends at most `tries` times as much as measuring one member takes."""
    if tries <= 0:
        return genome
    best, kept = genome, judge.verdict(members.space.fill(genome))
    seen, left = {_text(genome, members)}, float(tries)
    improved = True
    while improved:
        improved = False
        for what, changed in neighbours(members):
            found = changed(best)
            tried = None if found is None else fitted(found, members)
            if tried is None or _text(tried, members) in seen:
                continue
            if left < 1:
                return best
            seen.add(_text(tried, members))
            program = members.space.fill(tried)
            screened = judge.verdict(program, SCREEN)
            left -= SCREEN
            if is_worse(screened, kept.first(len(screened.objective))):
                continue
            verdict = judge.verdict(program)
            left -= 1 - SCREEN
            if is_better(verdict, kept):
                note(f"{what}: {kept.loss:.4f} to {verdict.loss:.4f}")
                best, kept, improved = tried, verdict, True
    return best


def _text(genome: Genome, members: Members) -> str:
    """What tells members apart: the operator, not the values of places that do not act."""
    return spell(members.space.fill(genome))


def is_better(new: Verdict, old: Verdict) -> bool:
    """Whether the objective is less by more than half a standard error of the paired difference."""
    gain, error = _gain(new, old)
    return gain > 0.5 * error + 1e-9


def is_worse(new: Verdict, old: Verdict) -> bool:
    """Whether the objective is more by more than half a standard error of the paired difference."""
    gain, error = _gain(new, old)
    return gain < -0.5 * error - 1e-9


def _gain(new: Verdict, old: Verdict) -> tuple[float, float]:
    """By how much the objective is less, with its standard error: question by question."""
    gain = old.objective - new.objective
    return float(gain.mean()), float(gain.std()) / len(gain) ** 0.5 if len(gain) > 1 else 0.0


def fitted(genome: Genome, members: Members) -> Genome | None:
    """With all budgets raised or lowered together to what the constraints allow; None where nothing does."""
    names = [point.id for point in members.budgets(genome)]
    if members.excess(genome) > 0:
        return members.lowered(genome, names)
    return (members.raised(genome, names) if members.constraints and names else None) or genome


def neighbours(members: Members) -> Iterator[Neighbour]:
    """Every change of one decision, as a function of the member; those of places first."""
    space = members.space
    for gates in space.gates:
        for name, layer in zip(gates.ids, gates.layers, strict=True):
            for other, target in zip(gates.ids, gates.layers, strict=True):
                if name != other:
                    yield f"layer {layer} moved to {target}", _moved(name, other, members)
        for name, layer in zip(gates.ids, gates.layers, strict=True):
            yield f"layer {layer} opened", _opened(name, gates.ids, gates.most, members)
            yield f"layer {layer} closed", _closed(name, gates.ids, gates.fewest, members)
    for point in space.points:
        for choice in point.names if point.kind == "choice" else ():
            yield f"{point.id} {choice}", _set({point.id: choice}, members)
    for family in space.families:
        for chosen in family.points:
            shares: dict[str, Gene] = {
                one.id: float(family.whole) if one.id == chosen.id else 0.0 for one in family.points
            }
            yield f"{chosen.id} alone", _set(shares, members)
    for point in space.points:
        if point.kind in ("fraction", "count") and ".budget" in point.id:
            for factor in _STEPS:
                yield f"{point.id} times {factor:g}", _scaled(point.id, factor, members)


def _moved(name: str, other: str, members: Members) -> Callable[[Genome], Genome | None]:
    """A place that acts given to one next to it that does not, with its values."""

    def move(genome: Genome) -> Genome | None:
        if not genome[name] or genome[other]:
            return None
        old, new = name.removesuffix("gate"), other.removesuffix("gate")
        carried = {
            f"{new}{point.removeprefix(old)}": value
            for point, value in genome.values.items()
            if point.startswith(old) and f"{new}{point.removeprefix(old)}" in genome.values
        }
        return members.rounded(genome, {**carried, name: False, other: True})

    return move


def _opened(name: str, gates: tuple[str, ...], most: int, members: Members) -> Callable[[Genome], Genome | None]:
    def opened(genome: Genome) -> Genome | None:
        acting = sum(bool(genome[gate]) for gate in gates)
        return None if genome[name] or acting >= most else members.rounded(genome, {name: True})

    return opened


def _closed(name: str, gates: tuple[str, ...], fewest: int, members: Members) -> Callable[[Genome], Genome | None]:
    def closed(genome: Genome) -> Genome | None:
        acting = sum(bool(genome[gate]) for gate in gates)
        return None if not genome[name] or acting <= fewest else members.rounded(genome, {name: False})

    return closed


def _set(changes: dict[str, Gene], members: Members) -> Callable[[Genome], Genome | None]:
    """Some values of a place that acts set to others."""
    place = next(iter(changes))

    def change(genome: Genome) -> Genome | None:
        return members.rounded(genome, changes) if acts(place, genome) else None

    return change


def _scaled(name: str, factor: float, members: Members) -> Callable[[Genome], Genome | None]:
    """One budget scaled, all others as much as the constraints then ask for."""

    def scale(genome: Genome) -> Genome | None:
        names = [point.id for point in members.budgets(genome)]
        if name not in names or len(names) < 2:
            return None
        others = [one for one in names if one != name]
        changed = members.scaled(genome, [name], factor)
        if members.excess(changed) > 0:
            return members.lowered(changed, others)
        return members.raised(changed, others)

    return scale


def acts(name: str, genome: Genome) -> bool:
    """Whether the site of a decision point acts."""
    gates = [gate for gate in genome.values if gate.endswith(".gate") and name.startswith(gate.removesuffix("gate"))]
    return all(bool(genome[gate]) for gate in gates)
