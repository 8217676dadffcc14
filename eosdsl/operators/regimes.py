"""Where a group lies in the shared space of behaviours: how much is taken in (α), how sharply (τ), by which regimes.

Torch-free: read from the spec alone, as the map of methods is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, inf, log

from eosdsl.ir.nodes import Behaviour as BehaviourNode
from eosdsl.ir.nodes import Mix
from eosdsl.ir.quantities import Call, Open, Quantity
from eosdsl.operators.base import Absorbing
from eosdsl.operators.behaviours.merge import Merge
from eosdsl.operators.behaviours.reweight import Reweight
from eosdsl.operators.binding import bind_call

REGIMES = ("prune", "merge", "pool", "reweight")


@dataclass(frozen=True)
class Regime:
    """`shares` of the four regimes, adding up to one (a mix that leaves a part unsaid drops it: prune).

    alpha: the share that is taken in. temperature: 0 for merge, inf for pool, the geometric mean of finite parts;
    None where nothing is taken in, or where sharp and even parts are mixed.
    """

    shares: Mapping[str, float]

    temperatures: tuple[tuple[float, float], ...]  # (share, τ) of every part that takes in

    @property
    def alpha(self) -> float:
        return 1.0 - self.shares["prune"]

    @property
    def temperature(self) -> float | None:
        kinds = {t for _, t in self.temperatures}
        if len(kinds) == 1:
            return next(iter(kinds))
        if not kinds or 0.0 in kinds or inf in kinds:
            return None
        whole = sum(share for share, _ in self.temperatures)
        return exp(sum(share * log(t) for share, t in self.temperatures) / whole)


def regime(behaviour: BehaviourNode) -> Regime | None:
    """Where a behaviour lies; None where it is open. Behaviours of plugins count by how they derive."""
    parts = _parts(behaviour)
    if parts is None:
        return None
    shares: dict[str, float] = dict.fromkeys(REGIMES, 0.0)
    temperatures: list[tuple[float, float]] = []
    for share, call in parts:
        bound, _ = bind_call("behaviours", call)
        if not isinstance(bound, Absorbing):
            shares["prune"] += share
            continue
        temperature = 0.0 if isinstance(bound, Merge) else bound.temperature if isinstance(bound, Reweight) else inf
        shares["merge" if temperature == 0 else "pool" if temperature == inf else "reweight"] += share
        temperatures.append((share, temperature))
    shares["prune"] += 1.0 - sum(shares.values())
    return Regime(shares, tuple(temperatures))


def _parts(behaviour: BehaviourNode) -> list[tuple[float, Call]] | None:
    if isinstance(behaviour, Open):
        return None
    if not isinstance(behaviour, Mix):
        return [(1.0, behaviour)]
    if not all(isinstance(part.share, Quantity) for part in behaviour.parts):
        return None
    return [(float(part.share.value), part.behaviour) for part in behaviour.parts if isinstance(part.share, Quantity)]
