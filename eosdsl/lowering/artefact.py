"""A compiled operator as a folder: the spec, what it was made for, its plan, its graph to read, and what it learned.
No weights of the model.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
import transformers
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.spell import spell
from eosdsl.lowering.anatomy import whole_model
from eosdsl.lowering.artefact_hub import fetch
from eosdsl.lowering.card import model_card
from eosdsl.lowering.compile import Compiled, compile
from eosdsl.lowering.learned import TENSORS, read_tensors, tensor_bytes
from eosdsl.lowering.loading import load_model
from eosdsl.lowering.python_text import graph_text
from eosdsl.lowering.refusals import refuse
from eosdsl.models.facts import ModelFacts
from eosdsl.models.hub import is_hub_id
from eosdsl.models.registry import facts
from eosdsl.parsing import parse_source
from eosdsl.reading import os_error_diagnostic
from eosdsl.source import SourceFile
from eosdsl.syntax.format import format_text
from eosdsl.writing import folder_in_one_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FORMAT = 1
CONFIG = "eos_config.json"
OPERATOR = "operator.eos"
CARD = "README.md"


class Artefact(BaseModel):
    """`eos_config.json`. `sha256` covers every other file of the folder but the card, which people edit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    eos_artefact: Literal[1] = FORMAT
    program: str
    family: str
    base_model: str
    facts: ModelFacts
    versions: dict[str, str]
    sha256: dict[str, str]


def save(
    compiled: Compiled,
    folder: Path,
    results: Mapping[str, Any] | None = None,
    others: Mapping[str, Callable[[Path], None]] | None = None,
) -> None:
    """Write the folder in one piece: what is there is whole, and what was there stays if writing fails.

    results: what was measured, as JSON takes it; goes into `results.json` and the model card.
    others: further files by name, each with what writes it to a path; they are not hashed (an export may hold a model's
    weights), and where one of them fails, nothing is written.

    Raises:
        SpecError: E060x where the folder cannot be written (a full disk, say), E0608 where it holds something else,
            E0659 where the results are not JSON; whatever `others` raise.
    """
    schedule = compiled.schedule
    versions = {
        "eosdsl": eosdsl.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    spec = operator_text(compiled.program, compiled.source)
    card = model_card(
        program=compiled.program.name,
        family=schedule.model.family,
        base_model=schedule.model.name,
        spec=spec,
        plan=compiled.plan,
        results=results,
        versions=versions,
    )
    texts = {
        OPERATOR: spec,
        "plan.json": compiled.plan.to_json(),
        "graph.py": graph_text(compiled.lowered, schedule),
        CARD: card,
        **({} if results is None else {"results.json": _json(results)}),
    }
    learned = tensor_bytes(compiled.learned)
    files = {name: text.encode() for name, text in texts.items()} | ({} if learned is None else {TENSORS: learned})
    config = Artefact(
        program=compiled.program.name,
        family=schedule.model.family,
        base_model=schedule.model.name,
        facts=schedule.model,
        versions=versions,
        sha256={name: _sha256(data) for name, data in files.items() if name != CARD},
    )
    with folder_in_one_piece(folder, replaces=CONFIG) as unfinished:
        for name, data in files.items():
            (unfinished / name).write_bytes(data)
        (unfinished / CONFIG).write_bytes((config.model_dump_json(indent=2) + "\n").encode())
        for name, write in (others or {}).items():
            write(unfinished / name)


def load(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
) -> Compiled:
    """Attach the compiled operator of a folder, or of a hub id (`owner/name`), to a model (as in `compile`), after
    checking both.

    Args:
        model, dtype, device: as in `compile`.
        folder: a folder; where there is none of the name, a hub id.
        revision, token: of the hub's repository, as huggingface_hub takes them.

    Raises:
        SpecError: E0657 where a hub id is out of reach; E0652 to E0655 where the folder is not whole, was changed, or
            is of a newer format; E0656 where it was made for another kind of model; E0459 where its learned tensors
            are not those of its spec; whatever `compile` raises.
    """
    if not isinstance(folder, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]  # people pass anything
        what = f"a compiled operator is named by a folder or a hub id, not by a {type(folder).__name__}"
        refuse("E0652", what, "eosdsl.load(model, folder): the model comes first")
    path = Path(folder)
    if not path.exists() and is_hub_id(os.fspath(folder)):
        path = fetch(os.fspath(folder), revision=revision, token=token)
    config = read_config(path)
    files = {name: _checked(path, name, digest) for name, digest in config.sha256.items()}
    loaded = model if isinstance(model, nn.Module) else load_model(model, dtype=dtype, device=device)
    _refuse_other_model(config, facts(whole_model(loaded)))
    source = SourceFile(str(path / OPERATOR), files[OPERATOR].decode(), path / OPERATOR)
    program = parse_source(source)
    learned = read_tensors(files[TENSORS], str(path / TENSORS)) if TENSORS in files else {}
    return compile(program, loaded, learned=learned)


def read_config(folder: Path) -> Artefact:
    """The `eos_config.json` of a folder. Raises SpecError (E0652, E0654, E0655)."""
    try:
        values = json.loads((folder / CONFIG).read_text("utf-8"))
    except FileNotFoundError:
        refuse("E0652", f"{folder} is not a compiled operator: it has no {CONFIG}", "eosdsl compile SPEC --out FOLDER")
    except OSError as problem:
        raise SpecError([os_error_diagnostic(problem, folder / CONFIG)]) from problem
    except (ValueError, RecursionError):
        refuse("E0654", f"{folder / CONFIG} is cut off or is not JSON", "compile the operator again")
    version: object = values.get("eos_artefact") if isinstance(values, dict) else None
    if isinstance(version, int) and version > FORMAT:
        refuse("E0655", f"{folder} is of format {version}; this version of eosdsl reads {FORMAT}", "update eosdsl")
    try:
        config = Artefact.model_validate(values)
    except ValidationError as problem:
        where = ".".join(str(part) for part in problem.errors()[0]["loc"])
        refuse("E0654", f"{folder / CONFIG} is not what eosdsl writes: `{where}` is missing or wrong")
    if OPERATOR not in config.sha256:
        refuse("E0654", f"{folder / CONFIG} does not name {OPERATOR}")
    return config


def operator_text(program: DiscreteProgram, source: SourceFile | None) -> str:
    """The spec as it goes into the folder: as written, formatted, where that means the same away from its place."""
    if source is not None:
        try:
            text = format_text(source.text)
            if parse_source(SourceFile(OPERATOR, text, Path(OPERATOR))) == program:
                return text
        except SpecError:  # it takes in other files, which do not come along
            pass
    return spell(program)


def _json(results: Mapping[str, Any]) -> str:
    try:
        return json.dumps(results, indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as problem:
        refuse("E0659", f"the results cannot be written as JSON: {problem}")


def _checked(folder: Path, name: str, digest: str) -> bytes:
    """A file's bytes, as they were written."""
    if Path(name).name != name:
        refuse("E0654", f"{folder / CONFIG} names a file outside the folder: {name}")
    try:
        data = (folder / name).read_bytes()
    except FileNotFoundError:
        refuse("E0652", f"{folder} is not whole: {name} is missing", "compile the operator again")
    except OSError as problem:
        raise SpecError([os_error_diagnostic(problem, folder / name)]) from problem
    if _sha256(data) != digest:
        refuse("E0653", f"{folder / name} was changed or cut off after it was written", "compile the operator again")
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refuse_other_model(config: Artefact, known: ModelFacts) -> None:
    """The operator's counts hold for models of the same shape, whatever they are called."""
    made_for, found = (_shape(one) for one in (config.facts, known))
    if config.family != known.family:
        refuse("E0656", f"{config.program} was compiled for a {config.family}, and {known.name} is a {known.family}")
    differing = [key for key in made_for if made_for[key] != found[key]]
    if differing:
        refuse(
            "E0656",
            f"{config.program} was compiled for {config.base_model}; {known.name} has another {', '.join(differing)}",
            f"compile its {OPERATOR} for this model",
        )


def _shape(known: ModelFacts) -> Mapping[str, Any]:
    return known.model_dump(exclude={"name", "dtype_bytes", "unsupported", "image_token_id"})
