"""What is asked: families of `eosdsl.tasks` by name, or somebody's own data, as tasks of examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.tasks.base import SPLITS, Example, Split
from eosdsl.tasks.difficulty import parse_difficulty


@dataclass(frozen=True, slots=True)
class Task:
    """Questions under one name. `chance`: accuracy of a guess, None where nobody knows; `needs_image`: whether it
    counts in the mean."""

    name: str
    examples: tuple[Example, ...]
    chance: float | None = None
    needs_image: bool = True


def family_tasks(names: Sequence[str], split: str, questions: int, level: str, seed: int) -> list[Task]:
    """Tasks of the families of these names (`all`: the standard ones). Raises SpecError: E0660, E0679, E0683 for a
    split or level."""
    from eosdsl.tasks.registry import family, standard_families

    difficulty = parse_difficulty(level)
    own: Split | None = next((one for one in SPLITS if one == split), None)
    if own is None:
        raise SpecError([error("E0683", f"there is no split `{split}`", helps=(f"known: {', '.join(SPLITS)}",))])
    chosen = [family(name) for name in (standard_families() if list(names) == ["all"] else dict.fromkeys(names))]
    return [
        Task(
            one.name,
            tuple(one.generate(own, seed, questions, difficulty)),
            one.chance(difficulty),
            one.needs_image,
        )
        for one in chosen
    ]


def data_task(
    path: Path,
    *,
    images: Path | None = None,
    skip_bad: bool = False,
    can_write: Callable[[str], bool] | None = None,
    most: int | None = None,
) -> tuple[Task, tuple[Diagnostic, ...]]:
    """The task of a file or `datasets` folder, and a diagnostic for every line that was skipped.

    Raises:
        SpecError: E066x for bad lines, unless they are to be skipped; E060x where it cannot be read.
    """
    from eosdsl.tasks.folders import is_dataset_folder, load_folder
    from eosdsl.tasks.jsonl import load_jsonl

    if is_dataset_folder(path):
        loaded = load_folder(path, skip_bad=skip_bad, can_write=can_write)
    else:
        loaded = load_jsonl(path, skip_bad=skip_bad, images=images, can_write=can_write)
    return Task(path.stem, loaded.examples[:most]), loaded.skipped


def batches(tasks: Sequence[Task], size: int) -> list[tuple[Task, tuple[Example, ...]]]:
    """The questions of every task, `size` at a time; those with images apart from those without."""
    found: list[tuple[Task, tuple[Example, ...]]] = []
    for task in tasks:
        for seen in (True, False):
            own = [one for one in task.examples if bool(one.images) == seen]
            found += [(task, tuple(own[start : start + size])) for start in range(0, len(own), size)]
    return found
