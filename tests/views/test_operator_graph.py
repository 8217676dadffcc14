"""The operator graph: what flows in it is what the schedule says, in every form it is drawn in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import networkx as nx
import pytest
from typer.testing import CliRunner

from eosdsl.cli.main import app
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.schedule import Schedule
from eosdsl.models.registry import facts
from eosdsl.parsing import parse
from eosdsl.passes.bind import bind
from eosdsl.views.graph.build import Graph, flow_graph
from eosdsl.views.graph.dot import dot
from eosdsl.views.graph.mermaid import mermaid
from eosdsl.views.graph.node_link import node_link
from eosdsl.views.graph.order import stages
from eosdsl.views.graph.page import page
from eosdsl.views.graph.svg import STEP, WIDEST, svg
from eosdsl.views.graph.tree import tree

FASTV = "operator fastv for llava\nat layer 2: retain 50% by attention(query: last) via prune\n"
VISIONZIP = """
operator visionzip for llava
at encoder output:
  retain 54 tokens by attention(query: cls, heads: sum) via prune
  and retain 10 tokens pick uniform via merge(similarity: cosine(keys), combine: add_mean)
at layer 8..10: retain 32 tokens by attention(query: last) with attention_bias: log_size
"""
TOME = "at encoder layers 1..4 after attention: remove 16 tokens pick bipartite(on: keys) via merge"
NOTHING = "operator nothing\nat layer 2: retain 100% by norm(hidden)  # eos: allow(W0352)\n"
SPECS = (FASTV, VISIONZIP, TOME, NOTHING)


def schedule_of(text: str, model: str = "llava-1.5-7b") -> Schedule:
    program = parse(text)
    assert isinstance(program, DiscreteProgram)
    schedule, _ = bind(program, facts(model))
    assert schedule is not None
    return schedule


def graph_of(text: str, model: str | None = "llava-1.5-7b") -> Graph:
    return flow_graph(parse(text), schedule_of(text, model) if model else None)


def flows(graph: Graph, name: str, *, into: bool) -> int:
    edges = graph.in_edges(name, data=True) if into else graph.out_edges(name, data=True)
    return sum(data["tokens"] for _, _, data in edges if data["kind"] == "flow")


@pytest.mark.parametrize("text", SPECS)
@pytest.mark.parametrize("model", ["llava-1.5-7b", "qwen2.5-vl-7b", "llava-1.6-mistral-7b"])
def test_what_flows_is_what_the_schedule_counts(text: str, model: str) -> None:
    if "cls" in text and model != "llava-1.5-7b":
        pytest.skip("that tower has no CLS token")
    text = text.replace(" for llava", "")
    schedule, graph = schedule_of(text, model), graph_of(text, model)
    acting = [r for r in schedule.reductions if r.retained < r.incoming]
    sites = [name for name, data in graph.nodes(data=True) if data["kind"] == "site"]
    assert [flows(graph, name, into=True) for name in sites] == [r.incoming for r in acting]
    assert [flows(graph, name, into=False) for name in sites] == [r.retained for r in acting]
    assert flows(graph, "projector", into=False) == schedule.decoder_tokens[0] or any(
        r.site.stream == "decoder" and r.site.layer == 0 for r in acting
    )
    assert flows(graph, "answer", into=True) == schedule.decoder_tokens[-1]


@pytest.mark.parametrize("text", SPECS)
@pytest.mark.parametrize("model", ["llava-1.5-7b", None])
def test_one_line_of_stages_from_the_image_to_the_answer(text: str, model: str | None) -> None:
    graph = graph_of(text, model)
    assert nx.is_directed_acyclic_graph(graph)
    rows = list(stages(graph))
    assert rows[0].name == "image"
    assert rows[-1].name == "answer"
    assert [row.name for row in rows].count("projector") == 1
    for name, data in graph.nodes(data=True):
        assert nx.has_path(graph, name, "answer")
        assert data["kind"] == "score" or nx.has_path(graph, "image", name)


def test_reducers_share_the_scores_that_they_read() -> None:
    graph = graph_of(VISIONZIP)
    scores = {data["label"]: graph.out_degree(name) for name, data in graph.nodes(data=True) if data["kind"] == "score"}
    assert scores == {"attention(query: cls, heads: sum)": 1, "attention(query: last)": 3}


def test_the_tree() -> None:
    assert tree(graph_of(VISIONZIP)).splitlines() == [
        "visionzip on llava-1.5-7b",
        "├─ image: 576 tokens",
        "├─ encoder output: 576 → 64 tokens",
        "│  ├─ keep 54: top, prune",
        "│  │  └─ by attention(query: cls, heads: sum)",
        "│  └─ keep 10: uniform, merge(similarity: cosine(keys), combine: add_mean)",
        "├─ projector: 64 tokens",
        "├─ layer 8: 64 → 51 tokens",
        "│  └─ keep 51: top, prune",
        "│     └─ by attention(query: last)",
        "├─ layer 9: 51 → 41 tokens",
        "│  └─ keep 41: top, prune",
        "│     └─ by attention(query: last)",
        "├─ layer 10: 41 → 32 tokens",
        "│  └─ keep 32: top, prune",
        "│     └─ by attention(query: last)",
        "└─ answer: 32 tokens",
    ]
    assert tree(graph_of(FASTV, None)).splitlines() == [
        "fastv",
        "├─ image",
        "├─ projector",
        "├─ layer 2",
        "│  └─ retain 50%: top, prune",
        "│     └─ by attention(query: last)",
        "└─ answer",
    ]


def test_a_space_is_drawn_with_what_it_leaves_open() -> None:
    space = """
    space s
    at any 1..3 of layers 0..24: retain ? 2%..60% by ? * norm(hidden) + ? * norm(keys) pick ? {top, diverse}
    minimise task
    subject to flops <= 30%
    """
    rows = tree(flow_graph(parse(space))).splitlines()
    assert "├─ any 1..3 of layers 0..24" in rows
    assert "│  └─ retain ? 2%..60%: ? {top, diverse}, prune" in rows


def test_json_is_read_back_by_networkx() -> None:
    graph = graph_of(VISIONZIP)
    document = json.loads(node_link(graph))
    assert document["version"] == 1
    again = nx.node_link_graph(document["graph"], edges="edges")
    assert nx.utils.graphs_equal(again, graph)


def test_dot_is_as_wide_as_tokens_flow() -> None:
    text = dot(graph_of(FASTV))
    assert 'image -> projector [label="576", penwidth=12.00];' in text
    assert 'reducer1 -> answer [label="288", penwidth=6.00];' in text
    assert "score1 -> reducer1 [style=dashed];" in text
    assert text.count("{") == text.count("}") == 1


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_it() -> None:
    done = subprocess.run(["dot", "-Tsvg"], input=dot(graph_of(VISIONZIP)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "encoder output" in done.stdout


def test_mermaid_numbers_its_links_as_they_come() -> None:
    text = mermaid(graph_of(FASTV))
    links = [line.strip() for line in text.splitlines() if "-->" in line or "-.->" in line]
    wide = re.findall(r"linkStyle (\d+) stroke-width:([\d.]+)px", text)
    assert {links[int(number)]: float(width) for number, width in wide} == {
        "image -->|576| projector": 12.0,
        "projector -->|576| site1": 12.0,
        "site1 -->|288| reducer1": 6.0,
        "reducer1 -->|288| answer": 6.0,
    }


def test_the_drawing_narrows_as_tokens_are_given_up() -> None:
    root = ET.fromstring(svg(graph_of(FASTV)))
    heights: list[float] = []
    for polygon in root.iter("{http://www.w3.org/2000/svg}polygon"):
        ys = [float(point.split(",")[1]) for point in polygon.attrib["points"].split()]
        heights.append(max(ys) - min(ys))
    assert heights == [WIDEST, WIDEST, WIDEST / 2]


def test_names_and_notes_keep_to_their_columns() -> None:
    """Text of neighbouring sites does not run into each other: bold letters of 13 pixels are 8 wide at most."""
    spec = "at encoder layers 0..22 after attention: remove 16 tokens pick bipartite(on: keys) via merge(weight: size)"
    space = "at any 1..3 of layers 0, 1, 2, 3, 5, 8, 13, 21: retain ? by norm(hidden)"
    for graph in (graph_of(spec), graph_of(space, None)):
        root = ET.fromstring(svg(graph))
        texts = [t for t in root.iter("{http://www.w3.org/2000/svg}text") if t.attrib["class"] != "title"]
        assert max(8 * len(t.text or "") for t in texts if t.attrib["class"] == "name") <= STEP
        assert max(6.3 * len(t.text or "") for t in texts if t.attrib["class"] == "note") <= STEP
        places = [(t.attrib["x"], t.attrib["y"]) for t in texts]
        assert len(set(places)) == len(places)
        bands = [p.attrib["points"] for p in root.iter("{http://www.w3.org/2000/svg}polygon")]
        highest = min(float(point.split(",")[1]) for points in bands for point in points.split())
        assert all(float(t.attrib["y"]) < highest for t in texts if t.attrib["class"] in ("name", "count"))


def test_names_are_escaped_in_every_form() -> None:
    graph = graph_of(FASTV)
    graph.graph["name"] = 'a<b>"&\\'
    graph.nodes["site1"]["label"] = '<script>"&'
    ET.fromstring(svg(graph))
    assert "<script>" not in page(graph) + mermaid(graph)
    assert 'digraph "a<b>\\"&\\\\" {' in dot(graph)


def test_the_page_loads_nothing() -> None:
    text = page(graph_of(VISIONZIP), VISIONZIP)
    assert not re.search(r"(?:src|href)\s*=|@import|url\(", text)
    assert text.count("<svg") == 1
    assert "pick uniform via merge" in text


CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_shows_it(tmp_path: Path) -> None:
    """What is seen: the band is as high before the site as it should be, and half as high after it."""
    from PIL import Image

    file, picture = tmp_path / "graph.html", tmp_path / "graph.png"
    file.write_text(page(graph_of(FASTV), FASTV), encoding="utf-8")
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]
    where = [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", "--window-size=1200,800"]
    subprocess.run([CHROMIUM, *flags, *where, file.as_uri()], capture_output=True, timeout=120, check=True)
    with Image.open(picture) as shot:
        pixels = shot.convert("RGB")
        blue = [
            sum(_is_band(pixels.getpixel((x, y))) for y in range(pixels.height)) for x in range(0, pixels.width, 10)
        ]
    seen = [height for height in blue if height > 10]
    assert max(seen) == pytest.approx(WIDEST, abs=3)
    assert min(height for height in seen if height > WIDEST / 4) == pytest.approx(WIDEST / 2, abs=3)


def _is_band(pixel: object) -> bool:
    assert isinstance(pixel, tuple)
    red, green, blue = pixel
    return abs(red - 121) < 25 and abs(green - 153) < 25 and abs(blue - 190) < 25


@pytest.mark.parametrize("form", ["tree", "dot", "mermaid", "svg", "html", "json"])
def test_the_command_writes_every_form(tmp_path: Path, form: str) -> None:
    spec, out = tmp_path / "fastv.eos", tmp_path / "out.txt"
    spec.write_text(FASTV)
    shown = CliRunner().invoke(app, ["graph", str(spec), "--model", "llava", "-f", form])
    assert shown.exit_code == 0
    assert "288" in shown.stdout
    written = CliRunner().invoke(app, ["graph", str(spec), "--model", "llava", "-f", form, "-o", str(out)])
    assert written.exit_code == 0
    assert out.read_text(encoding="utf-8") == shown.stdout


def test_a_spec_that_does_not_fit_the_model_is_told_and_not_drawn(tmp_path: Path) -> None:
    spec, out = tmp_path / "far.eos", tmp_path / "out.txt"
    spec.write_text("at layer 40: retain 50% by norm(hidden)\n")
    run = CliRunner().invoke(app, ["graph", str(spec), "--model", "llava", "-o", str(out)])
    assert run.exit_code == 1
    assert "E0302" in run.stderr
    assert f"{spec}:1:10" in run.stderr
    assert not out.exists()
