"""What a serving engine can run, and the module that it runs: the same rows as the compiled model keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from families import QWEN_FAMILIES, QWEN_GRIDS
from tiny_models import IMAGE, batch, prompt, tiny_llava
from typer.testing import CliRunner

import eosdsl
from eosdsl.cli.main import app
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.discrete import Reducer
from eosdsl.lowering.record import record
from eosdsl.serving.vllm_module import vllm_module

FIT = [
    "at input: retain 25% by norm",
    "at input: retain 5 tokens by norm pick diverse with positions: compact",
    "at layer 0: retain 30% by position pick uniform",
    "at input: retain 2 tokens by norm and retain 3 tokens pick uniform",
]
UNFIT = [
    ("at layer 2: retain 25% by norm", "inside the decoder (layer 2)"),
    ("at encoder output: retain 25% by norm", "in the vision tower"),
    ("at input: retain 25% by norm via merge", "changes the rows"),
    ("at input: retain mass 90% by norm", "decided by each image"),
    ("at input: retain 25% by relevance", "more than the embeddings (text)"),
]


def module(text: str, model: Any) -> dict[str, Any]:
    with eosdsl.compile(text, model) as compiled:
        written = vllm_module(compiled.program, compiled.schedule)
    names: dict[str, Any] = {}
    exec(written, names)
    return names


@pytest.mark.parametrize("text", FIT)
def test_the_mask_keeps_the_rows_that_the_compiled_model_keeps(text: str) -> None:
    model = tiny_llava()
    functions = module(text, model)
    p = batch([prompt([3, 0, 5], 1), prompt([2, 0, 4], 2)])
    with torch.no_grad():
        embeds = model.get_image_features(p.pixel_values, return_dict=True).pooler_output
        with eosdsl.compile(text, model) as compiled, record(compiled) as steps:
            compiled(**p.inputs())
    count = functions["compute_retained_tokens_count"](16, 1, 0.5)
    assert count == compiled.plan.tokens_per_layer[0]
    for own, image in zip(embeds, steps[0].images, strict=True):
        mask = functions["compute_retention_mask"](own, torch.tensor([1, 4, 4]), 1, 0.5)
        assert (mask.dtype, mask.shape, int(mask.sum())) == (torch.bool, (16,), count)
        assert mask.nonzero()[:, 0].tolist() == sorted(image.kept)
        positions = functions["compute_retained_positions"](mask).tolist()
        assert positions == (list(range(count)) if "compact" in text else sorted(image.kept))


def entered(compiled: Any, **inputs: Any) -> Any:
    """The stream that enters layer 0."""
    (reducer,) = (module for module in compiled.graph.modules() if isinstance(module, Reducer))
    streams: list[Any] = []
    handle = reducer.register_forward_hook(lambda _, args, stream: streams.append(stream))
    compiled(**inputs, use_cache=False)
    handle.remove()
    return streams[0]


@pytest.mark.parametrize("policy", ["keep", "compact", "mean"])
def test_positions_are_those_of_the_compiled_model(policy: str) -> None:
    """Of the rows that stay and of the text behind them."""
    model = tiny_llava()
    text = f"at input: retain 5 tokens by norm with positions: {policy}"
    functions, p = module(text, model), prompt([3, 0, 5], 1)
    with torch.no_grad(), eosdsl.compile(text, model) as compiled:
        (embeds,) = model.get_image_features(p.pixel_values, return_dict=True).pooler_output
        positions = entered(compiled, **p.inputs()).positions[0]
    mask = functions["compute_retention_mask"](embeds, (1, 4, 4), 1)
    start = int((p.input_ids[0] == IMAGE).nonzero()[0, 0])
    wanted = positions[start : start + 6] - start
    assert functions["compute_retained_positions"](mask).tolist() == wanted[:5].tolist()
    assert functions["compute_next_position"](mask) == int(wanted[5])


@pytest.mark.parametrize("policy", ["keep", "compact"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in QWEN_FAMILIES for kind in QWEN_GRIDS if (name, kind) != ("qwen3_vl", "video")],
)
def test_positions_by_row_and_column_are_those_of_the_compiled_model(name: str, kind: str, policy: str) -> None:
    """M-RoPE: images of three shapes, and a video whose frames are a second apart (Qwen3-VL has text between them)."""
    family = QWEN_FAMILIES[name]
    model = family.build("sdpa")
    text = f"at input: retain 5 tokens by norm with positions: {policy}"
    functions, inputs = module(text, model), family.prompt([3, kind, 5], 2)
    size = QWEN_GRIDS[kind]
    features = model.get_video_features if kind == "video" else model.get_image_features
    names = ("pixel_values_videos", "video_grid_thw") if kind == "video" else ("pixel_values", "image_grid_thw")
    with torch.no_grad(), eosdsl.compile(text, model) as compiled:
        (embeds,) = features(*(inputs[one] for one in names), return_dict=True).pooler_output
        stream = entered(compiled, **inputs)
    mask = functions["compute_retention_mask"](embeds, size, 2)
    assert int(mask.sum()) == 5 == functions["compute_retained_tokens_count"](len(embeds) // size[0], size[0])
    start = int((~family.text_rows(inputs))[0].nonzero()[0, 0])
    wanted = stream.positions[0, start : start + 6] - start
    second = float(getattr(model.config.vision_config, "tokens_per_second", 1)) if kind == "video" else 1.0
    assert functions["compute_retained_positions"](mask, size, 2, second).tolist() == wanted[:5].tolist()
    assert wanted[5].tolist() == [functions["compute_next_position"](mask, size, 2)] * 3


@pytest.mark.parametrize("text", FIT[:3])
@pytest.mark.parametrize("size", [(1, 8, 12), (3, 4, 6), (5, 2, 2)])
def test_the_count_is_the_masks_sum_for_any_size(text: str, size: tuple[int, int, int]) -> None:
    functions = module(text, tiny_llava())
    frames, rows, columns = size
    tokens = rows // 2 * (columns // 2)
    embeds = torch.randn(frames * tokens, 8, generator=torch.Generator().manual_seed(0))
    mask = functions["compute_retention_mask"](embeds, size, 2, 0.1)
    assert int(mask.sum()) == functions["compute_retained_tokens_count"](tokens, frames, 0.1)
    with pytest.raises(ValueError, match="embeddings for"):
        functions["compute_retention_mask"](embeds[1:], size, 2, 0.1)


@pytest.mark.parametrize(("text", "why"), UNFIT)
def test_what_is_no_mask_is_refused_with_the_reason(text: str, why: str) -> None:
    with eosdsl.compile(text, tiny_llava()) as compiled, pytest.raises(SpecError) as caught:
        vllm_module(compiled.program, compiled.schedule)
    assert [one.code for one in caught.value.diagnostics] == ["E0455"]
    assert why in caught.value.diagnostics[0].message


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fit.eos").write_text("operator fit\nat input: retain 25% by norm\n")
    Path("late.eos").write_text("operator late\nat layer 2: retain 25% by attention(query: last)\n")
    run = CliRunner().invoke
    said = run(app, ["plan", "fit.eos", "--model", "llava", "--serving", "-q"])
    assert "a mask over embeddings (--emit vllm)" in said.output and "No mask" not in said.output
    found = run(app, ["plan", "late.eos", "--model", "llava", "--serving", "--output-format", "json", "-q"])
    answers = json.loads(found.output)
    assert (answers["servable"], answers["known_ahead"], answers["before_decoder"]) == (False, True, False)
    assert "inside the decoder" in answers["reason"]
    done = run(app, ["compile", "fit.eos", "--model", "llava", "--out", "out", "--emit", "vllm", "-q"])
    assert done.exit_code in (0, 1), done.output
    assert "STEP = 'retain 25% by norm" in Path("out/vllm_retention.py").read_text()
    refused = run(app, ["compile", "late.eos", "--model", "llava", "--out", "late", "--emit", "vllm"])
    assert refused.exit_code == 1 and "E0455" in refused.output
    assert not Path("late").exists()


def test_a_form_that_fails_leaves_the_folder_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All forms are written beside the folder, which is renamed once."""
    monkeypatch.chdir(tmp_path)
    Path("fit.eos").write_text("operator fit\nat input: retain 25% by norm\n")
    asked = ["compile", "fit.eos", "--model", "llava", "--out", "out", "-q", "--emit", "vllm"]
    run = CliRunner().invoke
    assert run(app, asked).exit_code in (0, 1)
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert "vllm_retention.py" in before
    for form in ("onnx", "torch-export"):
        refused = run(app, [*asked, "--emit", form])
        assert refused.exit_code == 1 and "E0435" in refused.output, refused.output
        assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.eos", "out"]
