"""One question to a model folder: everything is looked at before anything slow begins, then both answers are taken."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.models.find import Found, find_model
from eosdsl.models.registry import facts_of_config
from eosdsl.run.images import open_image
from eosdsl.run.overlay import overlay, refuse_overlay
from eosdsl.run.prompt import refuse_empty
from eosdsl.writing import file_in_one_piece

if TYPE_CHECKING:
    from PIL import Image

    from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
    from eosdsl.run.comparison import Comparison, Progress


@dataclass(frozen=True)
class Question:
    """A prompt about images. `rounds`: timings behind each median; `overlay`: where to draw what survives."""

    prompt: str
    images: tuple[Path, ...]
    max_new_tokens: int = 32
    rounds: int = 5
    overlay: Path | None = None


def ask_both(
    program: DiscreteProgram | RelaxedProgram,
    model: str,
    question: Question,
    *,
    dtype: str | None = None,
    device: str | None = None,
    progress: Progress,
) -> Comparison:
    """Load a model, compile the program for it, and compare both on the question. The overlay is written at the end.

    Raises:
        SpecError: E062x for prompt, images, processor and overlay, E0435 for a model without weights, E060x where the
            overlay cannot be written; and whatever `eosdsl.compile` raises.
    """
    refuse_empty(question.prompt)
    images = [open_image(path) for path in question.images]
    found = find_model(model)
    source = _weights(found)
    known = facts_of_config(found.config, found.name)
    if question.overlay is None:
        comparison, _ = _compare(program, source, question, images, dtype, device, progress)
        return comparison
    refuse_overlay(question.overlay, known)
    with file_in_one_piece(question.overlay) as unfinished:
        comparison, processor = _compare(program, source, question, images, dtype, device, progress)
        names = [path.name for path in question.images]
        overlay(images, names, comparison.records, known, processor.image_processor).save(unfinished)
    return comparison


def _weights(found: Found) -> str:
    """Where the weights of a model are."""
    place = found.folder or found.hub_id
    if place is None:
        helps = ("give a folder with weights and a processor",)
        raise SpecError([error("E0435", f"{found.name} is known by its config alone: it has no weights", helps=helps)])
    return str(place)


def _compare(
    program: DiscreteProgram | RelaxedProgram,
    source: str,
    question: Question,
    images: list[Image.Image],
    dtype: str | None,
    device: str | None,
    progress: Progress,
) -> tuple[Comparison, Any]:
    from eosdsl.lowering.compile import compile
    from eosdsl.run.comparison import compare
    from eosdsl.run.processor import load_processor

    progress("loading the model")
    processor = load_processor(source)
    with _memory_named(), compile(program, source, dtype=dtype, device=device) as compiled:
        comparison = compare(
            compiled,
            processor,
            question.prompt,
            images,
            max_new_tokens=question.max_new_tokens,
            rounds=question.rounds,
            progress=progress,
        )
    return comparison, processor


@contextmanager
def _memory_named() -> Generator[None]:
    """Turn torch's ways of running out of memory into a diagnostic."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as problem:
        # on the CPU torch says it with a plain RuntimeError of its allocator
        if type(problem) is RuntimeError and "can't allocate memory" not in str(problem):
            raise
        helps = ("use --dtype bfloat16, a smaller model, or another --device",)
        raise SpecError([error("E0628", "the model and its cache do not fit into memory", helps=helps)]) from problem
