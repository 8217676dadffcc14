"""Milliseconds of a prefill on one machine: a table that `eosdsl profile` measured, and the curve through it.

A decoder layer over n rows takes about `c + a n + b n²`: a start-up, projections and MLP, attention. All three are
fitted to the measured table without negative coefficients, relative errors weighing alike, so that small and large
prompts count the same. Everything else of a prefill (tower, projector, head, the frame around the layers) is measured
as one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from eosdsl.cost.counts import Count, total
from eosdsl.diagnostics import SpecError, error
from eosdsl.reading import os_error_diagnostic

CODES = {
    "E0668": """The file is no latency profile of this model.

    A profile is the JSON that `eosdsl profile --model MODEL --out FILE` writes. It holds for the model and the machine
    it was measured on: times of another model say nothing, so that one is refused. Measure again where the model, the
    machine or the precision is another.
    """,
}


class Point(BaseModel):
    """One measurement: median milliseconds of one decoder layer over so many rows."""

    model_config = ConfigDict(frozen=True)

    rows: int
    milliseconds: float


class Trial(BaseModel):
    """A whole prefill, predicted and measured: what the profile is worth. The shares are of the full model's prefill,
    which is what most constraints on latency ask for; a measured one is the median of rounds taken in turns."""

    model_config = ConfigDict(frozen=True)

    spec: str
    predicted: float
    measured: float
    predicted_share: float = 0.0
    measured_share: float = 0.0


class LatencyProfile(BaseModel):
    """Measured times of one model on one machine, in milliseconds for one prompt with one image.

    `curve` is (c, a, b) of the layer over n rows, `in_mlp` the share of its MLP in what grows with n; `rest` what a
    prefill takes besides its layers, `tower` the part of that which encodes the image; `attached` what any operator
    takes, `site` what every reduction takes besides its `macs_per_millisecond`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    eos_profile: Literal[1] = 1
    model: str
    layers: int
    width: int
    dtype: str
    device: str
    threads: int
    machine: dict[str, str]
    versions: dict[str, str]
    table: tuple[Point, ...]
    curve: tuple[float, float, float]
    rest: float
    attached: float
    site: float
    macs_per_millisecond: float
    in_mlp: float = 0.0
    tower: float = 0.0
    trials: tuple[Trial, ...] = ()

    def layer(self, rows: Count, in_mlp: Count | None = None) -> Count:
        """One layer over so many rows, by the curve; `in_mlp`: over so many in its MLP, where those are others."""
        start, linear, square = self.curve
        mixed = rows if in_mlp is None else rows + self.in_mlp * (in_mlp - rows)
        return _number(start + linear * mixed + square * rows**2)

    def prefill(
        self,
        rows: Sequence[Count],
        sites: Count,
        reducer_macs: Count,
        in_mlp: Sequence[Count] | None = None,
        tower: Count | None = None,
    ) -> Count:
        """A prefill whose layers see so many rows each (text and all), with so many reductions.

        in_mlp: the rows that their MLPs see, where those are others; tower: the share of the vision tower's work that
        is left, None: all.
        """
        layers = total([self.layer(one, other) for one, other in zip(rows, in_mlp or rows, strict=True)])
        any_site = sites if sites < 1 else sites * 0 + 1
        operator = self.attached * any_site + self.site * sites + reducer_macs / self.macs_per_millisecond
        saved = 0 if tower is None else self.tower * (1 - tower)
        return _number(self.rest - saved + layers + operator)

    @property
    def table_error(self) -> float:
        """The largest relative error of the curve on the table."""
        return max(abs(self.layer(float(one.rows)) / one.milliseconds - 1) for one in self.table)


def fit_curve(table: Sequence[Point]) -> tuple[float, float, float]:
    """(c, a, b) >= 0 with the least squared relative error on the table."""
    import numpy as np  # not above: a check on a model never fits a curve

    rows = np.array([one.rows for one in table], dtype=float)
    times = np.array([one.milliseconds for one in table])
    columns = np.stack([np.ones_like(rows), rows, rows**2], axis=1) / times[:, None]
    best, least = (0.0, 0.0, 0.0), float("inf")
    for kept in ([0, 1, 2], [0, 1], [0, 2], [1, 2], [0], [1], [2]):
        found, *_ = np.linalg.lstsq(columns[:, kept], np.ones_like(rows), rcond=None)
        if (found < 0).any():
            continue
        wrong = float(((columns[:, kept] @ found - 1) ** 2).sum())
        if wrong < least - 1e-12:
            values = dict(zip(kept, found.tolist(), strict=True))
            best, least = (values.get(0, 0.0), values.get(1, 0.0), values.get(2, 0.0)), wrong
    return best


def read_profile(path: Path) -> LatencyProfile:
    """The profile in a file. Raises SpecError (E060x, E0668)."""
    try:
        return LatencyProfile.model_validate_json(path.read_bytes())
    except OSError as problem:
        raise SpecError([os_error_diagnostic(problem, path)]) from problem
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}" if where else str(first["msg"])
        raise SpecError([error("E0668", f"{path} is no latency profile: {reason}", helps=(_REMEDY,))]) from problem


def refuse_other_model(profile: LatencyProfile, name: str, layers: int, width: int) -> None:
    """Raise SpecError (E0668) where a profile is of a model of another shape."""
    if (profile.layers, profile.width) != (layers, width):
        message = (
            f"the profile is of {profile.model} ({profile.layers} layers of width {profile.width}), "
            f"and {name} has {layers} of width {width}"
        )
        raise SpecError([error("E0668", message, helps=(_REMEDY,))])


_REMEDY = "measure it: eosdsl profile --model MODEL --out profile.json"


def _number(value: Any) -> Any:
    """Sums of floats and another kind of number are of that kind, which no checker knows."""
    return value
