"""A compiled prefill as a file that others run: a program of torch.export, or ONNX. Batch and text lengths are free.

What is written is run again and compared before it takes its place: other sizes than those it was traced with must give
what the model gives, and as many rows as the plan says.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eosdsl.lowering.onnx_operators import translations
from eosdsl.lowering.prefill import Prefill
from eosdsl.lowering.refusals import refuse, refuse_without_weights
from eosdsl.lowering.seen import Pixels
from eosdsl.writing import file_in_one_piece

if TYPE_CHECKING:
    from eosdsl.lowering.compile import Compiled

TRACED = (2, 3, 5)
"""Batch, text in front and behind, of the example that is traced."""
TRIED = (3, 7, 4)
"""Those of the example that the written file is tried with."""
MOST = 4096
_TOLERANCE = 1e-3
_OPERATOR = re.compile(r"\b(?:aten|prims)[.:]+\w+(?:\.\w+)?|GuardOnDataDependentSymNode|flat_apply")


def export_torch(compiled: Compiled, path: Path) -> None:
    """Write `path` (.pt2), for `torch.export.load(path).module()`.

    Raises:
        SpecError: E0435 without weights, E0458 where the operator cannot be exported, E060x where nothing can be
            written.
    """
    prefill, traced = _prefill(compiled)
    program = _exported(prefill, traced)
    with file_in_one_piece(path) as unfinished:
        try:
            torch.export.save(program, unfinished)
        except Exception as problem:
            refuse("E0458", f"torch.export does not write {_culprit(problem)}")
        loaded = torch.export.load(unfinished).module()
        _compare(prefill, lambda *given: loaded(*given), _tolerance(compiled))


def export_onnx(compiled: Compiled, path: Path) -> None:
    """Write `path` (.onnx), tried with onnxruntime.

    Raises:
        SpecError: as `export_torch`; E0458 also where ONNX lacks an operator, or its packages are not installed.
    """
    try:
        onnxruntime, _ = (import_module(name) for name in ("onnxruntime", "onnxscript"))
    except ImportError as problem:
        refuse("E0458", f"ONNX needs a package that is not installed: {problem.name}", 'pip install "eosdsl[onnx]"')
    prefill, traced = _prefill(compiled)
    program = _exported(prefill, traced)
    try:
        with _quiet():
            made: Any = torch.onnx.export(
                program,
                (),
                input_names=["before", "pixel_values" if isinstance(prefill.seen, Pixels) else "features", "after"],
                output_names=["logits"],
                dynamo=True,
                verbose=False,
                custom_translation_table=translations(),
            )
    except Exception as problem:  # the exporter's own kinds of failure name the operator in their text
        refuse("E0458", f"ONNX does not take {_culprit(problem)}", "`--emit torch-export` takes every operator")
    with file_in_one_piece(path) as unfinished:
        made.save(str(unfinished))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(unfinished), options, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]

        def run(*given: Tensor) -> Tensor:
            feed = {name: one.cpu().numpy() for name, one in zip(names, given, strict=True)}
            return torch.from_numpy(session.run(None, feed)[0])

        _compare(prefill, run, _tolerance(compiled))


def _prefill(compiled: Compiled) -> tuple[Prefill, tuple[Tensor, ...]]:
    refuse_without_weights(compiled.model)
    prefill = Prefill(compiled).eval()
    return prefill, example(prefill, *TRACED)


def example(prefill: Prefill, batch: int, front: int, back: int) -> tuple[Tensor, Tensor, Tensor]:
    """Arguments of these sizes, the same each time."""
    weight = prefill.vlm.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(batch)

    def ids(length: int) -> Tensor:
        return torch.randint(0, weight.shape[0], (batch, length), generator=generator).to(weight.device)

    seen = prefill.seen.example(batch, generator).to(weight)
    return ids(front), seen, ids(back)


def _exported(prefill: Prefill, traced: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    dim = torch.export.Dim
    batch, front, back = dim("batch", min=1, max=MOST), dim("front", min=2, max=MOST), dim("back", min=2, max=MOST)
    sizes = ({0: batch, 1: front}, {0: batch}, {0: batch, 1: back})
    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(prefill, traced, dynamic_shapes=sizes, strict=False)
    except Exception as problem:
        refuse("E0458", f"torch.export does not take {_culprit(problem)} with free batch and lengths")


def _compare(prefill: Prefill, run: Callable[..., Tensor], tolerance: float) -> None:
    """Raise SpecError (E0458) unless the written file gives what the model gives."""
    given = example(prefill, *TRIED)
    with torch.no_grad():
        expected = prefill(*given).cpu().float()
        found = run(*given).cpu().float()
    if found.shape != expected.shape:
        refuse("E0458", f"the exported prefill gives {tuple(found.shape)}, the model {tuple(expected.shape)}")
    apart = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
    if not apart <= tolerance:
        refuse("E0458", f"the exported prefill differs from the model by {apart:.2g}")


def _tolerance(compiled: Compiled) -> float:
    """Of the largest logit; half precision is rounded elsewhere by other kernels."""
    return _TOLERANCE if next(compiled.model.parameters()).dtype == torch.float32 else 5e-2


def _culprit(problem: BaseException) -> str:
    """The operator that an exporter's message names, or the end of its message."""
    seen: list[str] = []
    while problem.__cause__ is not None:
        seen += _OPERATOR.findall(str(problem))
        problem = problem.__cause__
    seen += _OPERATOR.findall(str(problem))
    return f"`{seen[0]}`" if seen else f"the program ({' '.join(str(problem).split())[:200]})"


@contextmanager
def _quiet() -> Generator[None]:
    """Without the exporters' chatter."""
    names = ("torch.onnx", "onnx_ir", "onnxscript", "torch.export")
    levels = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    for logger, _ in levels:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
