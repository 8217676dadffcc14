"""`eosdsl run` on a tiny LLaVA: what it reports is what the model does, and bad input is one message and no debris."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from typer.testing import CliRunner, Result

import eosdsl
from eosdsl.cli.main import app
from eosdsl.demo.photographs import photograph
from eosdsl.lowering.record import record
from eosdsl.zoo import small_llava

FASTV = "operator fastv for llava\nat layer 2: retain 50% by attention(query: last) via prune\n"
MERGING = "at layers 3, 6: retain 50%, 25% by norm(hidden) via merge\n"
PROMPT = "What animal is this?"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_llava.build(tmp_path_factory.mktemp("zoo") / "tiny", size="tiny")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a spec and two photographs."""
    (tmp_path / "fastv.eos").write_text(FASTV)
    (tmp_path / "merging.eos").write_text(MERGING)
    photograph("chelsea").save(tmp_path / "cat.png")
    photograph("coffee").save(tmp_path / "cup.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def run(model: Path | str, *arguments: str, spec: str = "fastv.eos", prompt: str = PROMPT) -> Result:
    fixed = ["run", spec, "--model", str(model), "--prompt", prompt, "--rounds", "1", "--max-new-tokens", "4"]
    return CliRunner().invoke(app, [*fixed, *arguments], prog_name="eosdsl")


def report(model: Path, *arguments: str, spec: str = "fastv.eos") -> dict[str, Any]:
    result = run(model, *arguments, "--output-format", "json", spec=spec)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def direct(folder: Path, image: Path, spec: str | None = None) -> tuple[str, Any]:
    """The answer and cache of plain transformers code, with or without an operator."""
    processor = AutoProcessor.from_pretrained(folder)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder)
    content = [{"type": "image"}, {"type": "text", "text": PROMPT}]
    conversation: Any = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(conversation, add_generation_prompt=True)
    inputs = processor(text=text, images=[Image.open(image).convert("RGB")], return_tensors="pt")
    if spec is not None:
        eosdsl.compile(eosdsl.parse(spec), model)
    output = model.generate(**inputs, max_new_tokens=4, do_sample=False, return_dict_in_generate=True)
    answer = processor.decode(output.sequences[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return answer.strip(), output.past_key_values


def test_it_reports_what_the_models_do(model: Path, desk: Path) -> None:
    seen = report(model, "--image", "cat.png")
    assert seen["full"]["answer"] == direct(model, desk / "cat.png")[0]
    answer, cache = direct(model, desk / "cat.png", FASTV)
    assert seen["reduced"]["answer"] == answer
    assert seen["reduced"]["visual_tokens_per_layer"] == [64, 64] + [32] * 7
    assert seen["full"]["visual_tokens_per_layer"] == [64] * 9
    # 64 features of keys and as many of values, 4 bytes each, for every row of every layer
    rows = [count + seen["text_tokens"] for count in seen["reduced"]["visual_tokens_per_layer"]]
    assert seen["reduced"]["kv_cache_bytes"] == sum(rows) * 2 * 64 * 4
    assert [layer.keys.shape[-2] - 3 for layer in cache.layers] == rows  # 3 of the 4 new tokens were fed back
    assert seen["random_weights"] is True
    for side in ("full", "reduced"):
        assert seen[side]["prefill_seconds"] > 0 and seen[side]["decode_seconds_per_token"] > 0
    assert seen["reduced"]["flops"] < seen["full"]["flops"]


def test_retaining_everything_changes_no_answer(model: Path, desk: Path) -> None:
    (desk / "all.eos").write_text("at layer 2: retain 100%\n")
    seen = run(model, "--image", "cat.png", "--output-format", "json", spec="all.eos")
    assert seen.exit_code == 1  # a step that does nothing is a warning
    sides = json.loads(seen.stdout)
    assert sides["full"]["answer"] == sides["reduced"]["answer"]
    assert sides["full"]["kv_cache_bytes"] == sides["reduced"]["kv_cache_bytes"]


def test_steps_are_nested_and_sizes_are_kept(model: Path, desk: Path) -> None:
    loaded: Any = AutoModelForImageTextToText.from_pretrained(model)
    processor = AutoProcessor.from_pretrained(model)
    images = [photograph("chelsea"), photograph("coffee")]
    inputs = processor(text="<image>\n<image>\nWhat differs?", images=images, return_tensors="pt")
    with eosdsl.compile(eosdsl.parse(MERGING), loaded) as compiled, record(compiled) as steps, torch.no_grad():
        compiled.generate(**inputs, max_new_tokens=3)
        plan = compiled.plan
    assert [step.site.layer for step in steps] == [3, 6]
    for place in range(2):
        first, second = (step.images[place] for step in steps)
        assert (len(first.kept), len(second.kept)) == (32, 16) == (plan.tokens_per_layer[3], plan.tokens_per_layer[6])
        assert set(second.kept) < set(first.kept) <= set(range(64))
        assert list(first.kept) == sorted(first.kept)
        assert sum(first.sizes) == pytest.approx(64) == sum(second.sizes)  # merging loses nothing
    before = len(steps)
    loaded(**inputs)
    assert len(steps) == before, "recording went on after the block"


TOWER = """\
at encoder layer 0 after attention: retain 75% by norm(keys) via merge
at encoder output: retain 50% by attention(query: cls) via prune
at input: retain 25% by norm(hidden) via prune
at layer 4: retain 10% via prune
"""


def test_steps_before_the_decoder_are_recorded_and_drawn(model: Path, desk: Path) -> None:
    (desk / "tower.eos").write_text(TOWER)
    seen = report(model, "--image", "cat.png", "--image", "cup.png", "--overlay", "out.png", spec="tower.eos")
    places = ["encoder layer 0 after attention", "encoder output", "input", "layer 4"]
    assert [step["site"] for step in seen["steps"]] == places
    for image in range(2):
        kept = [set(step["kept"][image]) for step in seen["steps"]]
        assert [len(tokens) for tokens in kept] == [48, 32, 16, 7]
        assert kept[3] < kept[2] < kept[1] < kept[0] < set(range(64))
    assert seen["reduced"]["visual_tokens_per_layer"] == [32] * 4 + [14] * 5
    assert seen["full"]["visual_tokens_per_layer"] == [128] * 9


def test_an_overlay_is_drawn_for_every_image(model: Path, desk: Path) -> None:
    one = report(model, "--image", "cat.png", "--overlay", "one.png", spec="merging.eos")
    assert [len(step["kept"][0]) for step in one["steps"]] == [32, 16]
    report(model, "--image", "cat.png", "--image", "cup.png", "--overlay", "two.jpg", spec="merging.eos")
    single, double = Image.open("one.png"), Image.open("two.jpg")
    assert (single.format, double.format) == ("PNG", "JPEG")
    assert double.height > 1.8 * single.height


def test_the_text_report_shows_both_sides(model: Path, desk: Path) -> None:
    result = run(model, "--image", "cat.png", "--image", "cup.png")
    assert result.exit_code == 0, result.output
    for wanted in ("2 images, 128 visual", "layers 0..1", "128", "64", "KV cache", "prefill", "random"):
        assert wanted in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "prompt", "exit_code", "says"),
    [
        (["--image", "dog.png"], PROMPT, 2, "E0601"),
        (["--image", "fastv.eos"], PROMPT, 2, "E0620"),
        (["--image", "cut.png"], PROMPT, 2, "E0621"),
        (["--image", "."], PROMPT, 2, "E0603"),
        (["--image", "cat.png"], "  \n", 2, "E0623"),
        (["--image", "cat.png"], "<image><image> What?", 2, "E0627"),
        (["--image", "cat.png", "--overlay", "absent/out.png"], PROMPT, 2, "E0601"),
        (["--image", "cat.png", "--overlay", "out.xyz"], PROMPT, 2, "E0626"),
        (["--image", "cat.png", "--overlay", "."], PROMPT, 2, "E0626"),
        (["--image", "cat.png", "--dtype", "int7"], PROMPT, 2, "E06"),
        (["--image", "cat.png", "--device", "tpu:9"], PROMPT, 2, "E06"),
    ],
)
def test_bad_input_is_one_diagnostic(
    model: Path, desk: Path, arguments: list[str], prompt: str, exit_code: int, says: str
) -> None:
    whole = (desk / "cat.png").read_bytes()
    (desk / "cut.png").write_bytes(whole[: len(whole) // 2])
    before = sorted(desk.iterdir())
    result = run(model, *arguments, prompt=prompt)
    expect_one_error(result, exit_code, says)
    assert sorted(desk.iterdir()) == before, "something half-written was left"


def expect_one_error(result: Result, exit_code: int, says: str) -> None:
    assert result.exit_code == exit_code, result.output
    assert result.stderr.count("error[") == 1, result.stderr
    assert f"error[{says}" in result.stderr
    assert "internal error" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (["config.json"], "E0643"),
        (["model.safetensors"], "E065"),
        (["processor_config.json"], "E0625"),
        (["tokenizer.json", "tokenizer_config.json"], "E0625"),
        (["processor_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"], "E0625"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_model_folder_that_lacks_something(model: Path, desk: Path, missing: list[str], says: str) -> None:
    shutil.copytree(model, desk / "model")
    for name in missing:
        (desk / "model" / name).unlink()
    expect_one_error(run("./model", "--image", "cat.png"), 2, says)


def test_weights_that_are_cut_off(model: Path, desk: Path) -> None:
    shutil.copytree(model, desk / "model")
    weights = desk / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    expect_one_error(run("./model", "--image", "cat.png", "--overlay", "out.png"), 2, "E065")
    assert not (desk / "out.png").exists()


def test_a_name_without_weights_and_a_name_of_nothing(desk: Path) -> None:
    expect_one_error(run("llava", "--image", "cat.png"), 1, "E0435")
    expect_one_error(run("./nowhere", "--image", "cat.png"), 2, "E0641")


def test_errors_of_the_spec_are_shown_in_its_text(model: Path, desk: Path) -> None:
    (desk / "far.eos").write_text("at layer 40: retain 50%\n")
    result = run(model, "--image", "cat.png", spec="far.eos")
    expect_one_error(result, 1, "E0302")
    assert "far.eos:1:10" in result.stderr
    (desk / "qwen.eos").write_text("operator x for qwen2_vl\nat layer 2: retain 50%\n")
    result = run(model, "--image", "cat.png", spec="qwen.eos")
    assert result.exit_code == 1 and "error[E04" in result.stderr and "qwen.eos:1" in result.stderr


def test_out_of_memory_is_named(model: Path, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr("eosdsl.run.comparison.ask", full)
    expect_one_error(run(model, "--image", "cat.png", "--overlay", "out.png"), 2, "E0628")
    assert not (desk / "out.png").exists()


def test_help_needs_no_torch() -> None:
    code = "import sys, eosdsl.cli.run, eosdsl.views.overlay; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
