"""`eosdsl compile`: a spec and a model to a folder with plan, graph and spec."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import complain, say, settings_of, spec_source, table_width, wants_color, writes_blocks
from eosdsl.cli.exits import exit_code
from eosdsl.cli.options import (
    AllowOutside,
    Color,
    ColorMode,
    Device,
    Dtype,
    Learned,
    Quiet,
    Settings,
    Spec,
    StdinFilename,
    Verbose,
)
from eosdsl.cli.warned import warnings_of
from eosdsl.diagnostics import SpecError

if TYPE_CHECKING:
    from eosdsl.lowering.compile import Compiled
    from eosdsl.source import SourceFile

EXAMPLES = """
eosdsl compile fastv.eos --model llava --out fastv-7b         LLaVA-1.5-7B from its shipped config, no weights
eosdsl compile fastv.eos --model ./my-llava --out fastv-mine  a model folder, with its weights
eosdsl compile fastv.eos --model llava --set budget=64        a param overridden
eosdsl compile fastv.eos --model ./my-llava --emit onnx       prefill for onnxruntime too; torch-export, vllm
eosdsl compile mine.eos --model ./my-llava --learned mine-1   with the numbers that a compiled operator learned
"""


class Emitted(StrEnum):
    """fx: graph.py, written in any case; torch-export: prefill.pt2; onnx: prefill.onnx; vllm: vllm_retention.py."""

    FX = "fx"
    TORCH_EXPORT = "torch-export"
    ONNX = "onnx"
    VLLM = "vllm"


def command(
    spec: Spec,
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="MODEL", help="A shipped name (eosdsl models), a folder or a hub id."),
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where to write; NAME-MODEL here.", show_default=False),
    ] = None,
    dtype: Dtype = None,
    device: Device = None,
    learned: Learned = None,
    emit: Annotated[
        list[Emitted] | None,
        typer.Option("--emit", help="Also write it in this form into the folder; repeatable.", show_default=False),
    ] = None,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compile a spec for a model into a folder: the spec, its plan, and the rewritten graph as readable Python.

    Prints the plan. With a shipped name no weights are needed; a folder or hub id is loaded. `eosdsl.load(model,
    FOLDER)` attaches the result. Exit code 1 where the spec has errors or warnings, 2 where a file or the model is at
    fault.
    """
    source = spec_source(spec, stdin_filename)
    settings = settings_of(set_)
    warnings = warnings_of(source, model, settings, allow_outside=allow_outside)
    compiled = _compiled(source, settings, allow_outside, model, dtype, device, learned)
    warnings += compiled.warnings
    folder = (
        Path(out) if out is not None else Path(f"{compiled.program.name}-{Path(compiled.schedule.model.name).name}")
    )
    _save(compiled, folder, emit or ())
    if not quiet:
        say(_summary(compiled, folder, color))
    if warnings and not quiet:
        complain(warnings, source, color)
    if code := exit_code(warnings):
        raise typer.Exit(code)


def _save(compiled: Compiled, folder: Path, forms: Iterable[Emitted]) -> None:
    """Write the folder with the forms asked for; where one of them fails, there is no folder."""
    from eosdsl.lowering.artefact import save
    from eosdsl.lowering.export import export_onnx, export_torch

    def retention(path: Path) -> None:
        from eosdsl.serving.vllm_module import vllm_module

        path.write_text(vllm_module(compiled.program, compiled.schedule), encoding="utf-8")

    files: dict[Emitted, tuple[str, Callable[[Path], None]]] = {
        Emitted.TORCH_EXPORT: ("prefill.pt2", lambda path: export_torch(compiled, path)),
        Emitted.ONNX: ("prefill.onnx", lambda path: export_onnx(compiled, path)),
        Emitted.VLLM: ("vllm_retention.py", retention),
    }
    save(compiled, folder, others=dict(files[form] for form in forms if form in files))


def _compiled(
    source: SourceFile,
    settings: dict[str, str],
    allow_outside: bool,
    model: str,
    dtype: str | None,
    device: str | None,
    learned: str | None,
) -> Compiled:
    from eosdsl.ir.nodes import RelaxedProgram
    from eosdsl.lowering.compile import compile_program, refuse_space
    from eosdsl.parsing import parse_source

    program = parse_source(source, settings=settings, allow_outside=allow_outside)
    if isinstance(program, RelaxedProgram):
        refuse_space(program, source)
    try:
        return compile_program(program, model, source=source, dtype=dtype, device=device, learned=learned)
    except SpecError as problem:
        raise SpecError(problem.diagnostics, problem.source or source) from problem


def _summary(compiled: Compiled, folder: Path, color: ColorMode) -> str:
    from eosdsl.views.plan_table import plan_table

    table = plan_table(
        compiled.plan, color=wants_color(color, sys.stdout), width=table_width(), ascii_only=not writes_blocks()
    )
    return f"{table}\n\nwritten to {folder}/: {', '.join(sorted(p.name for p in folder.iterdir()))}"
