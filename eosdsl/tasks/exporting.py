"""Our families in other people's formats, so that their tools and their checkpoints can be run on them.

Each format is one function from examples to files in a folder; `FORMATS` lists them. Images are PNG: what is written is
what was asked, pixel for pixel.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image as Picture

from eosdsl.diagnostics import SpecError, error
from eosdsl.tasks.base import Example, Family, Image
from eosdsl.writing import folder_in_one_piece

MARK = "eosdsl_tasks.json"
_UTILS = '''"""How lmms-eval reads what `eosdsl tasks export` wrote: images lie beside this file."""

import os

from PIL import Image

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def doc_to_visual(doc):
    return [Image.open(os.path.join(_FOLDER, name)).convert("RGB") for name in doc["image"]]


def doc_to_text(doc, lmms_eval_specific_kwargs=None):
    extra = lmms_eval_specific_kwargs or {}
    return extra.get("pre_prompt", "") + doc["question"] + extra.get("post_prompt", "")


def normalise(text):
    return " ".join(text.lower().replace(".", " ").split())


def process_results(doc, results):
    return {"exact": float(normalise(results[0]) == normalise(doc["answer"]))}
'''


def export(
    chosen: Sequence[Family], out: Path, form: str, *, split: str, seed: int, questions: int, difficulty: str
) -> list[Path]:
    """Write so many questions of every family to a folder, replacing an earlier export; the files, images left out.

    Raises:
        SpecError: E0683 for a split or difficulty that is none, E0685 for a format, E0608 where `out` holds something
            else, E060x where it cannot be written.
    """
    from eosdsl.evaluating.questions import family_tasks

    if form not in FORMATS:
        raise SpecError([error("E0685", f"there is no format `{form}`", helps=(f"known: {', '.join(FORMATS)}",))])
    tasks = family_tasks([one.name for one in chosen], split, questions, difficulty, seed)
    out = out.absolute()
    with folder_in_one_piece(out, MARK) as folder:
        about = {"format": form, "split": split, "seed": seed, "questions": questions, "difficulty": difficulty}
        (folder / MARK).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        written = [name for task in tasks for name in FORMATS[form](task.name, task.examples, folder, out)]
    return [out / name for name in dict.fromkeys(written)]


def _lines(name: str, examples: Sequence[Example], folder: Path, out: Path) -> list[str]:
    """`NAME.jsonl` of `{id, image: […], question, answer}`, which `eosdsl eval --data` reads; images in `images/`."""
    (folder / "images").mkdir(exist_ok=True)
    rows: list[str] = []
    for number, example in enumerate(examples):
        paths = [f"images/{name}-{number}-{place}.png" for place in range(len(example.images))]
        for path, image in zip(paths, example.images, strict=True):
            (folder / path).write_bytes(_png(image))
        row = {"id": f"{name}-{number}", "image": paths, "question": example.question, "answer": example.answer}
        rows.append(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / f"{name}.jsonl").write_text("".join(rows), encoding="utf-8")
    return [f"{name}.jsonl"]


def _lmms_eval(name: str, examples: Sequence[Example], folder: Path, out: Path) -> list[str]:
    """A task `eosdsl_NAME` for `--include_path`: YAML, its functions, JSON lines and images."""
    files = _lines(name, examples, folder, out)
    task = f"eosdsl_{name}"
    data = json.dumps(str(out / files[0]))  # a JSON string is a YAML string
    (folder / f"{task}.yaml").write_text(
        f"task: {task}\n"
        "dataset_path: json\n"
        "dataset_kwargs:\n"
        "  data_files:\n"
        f"    test: {data}\n"
        "test_split: test\n"
        "output_type: generate_until\n"
        "doc_to_visual: !function utils.doc_to_visual\n"
        "doc_to_text: !function utils.doc_to_text\n"
        "doc_to_target: answer\n"
        "process_results: !function utils.process_results\n"
        "generation_kwargs:\n"
        "  max_new_tokens: 16\n"
        "  temperature: 0\n"
        "  do_sample: false\n"
        "metric_list:\n"
        "  - metric: exact\n"
        "    aggregation: mean\n"
        "    higher_is_better: true\n"
        "metadata:\n"
        "  - version: 1.0\n",
        encoding="utf-8",
    )
    (folder / "utils.py").write_text(_UTILS, encoding="utf-8")
    return [f"{task}.yaml", "utils.py", *files]


def _vlmevalkit(name: str, examples: Sequence[Example], folder: Path, out: Path) -> list[str]:
    """`eosdsl_NAME.tsv` for `$LMUData`: index, image (base64, a list where there are several), question, answer."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, delimiter="\t", lineterminator="\n")
    writer.writerow(("index", "image", "question", "answer", "category"))
    for number, example in enumerate(examples):
        coded = [base64.b64encode(_png(image)).decode("ascii") for image in example.images]
        image = coded[0] if len(coded) == 1 else str(coded)
        writer.writerow((number, image, example.question, example.answer, str(example.meta.get("kind", name))))
    (folder / f"eosdsl_{name}.tsv").write_text(sheet.getvalue(), encoding="utf-8")
    return [f"eosdsl_{name}.tsv"]


def _png(image: Image) -> bytes:
    file = io.BytesIO()
    Picture.fromarray(image).save(file, format="PNG")
    return file.getvalue()


FORMATS: Mapping[str, Callable[[str, Sequence[Example], Path, Path], list[str]]] = {
    "eosdsl": _lines,
    "lmms-eval": _lmms_eval,
    "vlmevalkit": _vlmevalkit,
}
