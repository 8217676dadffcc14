"""From a relaxed program to the discrete one that is handed back: rounded, repaired, made plain, and measured.

1. What the search decided is taken: gates above 1/2, the likeliest choices, shares below 5% dropped. Where a search met
   several members they are compared, each with its budgets fitted, and the best is taken.
2. Repair: where rounding broke a constraint by the plan's count, budgets are lowered in the way that costs least.
3. Refine, where the space asks for it: neighbours are compared (`eosdsl.searching.refine`).
4. Plain: a mix becomes the corner next to it, a sum of scores one score, a site is closed, wherever the loss on
   questions that were held back does not notice.
5. What the constraints leave is used: budgets are raised together while they hold, where that does not hurt.
6. What nothing reads is not written: a score beside a pick that looks at none, say (`eosdsl.searching.tidy`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.searching.judge import Judge, Verdict, goes_unnoticed
from eosdsl.searching.members import Members
from eosdsl.searching.pricing import LEAST_SHARE
from eosdsl.searching.refine import acts, fitted, is_better, refined
from eosdsl.searching.tidy import tidied


@dataclass(frozen=True)
class Derived:
    """A member that meets its constraints, how it does, and what was done on the way, in words."""

    genome: Genome
    program: DiscreteProgram
    verdict: Verdict
    steps: tuple[str, ...]


def derive(
    genome: Genome,
    members: Members,
    judge: Judge,
    say: Callable[[str], None] = lambda line: None,
    *,
    refine: int = 0,
    others: Sequence[Genome] = (),
) -> Derived:
    """Make a search's genome an operator; `refine`: what trying neighbours may take, in verdicts on all questions;
    `others`: members that it met on the way and that may be better.

    Raises:
        SpecError: E0675 where no member near it meets the constraints.
    """
    steps: list[str] = []

    def note(line: str) -> None:
        steps.append(line)
        say(line)

    found = _without_idle(trimmed(genome, members), members, note)
    found = _repaired(found, members, judge, note)
    if others:
        found = _best(found, [trimmed(one, members) for one in others], members, judge, note)
    if refine:
        found = refined(_filled(found, members, judge, note), members, judge, refine, note)
    found = _plain(found, members, judge, note)
    found = _without_idle(_filled(found, members, judge, note), members, note)
    program = members.space.fill(found)
    return Derived(found, tidied(program, members.facts), judge.verdict(program), tuple(steps))


def trimmed(genome: Genome, members: Members) -> Genome:
    """Shares and weights below 5% dropped, what remains made whole again, within the bounds."""
    changes: dict[str, Gene] = {}
    for family in members.space.families:
        shares = {point.id: float(genome[point.id]) for point in family.points}
        kept = {name: share if share >= LEAST_SHARE else 0.0 for name, share in shares.items()}
        if any(kept.values()):
            factor = sum(shares.values()) / sum(kept.values())
            changes |= {name: share * factor for name, share in kept.items()}
    return members.rounded(genome, changes)


def _best(
    genome: Genome, others: Sequence[Genome], members: Members, judge: Judge, note: Callable[[str], None]
) -> Genome:
    """The best of some members, all with what the constraints allow; the first where none is better."""
    found = [one for one in (fitted(one, members) for one in (genome, *others)) if one is not None]
    if not found:
        return genome
    best, kept = found[0], judge.verdict(members.space.fill(found[0]))
    for one in found[1:]:
        verdict = judge.verdict(members.space.fill(one))
        if is_better(verdict, kept):
            note(f"a member met on the way is better: {kept.loss:.4f} to {verdict.loss:.4f}")
            best, kept = one, verdict
    return best


def _without_idle(genome: Genome, members: Members, note: Callable[[str], None]) -> Genome:
    """With the sites closed at which no token is given up: nothing has to be measured for that."""
    for gates in members.space.gates:
        for name in gates.ids:
            acting = [gate for gate in gates.ids if genome[gate]]
            if not genome[name] or len(acting) <= max(gates.fewest, 1):
                continue
            closed = members.rounded(genome, {name: False})
            if members.tokens(closed) == members.tokens(genome):
                note(f"{name.removesuffix('.gate')} closed: it gives up nothing")
                genome = closed
    return genome


def _repaired(genome: Genome, members: Members, judge: Judge, note: Callable[[str], None]) -> Genome:
    """The cheapest change by which the constraints hold."""
    excess = members.excess(genome)
    if excess <= 0:
        return genome
    candidates = list(dict.fromkeys(_text(one) for one in _repairs(genome, members)))
    if not candidates:
        helps = ("loosen the constraint, or widen the bounds of the budgets",)
        raise SpecError([error("E0675", f"no member of {genome.space} near the searched one meets it", helps=helps)])
    best = min((Genome.from_json(one) for one in candidates), key=lambda one: _loss(one, members, judge))
    note(f"repaired: {excess:.1%} over a constraint; the cheapest of {len(candidates)} ways to change budgets")
    return best


def _repairs(genome: Genome, members: Members) -> Iterator[Genome]:
    """Members near by that meet the constraints: one budget lowered, all lowered, a site made earlier; budgets raised
    where a lower bound (`>=`) is broken."""
    names = [point.id for point in members.budgets(genome)]
    for chosen in (*([name] for name in names), names):
        for found in (members.lowered(genome, chosen), members.lifted(genome, chosen)):
            if found is not None:
                yield found
    for earlier in _earlier(genome, members):
        found = members.lowered(earlier, [point.id for point in members.budgets(earlier)])
        if found is not None:
            yield found


def _earlier(genome: Genome, members: Members) -> Iterator[Genome]:
    """With one acting site moved to an earlier candidate that is closed."""
    for gates in members.space.gates:
        layers = dict(zip(gates.ids, gates.layers, strict=True))
        acting = [name for name in gates.ids if genome[name]]
        for name in acting:
            for other in gates.ids:
                if layers[other] < layers[name] and not genome[other]:
                    yield members.rounded(genome, {**_carried(genome, name, other), name: False, other: True})


def _carried(genome: Genome, name: str, other: str) -> dict[str, Gene]:
    """The values of one site, given to another that has the same holes."""
    old, new = name.removesuffix(".gate"), other.removesuffix(".gate")
    return {
        moved: value
        for point, value in genome.values.items()
        if point.startswith(f"{old}.") and (moved := f"{new}{point.removeprefix(old)}") in genome.values
    }


def _plain(genome: Genome, members: Members, judge: Judge, note: Callable[[str], None]) -> Genome:
    """Simpler members, wherever the loss does not notice."""
    kept = judge.verdict(members.space.fill(genome))
    for what, simpler in _simpler(members):
        tried = simpler(genome)
        if tried is None or _text(tried) == _text(genome) or members.excess(tried) > 0:
            continue
        verdict = judge.verdict(members.space.fill(tried))
        if goes_unnoticed(verdict, kept):
            note(f"{what}: the loss does not notice ({kept.loss:.4f} to {verdict.loss:.4f})")
            # what is compared with stays, so that small losses cannot add up unnoticed
            genome, kept = tried, verdict if verdict.loss < kept.loss else kept
    return genome


def _simpler(members: Members) -> Iterator[tuple[str, Callable[[Genome], Genome | None]]]:
    """Every way of making a member simpler, as a function of the member."""
    for gates in members.space.gates:
        for name, layer in zip(gates.ids, gates.layers, strict=True):
            yield f"layer {layer} closed", _closing(name, gates.ids, gates.fewest, members)
    for family in members.space.families:
        yield f"{family.id} made plain", _corner([point.id for point in family.points], members)
    for point in members.space.points:
        if point.id.endswith(".attention_bias"):
            yield f"{point.id} rounded", _snapped(point.id, members)


def _closing(name: str, gates: tuple[str, ...], fewest: int, members: Members) -> Callable[[Genome], Genome | None]:
    def close(genome: Genome) -> Genome | None:
        open_ = [gate for gate in gates if genome[gate]]
        if not genome[name] or len(open_) <= max(fewest, 1):
            return None
        return members.rounded(genome, {name: False})

    return close


def _corner(names: list[str], members: Members) -> Callable[[Genome], Genome | None]:
    def snap(genome: Genome) -> Genome | None:
        shares = {name: float(genome[name]) for name in names}
        if not any(shares.values()) or not acts(names[0], genome):
            return None
        largest = max(names, key=lambda name: shares[name])
        whole = sum(shares.values())
        return members.rounded(genome, {name: whole if name == largest else 0.0 for name in names})

    return snap


def _snapped(name: str, members: Members) -> Callable[[Genome], Genome | None]:
    """The strength of a bias at the nearest of none and all."""

    def snap(genome: Genome) -> Genome | None:
        low, high = members.space.point(name).bounds
        nearest = min((one for one in (0.0, 1.0) if low <= one <= high), default=None, key=_distance(genome, name))
        return None if nearest is None or not acts(name, genome) else members.rounded(genome, {name: nearest})

    return snap


def _distance(genome: Genome, name: str) -> Callable[[float], float]:
    return lambda value: abs(value - float(genome[name]))


def _filled(genome: Genome, members: Members, judge: Judge, note: Callable[[str], None]) -> Genome:
    """Budgets raised together by what the constraints leave, where that does not hurt."""
    names = [point.id for point in members.budgets(genome)]
    if not members.constraints or not names:
        return genome
    raised = members.raised(genome, names)
    if raised is None or _text(raised) == _text(genome):
        return genome
    before, after = (judge.verdict(members.space.fill(one)) for one in (genome, raised))
    if not goes_unnoticed(after, before):
        return genome
    note(f"budgets raised to what the constraints leave ({before.loss:.4f} to {after.loss:.4f})")
    return raised


def _loss(genome: Genome, members: Members, judge: Judge) -> float:
    return judge.verdict(members.space.fill(genome)).loss


def _text(genome: Genome) -> str:
    return genome.to_json()
