"""What a reduction costs in answers: a small trained model on pictures that it has not met, full and on 16 tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from rich.table import Table
from rich.text import Text

from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.parsing import parse_source
from eosdsl.reading import read_source
from eosdsl.resources import resource
from eosdsl.run.overlay import view_of
from eosdsl.run.prompt import prepare
from eosdsl.tasks.base import Example, correct
from eosdsl.tasks.registry import family
from eosdsl.views.overlay import StepView, draw_overlay, stack_sheets

if TYPE_CHECKING:
    from eosdsl.models.facts import ModelFacts

MODEL = "tiny-llava"
METHODS = ("uniform", "divprune", "cdpruner")
BUDGET = "16 tokens"
PICTURES = (("photo", 8), ("attr", 4), ("needle", 3), ("ocr", 1), ("ocr", 2))
"""Families and numbers of held-out questions, chosen to show each outcome: from little lost to all lost."""
_SHRUNK = 0.62
"""Of the size that panels are drawn in: five rows are to fit a screen."""
_LONGEST = 8


@dataclass(frozen=True)
class Shown:
    """A question, the full model's answer, and per method the answer and the tokens it was given from."""

    example: Example
    full: str
    reduced: dict[str, tuple[str, tuple[int, ...]]]

    @property
    def question(self) -> str:
        """Without its polite words."""
        return self.example.question.removeprefix("look : ").removeprefix("tell me : ").replace(" please ?", " ?")


@dataclass(frozen=True)
class Gallery:
    """Everything that was asked, and what drawing it takes."""

    shown: tuple[Shown, ...]
    facts: ModelFacts
    image_processor: Any


def ask_pictures() -> Gallery:
    """The five questions to the full model and on each method's tokens."""
    import eosdsl
    from eosdsl.evaluating.loading import load
    from eosdsl.lowering.record import record

    _, facts, model, processor = load(MODEL)
    asked = [family(name).example("test", 0, number) for name, number in PICTURES]
    inputs = [prepare(processor, one.question, [Image.fromarray(one.images[0])]) for one in asked]
    full = [_answer(model, processor, one) for one in inputs]
    reduced: list[dict[str, tuple[str, tuple[int, ...]]]] = [{} for _ in asked]
    for method in METHODS:
        with eosdsl.compile(program_of(method), model) as compiled:
            for one, found in zip(inputs, reduced, strict=True):
                with record(compiled) as noted:
                    answer = _answer(model, processor, one)
                found[method] = answer, noted[0].images[0].kept
    shown = tuple(Shown(*one) for one in zip(asked, full, reduced, strict=True))
    return Gallery(shown, facts, processor.image_processor)


def program_of(method: str) -> DiscreteProgram | RelaxedProgram:
    """A published method at the budget of the demonstration."""
    source = read_source(resource("specs") / "methods" / f"{method}.eos")
    return parse_source(source, settings={"budget": BUDGET})


def answer_table(gallery: Gallery) -> Table:
    """A row a question; a wrong answer stands in brackets."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("question", f"all {gallery.facts.visual_tokens} tokens", *METHODS):
        table.add_column(name, overflow="fold")
    for one in gallery.shown:
        answers = [one.full, *(answer for answer, _ in one.reduced.values())]
        table.add_row(one.question, *(_marked(answer, one.example.answer) for answer in answers))
    return table


def save_pictures(shown: Sequence[Shown], folder: Path) -> list[Path]:
    """The pictures by themselves, to be asked about again."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{one.example.family}-{number}.png" for number, one in enumerate(shown, 1)]
    for path, one in zip(paths, shown, strict=True):
        Image.fromarray(one.example.images[0]).save(path)
    return paths


def answer_sheet(gallery: Gallery) -> Image.Image:
    """A row a question: the picture as the model sees it, then what each method leaves of it and what is said then."""
    rows: list[Image.Image] = []
    for one in gallery.shown:
        picture = Image.fromarray(one.example.images[0])
        steps = [
            StepView(_said(method, answer, one.example.answer), kept, (1.0,) * len(kept))
            for method, (answer, kept) in one.reduced.items()
        ]
        title = f"{one.question} {one.full}"
        view = view_of(gallery.image_processor, picture, gallery.facts)
        rows.append(draw_overlay(picture, view, steps, title, columns=4, legend=one is gallery.shown[-1]))
    sheet = stack_sheets(rows)
    return sheet.resize((round(sheet.width * _SHRUNK), round(sheet.height * _SHRUNK)), Image.Resampling.LANCZOS)


def _answer(model: Any, processor: Any, inputs: Any) -> str:
    tokens = model.generate(**inputs, max_new_tokens=_LONGEST, do_sample=False)
    return processor.tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()


def _marked(answer: str, right: str) -> Text:
    return Text(answer, style="green") if correct(answer, right) else Text(f"({answer})", style="red")


def _said(method: str, answer: str, right: str) -> str:
    return f"{method} says {answer}" + ("" if correct(answer, right) else ", wrong")
