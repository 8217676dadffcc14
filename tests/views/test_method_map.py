"""The map of methods: each group stands where its behaviour's α and τ say, and every method is on it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from math import inf
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eosdsl.cli.main import app
from eosdsl.parsing import parse
from eosdsl.resources import resource
from eosdsl.views.method_map import Point, page, points, svg

# text, and (α, τ) by the definitions of the behaviours
PLACES = (
    ("at layer 2: retain 50%", 0.0, None),
    ("at layer 2: retain 50% via merge", 1.0, 0.0),
    ("at layer 2: retain 50% via pool", 1.0, inf),
    ("at layer 2: retain 50% via reweight(temperature: 0.2)", 1.0, 0.2),
    ("at layer 2: retain 50% via mix(merge, prune)", 0.5, 0.0),
    ("at layer 2: retain 50% via mix(0.25 reweight(temperature: 0.5))", 0.25, 0.5),
)


@pytest.mark.parametrize(("text", "alpha", "temperature"), PLACES)
def test_a_group_lies_where_its_behaviour_says(text: str, alpha: float, temperature: float | None) -> None:
    (point,) = points([parse(text)])
    assert point.alpha == pytest.approx(alpha)
    assert point.temperature == (None if temperature is None else pytest.approx(temperature))
    assert point.site == "decoder"


def test_groups_and_sites_are_told_apart() -> None:
    program = parse(
        "operator both\nat encoder output: retain 54 tokens and retain 10 tokens via merge\nat input: retain 8 tokens"
    )
    assert [(p.label, p.site, p.alpha) for p in points([program])] == [
        ("both (1)", "encoder output", 0.0),
        ("both (2)", "encoder output", 1.0),
        ("both (1)", "input", 0.0),
    ]


def test_higher_alpha_is_drawn_higher_and_higher_temperature_further_right() -> None:
    drawn = {
        name: _centre(
            svg([Point("low", 1, "decoder", 0.25, 0.1, "low"), Point("high", 1, "decoder", 1.0, 1.0, "high")]), name
        )
        for name in ("low", "high")
    }
    assert drawn["high"][1] < drawn["low"][1]
    assert drawn["high"][0] > drawn["low"][0]


def test_every_published_method_is_on_the_map() -> None:
    paths = sorted(resource("specs").glob("methods/*.eos"))
    names = {parse(path).name for path in paths}
    drawing = svg(points(parse(path) for path in paths))
    on_it = {node.get("data-method") for node in ET.fromstring(drawing).iter() if node.get("data-method")}
    assert on_it == names


def test_the_page_is_whole_and_needs_nothing_from_outside() -> None:
    html = page(points([parse("operator a<b\nat layer 2: retain 50%".replace("a<b", "ab"))]))
    assert html.count("<svg") == html.count("</svg>") == 1
    assert "src=" not in html
    assert "<td>ab</td><td>decoder</td><td>prune</td><td>0</td><td>–</td><td>–</td>" in html


def test_regime_weights_and_the_score_are_said() -> None:
    (point,) = points([parse("at layer 2: retain 50% by norm(keys) via mix(0.6 merge, 0.1 pool)")])
    assert point.weights == "0.3 prune + 0.6 merge + 0.1 pool"
    assert point.score == "norm(keys)"
    assert "by norm(keys): α = 0.7" in svg([point])


def test_no_name_covers_another() -> None:
    """Boxes of letters at the widest, of all methods and of mixtures close to each other."""
    mixtures = [
        parse(f"operator near_{share}_{t}\nat layer 2: retain 50% via mix(0.{share} reweight(temperature: 0.{t}))")
        for share in range(1, 9)
        for t in (1, 2)
    ]
    methods = [parse(path) for path in sorted(resource("specs").glob("methods/*.eos"))]
    drawing = ET.fromstring(svg(points([*methods, *mixtures])))
    boxes: list[tuple[float, float, float, str]] = []
    for node in drawing.iter():
        if node.get("data-method"):
            text = next(child for child in node if child.tag.endswith("text"))
            x, y, shown = float(text.get("x", "nan")), float(text.get("y", "nan")), text.text or ""
            assert x + 7.2 * len(shown) <= float(drawing.get("width", "nan"))
            assert all(
                x >= right or x + 7.2 * len(shown) <= left or abs(y - other) >= 15 for left, right, other, _ in boxes
            ), shown
            boxes.append((x, x + 7.2 * len(shown), y, shown))


def test_command_line(tmp_path: Path) -> None:
    (tmp_path / "pool.eos").write_text("operator pooled\nat input: retain 50% via pool\n")
    run = CliRunner().invoke(app, ["graph", "--map", str(tmp_path), "--format", "json"])
    assert run.exit_code == 0
    (point,) = json.loads(run.stdout)
    assert (point["method"], point["alpha"], point["temperature"]) == ("pooled", 1.0, "infinity")
    assert (point["site"], point["weights"], point["score"]) == ("input", "pool", "")
    assert CliRunner().invoke(app, ["graph", "--map", str(tmp_path), "--format", "dot"]).exit_code == 2


def _centre(drawing: str, method: str) -> tuple[float, float]:
    for node in ET.fromstring(drawing).iter():
        if node.get("data-method") == method:
            circle = next(iter(node))
            return float(circle.get("cx", "nan")), float(circle.get("cy", "nan"))
    raise AssertionError(f"{method} is not drawn")
