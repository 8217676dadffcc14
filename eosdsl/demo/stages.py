"""The stages of the demonstration, each saying what it does."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.rule import Rule
from rich.text import Text

from eosdsl.checking import check_source
from eosdsl.cli.console import say, wants_color
from eosdsl.cli.options import ColorMode
from eosdsl.cost.plan import Plan, plan
from eosdsl.demo.answers import BUDGET, MODEL, answer_sheet, answer_table, ask_pictures, save_pictures
from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.parsing import parse_source
from eosdsl.reading import read_source
from eosdsl.render.text import render_text
from eosdsl.run.question import Candidate, Question, ask_all
from eosdsl.run.report import answers, remarks, rendered
from eosdsl.run.steps import progress_bar, steps_of
from eosdsl.run.table import comparison_table
from eosdsl.source import SourceFile
from eosdsl.views.plan_table import amount
from eosdsl.writing import file_in_one_piece
from eosdsl.zoo import small_llava

PLANNED = "llava-1.5-7b"
ROUNDS = 3
SHEET = "answers.png"


@dataclass(frozen=True)
class DemoSpec:
    """A spec of the demonstration and where its outputs go."""

    path: Path
    folder: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def overlay(self) -> Path:
        return self.folder / f"{self.name}.png"

    @property
    def compiled(self) -> Path:
        return self.folder / self.name

    def source(self) -> SourceFile:
        return read_source(self.path)

    def program(self) -> DiscreteProgram | RelaxedProgram:
        return parse_source(self.source())


def prepare_model(folder: Path, size: small_llava.Size = "small") -> Path:
    """The small LLaVA, built unless it is there."""
    if small_llava.is_built(folder, size=size):
        say(f"A small LLaVA is in {folder} (random weights).")
        return folder
    say(f"Building a small LLaVA in {folder}: a real model with random weights (366 MB) …")
    with _quiet_bars():
        return small_llava.build(folder, size=size)


def show_answers(folder: Path) -> None:
    """Ask the small trained model about five pictures, full and on 16 of its 144 tokens, and draw what it saw."""
    _heading(f"{MODEL} on pictures that it has not met: all of their tokens, and {BUDGET} by three methods")
    with _quiet_bars():
        gallery = ask_pictures()
    say(rendered([answer_table(gallery)], color=_colored(), width=100))
    say("In brackets: wrong.")
    pictures = save_pictures(gallery.shown, folder / "pictures")
    with file_in_one_piece(folder / SHEET) as unfinished:
        answer_sheet(gallery).save(unfinished)
    say(f"\nThe pictures and the tokens that each answer was given from: {folder / SHEET}")
    say("Ask again:")
    say(f"  eosdsl run specs/methods/divprune.eos --set budget=16 --model {MODEL} \\")
    say(f'    --image {pictures[0]} --prompt "{gallery.shown[0].question}"')


def introduce(spec: DemoSpec, model: Path) -> None:
    """Show a spec, check it, plan it for LLaVA-1.5-7B, and compile it for the small model into a folder."""
    import eosdsl

    source, program = spec.source(), spec.program()
    _heading(str(spec.path))
    say(source.text.rstrip() + "\n")
    _check(source, model)
    _stage("plan", _planned(plan(program, PLANNED)))
    with eosdsl.compile(program, str(model)) as compiled:
        compiled.save_pretrained(spec.compiled)
    written = ", ".join(sorted(file.name for file in spec.compiled.iterdir()))
    _stage("compile", f"for the small LLaVA into {spec.compiled}: {written}")


def ask(specs: Sequence[DemoSpec], model: Path, photograph: Path, prompt: str) -> None:
    """Ask the small model about a photograph, full and with each spec; print one table and name the pictures."""
    candidates = [Candidate(spec.program(), spec.overlay) for spec in specs]
    question = Question(prompt, (photograph,), max_new_tokens=16, rounds=ROUNDS)
    _heading(f"The small LLaVA on {photograph.name}: {prompt}")
    with progress_bar(steps_of(ROUNDS, len(specs)), shown=sys.stderr.isatty()) as progress:
        comparisons = ask_all(str(model), question, candidates, progress=progress)
    names = [spec.name for spec in specs]
    reduced = [(name, one.reduced.answer) for name, one in zip(names, comparisons, strict=True)]
    parts = [
        answers([("full", comparisons[0].full.answer), *reduced]),
        comparison_table(comparisons, names),
        *remarks(comparisons[0], random_weights=True),
    ]
    say(rendered(parts, color=_colored(), width=100))
    say("\nWhat survives of the photograph: " + ", ".join(str(spec.overlay) for spec in specs))


def _check(source: SourceFile, model: Path) -> None:
    found = check_source(source, str(model))
    if any(problem.is_error for problem in found):
        raise SpecError(found, source)
    if not found:
        _stage("check", "nothing to report")
        return
    _stage("check", "no errors; remarks:")
    say(render_text(found, source, _colored()) + "\n")


def _planned(made: Plan) -> str:
    return (
        f"on {made.model} without its weights: {made.mean_tokens:.5g} of {made.visual_tokens} visual tokens a layer, "
        f"{amount(made.flops)}FLOPs ({made.ratio:.1%})"
    )


def _heading(text: str) -> None:
    say("\n" + rendered([Rule(Text(text, style="bold"), align="left")], color=_colored(), width=100))


def _stage(name: str, text: str) -> None:
    say(f"{name + ':':9}{text}")


def _colored() -> bool:
    return wants_color(ColorMode.AUTO, sys.stdout)


@contextmanager
def _quiet_bars() -> Generator[None]:
    """Keep transformers from drawing its own progress bars."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
