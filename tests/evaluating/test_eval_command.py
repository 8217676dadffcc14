"""`eosdsl eval` from the outside: what it prints, writes, draws, and how it says no."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from eosdsl.cli.main import app
from eosdsl.evaluating.published import published

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
QUICK = ("--questions", "2", "--batch", "2", "--max-new-tokens", "2", "--rounds", "0")
SVG = "{http://www.w3.org/2000/svg}"


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("specs") / "fastv.eos"
    path.write_text("operator fastv\nat layer 1: retain 50% by attention(query: last)\n")
    return path


@pytest.fixture(scope="module")
def out(model_folder: Path, spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval") / "out"
    asked = ("--tasks", "exist,count", "--budgets", "192,16", *QUICK, "--compare", "published", "--parquet")
    done = invoke(spec, "--model", model_folder, *asked, "--out", folder)
    assert done.exit_code == 0, done.output
    (folder / "printed").write_text(done.stdout, encoding="utf-8")
    return folder


def test_it_prints_tables(out: Path) -> None:
    printed = (out / "printed").read_text(encoding="utf-8")
    assert re.search(r"fastv@192 +47.75 +47.75 ", printed)
    assert re.search(r"^ chance +50% +11% *$", printed, re.MULTILINE)
    assert re.search(r"^Accuracy by chance 30\.6%, without the image \d+\.\d%\.$", printed, re.MULTILINE)
    assert re.search(r"fastv@16 +at least 18.88 of 144 on average: layer 0 takes in every token", printed)


def test_parquet_holds_what_the_lines_hold(out: Path) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    rows = parquet.read_table(out / "results.parquet").to_pylist()
    assert rows == [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def test_without_pyarrow_parquet_is_refused_before_anything_runs(
    spec: Path, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eosdsl.evaluating.parquet.can_write_parquet", lambda: False)
    done = invoke(spec, "--model", model_folder, "--tasks", "exist", "--parquet", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "E0698" in done.stderr and "pyarrow" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_drawing_has_every_side_and_marks_cited_points(out: Path) -> None:
    root = ET.parse(out / "pareto.svg").getroot()
    methods = {group.attrib["data-method"] for group in root.iter(f"{SVG}g") if "data-method" in group.attrib}
    assert methods == {"full", "fastv", "downsample", "lowres"}
    cited = [path.find(f"{SVG}title") for path in root.iter(f"{SVG}path") if path.attrib["class"] == "cited"]
    wanted = [one for one in published() if one.method == "FastV" and one.tokens in (192, 16)]
    assert len(cited) == len(wanted) == 4
    assert all(title is not None and "published: FastV at 192 of 576" in (title.text or "") for title in cited)
    floors = [line.attrib["y1"] for line in root.iter(f"{SVG}line") if line.attrib["class"] == "floor"]
    assert len(floors) == 2, "blind and chance"
    assert "another model on other questions" in (out / "pareto.svg").read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_says_all(out: Path) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)\s*=|@import|url\(|<script", text)
    for part in ("fastv@192", "Not reached", "LLaVA-1.5-7B", "RESTORE (Cho et al.", "amounts times", "torch"):
        assert part in text


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_shows_the_page(out: Path, tmp_path: Path) -> None:
    """What the browser made of it: a table row for every side, and coloured points where the drawing has them."""
    assert CHROMIUM is not None
    page = (out / "report.html").resolve().as_uri()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    dom = subprocess.run(
        [CHROMIUM, *flags, profile, "--dump-dom", page], capture_output=True, timeout=120, check=True, text=True
    ).stdout
    costs = dom[dom.index('id="costs"') :]
    assert costs[: costs.index("</table>")].count("<tr>") == 1 + 8
    picture = tmp_path / "page.png"
    shot = [f"--screenshot={picture}", "--window-size=1400,900"]
    subprocess.run([CHROMIUM, *flags, profile, *shot, page], capture_output=True, timeout=120, check=True)
    with Image.open(picture) as seen:
        colours = {pixel for _, pixel in seen.convert("RGB").getcolors(1 << 24) or []}
    assert (0x4C, 0x78, 0xA8) in colours, "the point of fastv"


def test_own_data_bad_lines_and_skipping(spec: Path, model_folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (96, 96), "red").save(tmp_path / "red.png")
    rows: list[dict[str, Any]] = [
        {"image": "red.png", "question": "what color is it ?", "answer": "red"},
        {"image": "lost.png", "question": "what color is it ?", "answer": "red"},
        {"image": "red.png", "question": "what color is it ?", "answer": "zinnober"},
        {"question": "is a circle a circle ?", "answer": "yes"},
    ]
    data = tmp_path / "own.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    asked = (spec, "--model", model_folder, "--data", data, "--no-controls", *QUICK[2:], "--out", tmp_path / "out")
    done = invoke(*asked)
    assert done.exit_code == 2
    assert f"{data}:2" in done.stderr.replace("\n", "") and "E0663" in done.stderr and "E0664" in done.stderr
    done = invoke(*asked, "--skip-bad", "--output-format", "json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert len(result["skipped"]) == 2
    assert [cell["n"] for cell in result["cells"] if cell["side"] == "fastv"] == [2, 2]
    assert [one["side"] for one in result["sides"]] == ["full", "fastv"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "E0680"),
        (("--tasks", "exist", "--budgets", "ten"), "E0681"),
        (("--tasks", "exsit"), "E0660"),
        (("--tasks", "exist", "--split", "dev"), "E0683"),
        (("--tasks", "exist", "--difficulty", "awful"), "E0683"),
        (("--tasks", "exist", "--suite", "all"), "E0687"),
        (("--data", "nowhere.jsonl"), "E0601"),
    ],
)
def test_what_cannot_be_asked(model_folder: Path, tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    done = invoke("--model", model_folder, "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2, done.output
    assert code in done.stderr
    assert "Traceback" not in done.output


def test_a_model_without_weights_and_a_wrong_spec(spec: Path, model_folder: Path, tmp_path: Path) -> None:
    done = invoke(spec, "--model", "llava", "--tasks", "exist", "--out", tmp_path / "out")
    assert "E0435" in done.stderr
    wrong = tmp_path / "wrong.eos"
    wrong.write_text("at layr 2: retain 50%\n")
    done = invoke(wrong, "--model", model_folder, "--tasks", "exist", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "E0103" in done.stderr


def test_reading_results_needs_no_torch() -> None:
    """Tables, drawings and pages are made of records: their modules load without torch."""
    names = ("table", "pareto", "page", "summary", "retarget", "published", "statistics", "records")
    code = "; ".join(f"import eosdsl.evaluating.{name}" for name in names)
    check = f"{code}; import sys; assert not {{'torch', 'transformers'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)
