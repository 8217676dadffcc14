"""`eosdsl eval`: what reductions cost in accuracy: specs × tasks × budgets on one model."""

from __future__ import annotations

import json
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import complain, say, wants_color
from eosdsl.cli.options import Color, ColorMode, Device, Dtype, Learned, Quiet, Verbose

if TYPE_CHECKING:
    from eosdsl.evaluating.evaluate import Evaluation
    from eosdsl.evaluating.sides import Candidate

EXAMPLES = """
eosdsl eval fastv.eos --model tiny-llava --tasks exist,count --out fastv-eval
eosdsl eval fastv.eos divprune.eos --model tiny-llava --tasks all --budgets 192,128,64,16 --out table
eosdsl eval --suite methods --model tiny-llava --tasks all --budgets 192,128,64,16 --out methods
eosdsl eval fastv.eos --model ./llava-1.5-7b-hf --data questions.jsonl --device cuda --dtype bfloat16 --out own
eosdsl eval fastv.eos --model tiny-llava --tasks exist --budgets 64 --compare published --out cited
"""


class EvalFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class Comparison(StrEnum):
    PUBLISHED = "published"


def command(
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where everything is written; run again to go on.")
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="A model with weights: folder or hub id.")
    ],
    specs: Annotated[
        list[str] | None, typer.Argument(metavar="SPEC…", help="Files, or folders of them.", show_default=False)
    ] = None,
    suite: Annotated[
        str | None, typer.Option("--suite", help="methods or clean-methods: all that ship.", show_default=False)
    ] = None,
    tasks: Annotated[
        str | None, typer.Option("--tasks", help="Families, by commas; all for every one.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="Your own JSONL, or a datasets folder.", show_default=False),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="FOLDER", help="Where image paths of --data start.", show_default=False),
    ] = None,
    budgets: Annotated[
        str | None,
        typer.Option("--budgets", help="Mean tokens entering: of 576, or 25%, 1/9.", show_default=False),
    ] = None,
    written_for: Annotated[
        str | None,
        typer.Option(
            "--written-for",
            metavar="MODEL",
            help="The model whose layers and tokens the specs count.",
            show_default=False,
        ),
    ] = None,
    learned: Learned = None,
    questions: Annotated[
        int | None, typer.Option("--questions", min=1, help="Of each family: 100; of --data: all.", show_default=False)
    ] = None,
    split: Annotated[str, typer.Option("--split", help="train, validation or test.")] = "test",
    difficulty: Annotated[
        str, typer.Option("--difficulty", help="easy, medium, hard, or as hard,clutter=0.5.")
    ] = "medium",
    seed: Annotated[int, typer.Option("--seed", help="Of questions and intervals.")] = 0,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Questions at a time.")] = 25,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer.")] = 16,
    suffix: Annotated[str, typer.Option("--suffix", help="Put behind every question.", show_default=False)] = "",
    rounds: Annotated[int, typer.Option("--rounds", min=0, help="Timings behind each median; 0: none.")] = 3,
    controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="Blind, no visual tokens, smaller images.")
    ] = True,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out bad lines of --data, and count them.")
    ] = False,
    parquet: Annotated[
        bool | None,
        typer.Option("--parquet/--no-parquet", help="Parquet beside JSONL; where pyarrow is.", show_default=False),
    ] = None,
    compare: Annotated[
        Comparison | None,
        typer.Option("--compare", help="Draw published points, of other models.", show_default=False),
    ] = None,
    dtype: Dtype = None,
    device: Device = None,
    output_format: Annotated[EvalFormat, typer.Option("--output-format", help="How it is printed.")] = EvalFormat.TEXT,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure what specs cost in accuracy, at equal numbers of tokens.

    Every spec is turned to meet each budget (docs/evaluation.md says how), never above it; a budget that a method
    cannot meet is named with the reason. The folder gets results.jsonl, summary.json, pareto.svg and report.html. An
    interrupted run goes on with the same command. Exit code 2 where data, model or files are at fault.
    """
    from eosdsl.evaluating.bar import bar
    from eosdsl.evaluating.budgets import parse_budgets
    from eosdsl.evaluating.evaluate import Settings, evaluate
    from eosdsl.evaluating.parquet import PARQUET, can_write_parquet, refuse_parquet, write_parquet

    if parquet:
        refuse_parquet()
    chosen = Settings(
        tasks=tuple(name.strip() for name in (tasks or "").split(",") if name.strip()),
        data=data,
        images=images,
        skip_bad=skip_bad,
        split=split,
        difficulty=difficulty,
        questions=questions,
        seed=seed,
        batch=batch,
        max_new_tokens=max_new_tokens,
        suffix=suffix,
        rounds=rounds,
        controls=controls,
        dtype=dtype,
        device=device,
    )
    candidates = _candidates(specs or [], suite, written_for, learned)
    wanted = parse_budgets(budgets) if budgets else ()
    with bar(shown=not quiet and sys.stderr.isatty()) as progress:
        made = evaluate(candidates, model, out, wanted, chosen, progress)
    if parquet or (parquet is None and can_write_parquet()):
        write_parquet(made.records, out / PARQUET)
    _write_pages(made, out, compare is not None)
    if made.skipped and not quiet:
        complain(made.skipped, None, color)
    say(_printed(made, output_format, color))


def _candidates(specs: list[str], suite: str | None, written_for: str | None, learned: str | None) -> list[Candidate]:
    from eosdsl.cli.specs import expand
    from eosdsl.evaluating.suites import candidate_of, suite_of

    found = [candidate_of(Path(name), written_for, learned) for name in expand(specs)]
    return [*found, *(suite_of(suite) if suite else [])]


def _write_pages(made: Evaluation, out: Path, published: bool) -> None:
    from eosdsl.evaluating.page import page
    from eosdsl.evaluating.pareto import pareto
    from eosdsl.evaluating.published import points_for
    from eosdsl.writing import write_text

    cited = points_for(made) if published else ()
    write_text(out / "pareto.svg", pareto(made, cited))
    write_text(out / "report.html", page(made, cited))


def _printed(made: Evaluation, output_format: EvalFormat, color: ColorMode) -> str:
    from eosdsl.evaluating.results import as_json
    from eosdsl.evaluating.table import tables

    if output_format is EvalFormat.JSON:
        return json.dumps(as_json(made), indent=2, ensure_ascii=False)
    width = max(shutil.get_terminal_size((140, 24)).columns, 100)
    return tables(made, color=wants_color(color, sys.stdout), width=width)
