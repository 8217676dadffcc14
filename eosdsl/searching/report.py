"""The report of a search: data as JSON, and the same as a page (HTML) and a picture (PNG)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from math import inf, log10
from pathlib import Path
from typing import Any

from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.searching.drawing import AXIS, COLOURS, FAINT, Curve, Dot, Line, Panel, Words, plot, png, svg, wrapped
from eosdsl.views.method_map import Point
from eosdsl.views.method_map import points as map_points
from eosdsl.views.method_map import svg as map_svg
from eosdsl.writing import file_in_one_piece, write_text


@dataclass(frozen=True)
class Judged:
    """A member that was measured: mean tokens by the plan, loss and accuracy on the questions of deriving."""

    tokens: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Check:
    """The derived operator on questions that nothing was chosen by."""

    questions: int
    accuracy: float
    accuracy_error: float
    task: float
    full_accuracy: float
    full_task: float


@dataclass(frozen=True)
class Report:
    """What a search found and what it took.

    relaxed_loss, derived_loss: the task's loss on the same questions before and after deriving; `gap` is their
    difference. forwards: passes of the model over one question, by the search and by deriving. milliseconds: of a
    prefill, measured; predicted_latency: its share of the full model's by the profile, where the search had one.
    """

    space: str
    model: str
    method: str
    operator: str
    genome: Mapping[str, Any]
    steps: int
    seed: int
    skipped: int
    seconds: float
    forwards: int
    deriving_forwards: int
    relaxed_loss: float | None
    derived_loss: float
    check: Check
    tokens_per_layer: tuple[int, ...]
    mean_tokens: float
    flops_ratio: float
    kv_cache_ratio: float
    constraints: tuple[str, ...]
    deriving: tuple[str, ...]
    judged: tuple[Judged, ...]
    milliseconds: float | None = None
    full_milliseconds: float | None = None
    predicted_latency: float | None = None

    @property
    def gap(self) -> float | None:
        """What making the program discrete cost: derived minus relaxed loss."""
        return None if self.relaxed_loss is None else self.derived_loss - self.relaxed_loss

    def to_json(self) -> str:
        return json.dumps({"eos_report": 1, **asdict(self), "gap": self.gap}, indent=2) + "\n"


def write_report(
    report: Report,
    rows: Sequence[Mapping[str, Any]],
    program: DiscreteProgram,
    landmarks: Sequence[DiscreteProgram],
    folder: Path,
) -> None:
    """`report.json`, `report.html` and `report.png`. Raises SpecError (E060x) where they cannot be written."""
    own = map_points([program])
    panels = [*_panels(report, rows), _map(map_points(landmarks), own)]
    page = _page(report, panels, map_svg(map_points([*landmarks, program])))
    for name, text in (("report.json", report.to_json()), ("report.html", page)):
        write_text(folder / name, text)
    with file_in_one_piece(folder / "report.png") as unfinished:
        png(panels, unfinished)


def _panels(report: Report, rows: Sequence[Mapping[str, Any]]) -> list[Panel]:
    steps = [float(row["step"]) for row in rows]
    terms = [name for name in ("loss", "task", "hidden", "logits") if rows and name in rows[0]]
    curves = [Curve(name, steps, _smooth([float(row[name]) for row in rows])) for name in terms]
    over = _columns(rows, "over", steps)
    pulls = _columns(rows, "multipliers", steps, "multiplier of ")  # the picture's font has no λ
    layers = [float(n) for n in range(len(report.tokens_per_layer))]
    profile = [Curve("derived", layers, [float(n) for n in report.tokens_per_layer])]
    if rows:
        profile.append(Curve("relaxed", layers, rows[-1]["tokens"]))
    made = [
        plot("Losses over steps (running mean)", curves, across="step", least=0.0),
        plot("Over the constraints (relative), and multipliers", [*over, *pulls], across="step"),
        plot("Gates over steps", _gates(rows, steps), across="step", least=0.0),
        plot("Visual tokens entering every layer", profile, across="layer", steps=True, least=0.0),
        _front(report),
        _gap(report),
    ]
    return [one for one in made if one.marks]


def _columns(rows: Sequence[Mapping[str, Any]], key: str, steps: Sequence[float], prefix: str = "") -> list[Curve]:
    names = list(rows[0][key]) if rows else []
    return [Curve(f"{prefix}{name}", steps, [float(row[key][name]) for row in rows]) for name in names]


def _gates(rows: Sequence[Mapping[str, Any]], steps: Sequence[float]) -> list[Curve]:
    """Those that are most open at the end, named by their layer."""
    if not rows:
        return []
    last = rows[-1]["gates"]
    chosen = sorted(last, key=lambda name: -last[name])[:12]
    several = len({_statement(name) for name in last}) > 1
    return [Curve(_layer(name, several), steps, [float(row["gates"][name]) for row in rows]) for name in chosen]


def _layer(gate: str, several: bool) -> str:
    """`steps[0].layers[8].gate` as `layer 8`; with its statement, counted from 1, where there are several."""
    layer = f"layer {gate.rpartition('layers[')[2].partition(']')[0]}"
    return f"{layer}, statement {_statement(gate) + 1}" if several else layer


def _statement(gate: str) -> int:
    return int(gate.removeprefix("steps[").partition("]")[0])


def _front(report: Report) -> Panel:
    """Every measured member by tokens and loss; those that no other beats in both have a colour of their own."""
    best: list[Judged] = []
    for one in sorted(report.judged, key=lambda one: (one.tokens, one.loss)):
        if not best or one.loss < best[-1].loss:
            best.append(one)
    if len(best) < 2:  # one member is no front
        return Panel("Pareto front")
    return plot(
        "Members measured while deriving, and their front",
        [
            Curve("measured", [one.tokens for one in report.judged], [one.loss for one in report.judged]),
            Curve("front", [one.tokens for one in best], [one.loss for one in best]),
        ],
        across="tokens, mean over layers, and task loss",
        dots=True,
    )


def _gap(report: Report) -> Panel:
    panel = Panel("Discretisation gap")
    lines = [f"derived, on the same questions: {report.derived_loss:.4f}"]
    if report.gap is not None:
        lines = [f"relaxed task loss: {report.relaxed_loss:.4f}", *lines, f"gap: {report.gap:+.4f}"]
    check = report.check
    lines += [
        "",
        f"on {check.questions} further questions:",
        f"accuracy {check.accuracy:.3f} ± {check.accuracy_error:.3f} (full model {check.full_accuracy:.3f})",
        f"task loss {check.task:.4f} (full model {check.full_task:.4f})",
    ]
    panel.marks += [Words((56.0, 60.0 + 22 * number), line) for number, line in enumerate(lines)]
    return panel


def _map(found: Sequence[Point], own: Sequence[Point]) -> Panel:
    """α upwards and τ to the right: named methods hollow, the derived operator's groups filled."""
    panel = Panel("Among the methods: how much is taken in, how sharply")
    left, right, top, base = 80.0, panel.width - 60.0, 56.0, panel.height - 84.0
    panel.marks += [
        Line(((left, base), (right, base)), FAINT),
        Line(((left, top), (right, top)), FAINT),
        Words((10.0, top + 4), "taken in", size=11),
        Words((10.0, base + 4), "dropped", size=11),
        Words((left, panel.height - 8), "merge (sharp)", AXIS, 11),
        Words(((left + right) / 2 - 26, panel.height - 8), "reweight", AXIS, 11),
        Words((right - 60, panel.height - 8), "pool (even)", AXIS, 11),
    ]

    def place(point: Point) -> tuple[float, float]:
        return left + _sharpness(point.temperature) * (right - left), base - point.alpha * (base - top)

    landmarks: dict[tuple[float, float], list[str]] = {}
    for point in found:
        landmarks.setdefault(place(point), []).append(point.label.partition(" ")[0])
    for (x, y), names in landmarks.items():
        panel.marks.append(Dot((x, y), AXIS, 5.0, hollow=True))
        told = wrapped(", ".join(dict.fromkeys(names)), _NAMES, 9.0)
        start = (
            min(max(x - _NAMES / 2, left - 20), panel.width - _NAMES - 4) if len(told) > 1 else min(x - 8, right - 20)
        )
        panel.marks += [Words((start, y + 18 + 11 * number), one, AXIS, 9.0) for number, one in enumerate(told)]
    for number, point in enumerate(own):
        colour = COLOURS[number % len(COLOURS)]
        panel.marks += [
            Dot(place(point), colour, 6.0),
            Words((place(point)[0] - 8, place(point)[1] - 11), point.label, colour, 11),
        ]
    return panel


def _sharpness(temperature: float | None) -> float:
    """From 0 for sharp to 1 for even; in the middle what mixes both or takes nothing in."""
    if temperature is None:
        return 0.5
    if temperature in (0.0, inf):
        return 0.0 if temperature == 0 else 1.0
    return 0.2 + 0.6 * (log10(min(max(temperature, 0.01), 10.0)) + 2) / 3


_NAMES = 250.0  # pixels that the names of methods at one place may take


def _smooth(values: Sequence[float]) -> list[float]:
    """A running mean that forgets nine tenths in a twentieth of the run; what is no number is left out."""
    memory = 0.1 ** (20 / max(len(values), 20))
    smoothed: list[float] = []
    for value in values:
        last = smoothed[-1] if smoothed else value
        smoothed.append(last if value != value else memory * last + (1 - memory) * value if last == last else value)
    return smoothed


def _page(report: Report, panels: Sequence[Panel], method_map: str) -> str:
    drawn = "\n".join(f'<div class="panel">{svg(panel)}</div>' for panel in panels)
    facts = {
        "searched": f"{report.method}, {report.steps} steps, seed {report.seed}, {report.seconds:.0f} s",
        "forward passes": f"{report.forwards} by the search, {report.deriving_forwards} by deriving",
        "steps without a number": str(report.skipped),
        "tokens, mean over layers": f"{report.mean_tokens:g}",
        "FLOPs of the full model's": f"{report.flops_ratio:.1%}",
        "KV cache of the full model's": f"{report.kv_cache_ratio:.1%}",
        "constraints": "; ".join(report.constraints) or "none",
        "prefill, measured": _times(report),
    }
    rows = "\n".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in facts.items())
    steps = "\n".join(f"<li>{escape(line)}</li>" for line in report.deriving) or "<li>nothing had to be changed</li>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(report.space)} on {escape(report.model)}</title>
<style>
  body {{ font: 15px system-ui, sans-serif; max-width: 1120px; margin: 2em auto; padding: 0 1em; color: #222;
    background: #fff }}
  .panels {{ display: flex; flex-wrap: wrap; gap: 8px }} .drawing {{ overflow-x: auto }}
  pre {{ background: #f4f4f4; padding: 1em; white-space: pre-wrap }} th {{ text-align: left; padding-right: 2em }}
</style></head><body>
<h1>{escape(report.space)} on {escape(report.model)}</h1>
<pre>{escape(report.operator)}</pre>
<table>{rows}</table>
<h2>The search</h2>
<div class="panels">{drawn}</div>
<h2>Deriving</h2>
<ul>{steps}</ul>
<h2>Where it lies among the methods</h2>
<div class="drawing">{method_map}</div>
</body></html>
"""


def _times(report: Report) -> str:
    if report.milliseconds is None or report.full_milliseconds is None:
        return "not measured"
    share = report.milliseconds / report.full_milliseconds
    told = f"{share:.1%} of the full model's ({report.milliseconds:.1f} of {report.full_milliseconds:.1f} ms)"
    return told if report.predicted_latency is None else f"{told}; {report.predicted_latency:.1%} by the profile"
