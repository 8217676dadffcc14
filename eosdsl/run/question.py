"""One question to a model folder: everything is looked at before anything slow begins, then answers are taken."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eosdsl.models.find import find_model
from eosdsl.models.registry import facts_of_config
from eosdsl.run.images import open_image
from eosdsl.run.memory import memory_named
from eosdsl.run.overlay import overlay, refuse_overlay
from eosdsl.run.processor import load_processor
from eosdsl.run.prompt import refuse_empty
from eosdsl.writing import file_in_one_piece

if TYPE_CHECKING:
    from PIL import Image

    from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
    from eosdsl.lowering.compile import Compiled
    from eosdsl.models.facts import ModelFacts
    from eosdsl.run.comparison import Comparison, Progress


@dataclass(frozen=True)
class Question:
    """A prompt about images. `rounds`: timings behind each median."""

    prompt: str
    images: tuple[Path, ...]
    max_new_tokens: int = 32
    rounds: int = 5


@dataclass(frozen=True)
class Candidate:
    """A program to compare with the full model; `overlay`: where to draw what survives; `learned`: the numbers of its
    learned scores, a file or folder.
    """

    program: DiscreteProgram | RelaxedProgram
    overlay: Path | None = None
    learned: str | None = None


def ask_all(
    model: str,
    question: Question,
    candidates: Sequence[Candidate],
    *,
    dtype: str | None = None,
    device: str | None = None,
    progress: Progress,
) -> list[Comparison]:
    """Load a model, compile the programs for it, and compare each with the full model. Overlays are written at the end.

    Raises:
        SpecError: E062x for prompt, images, processor and overlays, E0435 for a model without weights, E060x where an
            overlay cannot be written; and whatever `eosdsl.compile` raises.
    """
    refuse_empty(question.prompt)
    images = [open_image(path) for path in question.images]
    found = find_model(model)
    source = found.weights()
    known = facts_of_config(found.config, found.name)
    names = [path.name for path in question.images]
    with ExitStack() as stack:
        pictures = [_picture(candidate.overlay, known, stack) for candidate in candidates]
        progress("loading the model")
        processor = load_processor(source)
        with memory_named():
            operators = _compiled(candidates, source, dtype, device)
            comparisons = _compare(operators, processor, question, images, known.name, progress)
        for picture, comparison in zip(pictures, comparisons, strict=True):
            if picture is not None:
                overlay(images, names, comparison.records, known, processor.image_processor).save(picture)
    return comparisons


def _picture(path: Path | None, known: ModelFacts, stack: ExitStack) -> Path | None:
    """Where to write an overlay that takes its place when `stack` ends well."""
    if path is None:
        return None
    refuse_overlay(path, known)
    return stack.enter_context(file_in_one_piece(path))


def _compiled(candidates: Sequence[Candidate], source: str, dtype: str | None, device: str | None) -> list[Compiled]:
    """The programs compiled for one model, all detached."""
    from eosdsl.lowering.compile import compile_program, read_program
    from eosdsl.lowering.loading import load_model

    model = load_model(source, dtype=dtype, device=device)
    operators: list[Compiled] = []
    for candidate in candidates:
        program, _ = read_program(candidate.program)
        operators.append(compile_program(program, model, learned=candidate.learned))
        operators[-1].detach()
    return operators


def _compare(
    operators: Sequence[Compiled],
    processor: Any,
    question: Question,
    images: Sequence[Image.Image],
    name: str,
    progress: Progress,
) -> list[Comparison]:
    from eosdsl.run.comparison import compare

    return compare(
        operators,
        processor,
        question.prompt,
        images,
        name=name,
        max_new_tokens=question.max_new_tokens,
        rounds=question.rounds,
        progress=progress,
    )
