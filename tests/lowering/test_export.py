"""Prefill as a program of torch.export and as ONNX: free batch and lengths, counts in the shape, numbers equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_batches import SPECS
from tiny_models import IMAGE, TOKENS, program, tiny_llava

from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import Step
from eosdsl.lowering.compile import compile
from eosdsl.lowering.export import example, export_onnx, export_torch
from eosdsl.lowering.prefill import Prefill

LEFT = {0: 8, 1: 4, 2: 2}
"""Tokens left of 16 at the end of the decoder, by spec."""


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_prefill_of_tensors_is_the_models(spec: Step, attention: str) -> None:
    with compile(program(spec), tiny_llava(attention, kv_heads=2)) as compiled:
        prefill = Prefill(compiled)
        before, pixels, after = example(prefill, 3, 4, 6)
        before, after = (ids.clamp(max=IMAGE - 1) for ids in (before, after))
        ids = torch.cat([before, torch.full((3, TOKENS), IMAGE), after], dim=1)
        expected = compiled(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids)).logits
        torch.testing.assert_close(prefill(before, pixels, after), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("at encoder output: retain 25% by norm", "in the vision tower"),
        ("at layer 2: retain mass 90% by norm", "decided by each image"),
    ],
)
def test_what_looks_at_tensors_is_refused(text: str, why: str, tmp_path: Path) -> None:
    with compile(text, tiny_llava()) as compiled, pytest.raises(SpecError) as caught:
        export_torch(compiled, tmp_path / "prefill.pt2")
    assert [one.code for one in caught.value.diagnostics] == ["E0458"]
    assert why in caught.value.diagnostics[0].message
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_weights_is_refused(tmp_path: Path) -> None:
    with compile("at layer 2: retain 25% by norm", "llava") as compiled, pytest.raises(SpecError, match="E0435"):
        export_torch(compiled, tmp_path / "prefill.pt2")


def test_what_an_exporter_says_names_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("while translating") from ValueError("no function for `aten.sort.stable` found")

    monkeypatch.setattr(torch.onnx, "export", fails)
    monkeypatch.setattr("eosdsl.lowering.export._exported", lambda *_: None)
    with compile(program(SPECS[0]), tiny_llava()) as compiled, pytest.raises(SpecError) as caught:
        export_onnx(compiled, tmp_path / "prefill.onnx")
    assert caught.value.diagnostics[0].message == "ONNX does not take `aten.sort.stable`"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_gives_other_numbers_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        def module(self) -> Any:
            return lambda *given: torch.zeros(3, 7 + 8 + 4, 100)

    monkeypatch.setattr("eosdsl.lowering.export._exported", lambda *_: None)
    monkeypatch.setattr(torch.export, "save", lambda *_: None)
    monkeypatch.setattr(torch.export, "load", lambda *_: Other())
    with compile(program(SPECS[0]), tiny_llava()) as compiled, pytest.raises(SpecError) as caught:
        export_torch(compiled, tmp_path / "prefill.pt2")
    assert "differs from the model" in caught.value.diagnostics[0].message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("spec", LEFT)
def test_torch_export(spec: int, tmp_path: Path) -> None:
    """Written, read back, and run with other sizes; its output has symbols for batch and text, and the count."""
    with torch.no_grad(), compile(program(SPECS[spec]), tiny_llava(kv_heads=2)) as compiled:
        export_torch(compiled, tmp_path / "prefill.pt2")
        prefill = Prefill(compiled)
        loaded = torch.export.load(tmp_path / "prefill.pt2")
        out = next(node for node in loaded.graph.nodes if node.op == "output").args[0][0].meta["val"]
        batch, rows, words = out.shape
        assert isinstance(batch, torch.SymInt) and isinstance(rows, torch.SymInt) and words == 100
        constant = rows.node.expr.subs(dict.fromkeys(rows.node.expr.free_symbols, 0))
        assert constant == LEFT[spec]
        for sizes in ((1, 2, 3), (4, 9, 2)):
            given = example(prefill, *sizes)
            torch.testing.assert_close(loaded.module()(*given), prefill(*given), atol=1e-4, rtol=1e-4)
            assert prefill(*given).shape[1] == sizes[1] + LEFT[spec] + sizes[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_onnx(tmp_path: Path) -> None:
    """Checked against the model by the exporter itself, and here with sizes of our own."""
    onnxruntime = pytest.importorskip("onnxruntime")
    with torch.no_grad(), compile(program(SPECS[0]), tiny_llava(kv_heads=2)) as compiled:
        export_onnx(compiled, tmp_path / "prefill.onnx")
        prefill = Prefill(compiled)
        session = onnxruntime.InferenceSession(str(tmp_path / "prefill.onnx"))
        given = example(prefill, 1, 2, 8)
        feed = {one.name: value.numpy() for one, value in zip(session.get_inputs(), given, strict=True)}
        found = torch.from_numpy(session.run(None, feed)[0])
        torch.testing.assert_close(found, prefill(*given), atol=1e-3, rtol=1e-3)
