"""`compile(program, model)`: a spec attached to a transformers model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn, Self

import torch
from torch import fx, nn

from eosdsl.cost.expect import check_expectations
from eosdsl.cost.learned import asked_by
from eosdsl.cost.plan import Plan, plan_schedule
from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.schedule import Schedule
from eosdsl.lowering.anatomy import Anatomy, dissect, find_tower, whole_model
from eosdsl.lowering.attach import Attachment, is_attached
from eosdsl.lowering.build import Lowered, build
from eosdsl.lowering.encoder import Encoder, EncoderAttachment, lower, take_apart
from eosdsl.lowering.learned import Given, networks, untrained
from eosdsl.lowering.loading import load_model
from eosdsl.lowering.refusals import refuse, refuse_without_weights
from eosdsl.lowering.versions import refuse_version
from eosdsl.models.facts import ModelFacts
from eosdsl.models.profiles import profiles
from eosdsl.models.registry import facts
from eosdsl.parsing import parse_source, source_of
from eosdsl.passes.bind import bind
from eosdsl.source import SourceFile

if TYPE_CHECKING:
    from eosdsl.lowering.relaxing.relax import Relaxed

FAINTNESS = 6.0
"""How many times over tokens fade that are half there, in training as in a search."""


class Compiled:
    """A model with an operator attached. Use it as the model: calls, `generate` and attributes are the model's own.

    Attached from the start; leaving the context or `detach()` undoes it, `attach()` does it again.

    Attributes:
        model: the transformers model, unmodified but for the attachment.
        graph: the decoder's trunk with reducers in it; tower_graph: the vision tower's, None where it is left alone. Of
            an image encoder without a decoder, `graph` is that of its layers.
        schedule: the program bound to the model: sites and counts.
        program: the program; source: the text it came from, None where it was given as a program.
        learned: the networks of learned scores, by site and name; a module, for any optimizer. Empty without any.
        plan: tokens and costs, as `eosdsl.plan` gives them.
    """

    def __init__(
        self,
        program: DiscreteProgram,
        source: SourceFile | None,
        schedule: Schedule,
        anatomy: Anatomy | Encoder,
        lowered: Lowered,
        learned: nn.ModuleDict,
    ) -> None:
        self.program = program
        self.source = source
        self.schedule = schedule
        self.model: Any = anatomy.model
        self.anatomy = anatomy
        self.lowered = lowered
        self.learned = learned
        self._attachment: Attachment | EncoderAttachment | None = None
        self.attach()

    @property
    def graph(self) -> fx.GraphModule:
        return self.lowered.graph

    @property
    def tower_graph(self) -> fx.GraphModule | None:
        return self.lowered.tower.graph if self.lowered.tower is not None else None

    @property
    def plan(self) -> Plan:
        return plan_schedule(self.schedule)

    @property
    def warnings(self) -> list[Diagnostic]:
        """What there is to warn of now: learned scores whose numbers are as they were drawn (W0459)."""
        return untrained(asked_by(self.schedule), self.learned)

    def attach(self) -> Self:
        """Attach the operator (again). Raises SpecError (E0430) where the model carries one."""
        anatomy = self.anatomy
        made = EncoderAttachment if isinstance(anatomy, Encoder) else Attachment
        self._attachment = made(anatomy, self.lowered)  # pyright: ignore[reportArgumentType]  # each its own
        return self

    def detach(self) -> Any:
        """Leave the model as it was, bit for bit, and return it. Doing it twice does no harm."""
        if self._attachment is not None:
            self._attachment.remove()
            self._attachment = None
        return self.model

    @contextmanager
    def training(self, *, freeze: bool = True) -> Generator[Relaxed]:
        """While the block runs tokens fade instead of going, as in a search, so that `learned` gets a gradient.

        Budgets are met exactly, softly: the loss need not ask for it. The block is given what is attached meanwhile,
        with a `temperature` to lower on the way (`eosdsl.lowering.relaxing.temperatures`); in it, call the model or
        that. Nothing is cached and nothing generates. Behind the block all is as it was, but for what was learned.

        Args:
            freeze: the model's own parameters get no gradient.

        Raises:
            SpecError: E0520 for what has no gradient; E0521 for an encoder that answers by all of its rows.
        """
        from eosdsl.lowering.relaxing.relax import relax
        from eosdsl.lowering.relaxing.temperatures import Temperatures

        attached = self._attachment is not None
        self.detach()
        try:
            with relax(self.program, self.model, learned=self.learned, freeze=freeze) as relaxed:
                relaxed.temperature = Temperatures.at(1.0, FAINTNESS)
                yield relaxed
        finally:
            if attached:
                self.attach()

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        results: Mapping[str, Any] | None = None,
        push_to_hub: bool = False,
        repo_id: str | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
    ) -> None:
        """Write the compiled operator (not the weights) to a folder that `eosdsl.load` reads.

        Args:
            results: what was measured with it, for `results.json` and the model card.
            push_to_hub: upload the folder, to `repo_id` (the folder's name) with `private` and `token`.
        """
        from eosdsl.lowering.artefact import save
        from eosdsl.lowering.artefact_hub import push

        path = Path(folder)
        save(self, path, results)
        if push_to_hub:
            push(path, repo_id or path.absolute().name, private=private, token=token)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        results: Mapping[str, Any] | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        commit_message: str = "Upload a compiled operator",
    ) -> str:
        """Upload the compiled operator (not the weights) to a repository of the hub; the address of the commit."""
        from eosdsl.lowering.artefact import save
        from eosdsl.lowering.artefact_hub import push

        with TemporaryDirectory() as parent:
            folder = Path(parent) / "operator"
            save(self, folder, results)
            return push(folder, repo_id, private=private, token=token, commit_message=commit_message)

    def __enter__(self) -> Self:
        return self if self._attachment is not None else self.attach()

    def __exit__(self, *_: object) -> None:
        self.detach()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse()
        return self.model(*args, **kwargs)

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """`generate` of the model, with the operator."""
        self._refuse()
        return self.model.generate(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "model":
            raise AttributeError(name)
        return getattr(self.model, name)

    def __repr__(self) -> str:
        state = "attached to" if self._attachment is not None else "detached from"
        return f"<Compiled {self.program.name} {state} {type(self.model).__name__}>"

    def _refuse(self) -> None:
        if self._attachment is None:
            refuse("E0444", f"{self.program.name} has been detached from its model", "call attach(), or use .model")
        refuse_without_weights(self.model)


def compile(
    program: DiscreteProgram | RelaxedProgram | str | os.PathLike[str],
    model: Any,
    *,
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    learned: Given | None = None,
) -> Compiled:
    """Attach a program to a model.

    Args:
        program: a program, a path to an `.eos` file, or its text.
        model: a transformers vision-language model, or what `eosdsl.lowering.loading.load_model` takes: a shipped
            name (then without weights, on the meta device), a folder, a hub id.
        dtype, device: for a model that is loaded here.
        learned: the numbers of learned scores: a safetensors file, the folder of a compiled operator, tensors by name,
            or a module that has them. Without it they are drawn, the same each time, and a warning says so (W0459).

    Raises:
        SpecError: whatever is wrong with the spec, its match with the model (E03xx, E04xx), its expectations, its
            learned numbers (E0459), or the loading of the model (E06xx); E0456 for a version of transformers that is
            not supported. The model is then left as it was.
    """
    spec, source = read_program(program)
    compiled = compile_program(spec, model, source=source, dtype=dtype, device=device, learned=learned)
    for one in compiled.warnings:
        warnings.warn(f"{one.code}: {one.message}", UserWarning, stacklevel=2)
    return compiled


def compile_program(
    program: DiscreteProgram,
    model: Any,
    *,
    source: SourceFile | None = None,
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    learned: Given | None = None,
    pool: nn.ModuleDict | None = None,
) -> Compiled:
    """As `compile`, for a program that has been parsed from `source`; it warns of nothing. pool: networks of learned
    scores that are used as they are, where they are asked.
    """
    refuse_version()
    given = isinstance(model, nn.Module)
    known = facts(whole_model(model) if given else model)
    schedule = bound(program, known, source)
    loaded = model if given else load_model(model, dtype=dtype, device=device)
    profile = profiles()[known.family]
    asks = networks(asked_by(schedule), learned, pool)
    if not profile.torch.text_model:
        encoder = take_apart(loaded, profile.torch, known)
        return Compiled(
            program, source, schedule, encoder, _lowered(lambda: lower(schedule, encoder, asks), source), asks
        )
    anatomy = dissect(loaded, profile, known)
    if is_attached(anatomy.text):
        refuse("E0430", "the model already carries an operator", "detach the first one: compiled.detach()")
    lowered = _lowered(
        lambda: build(schedule, anatomy, lambda: find_tower(loaded, anatomy, profile.torch, known), asks), source
    )
    return Compiled(program, source, schedule, anatomy, lowered, asks)


def _lowered(lower: Callable[[], Lowered], source: SourceFile | None) -> Lowered:
    """What lowering gives; its refusals point into the source."""
    try:
        return lower()
    except SpecError as problem:
        raise SpecError(problem.diagnostics, source) from problem


def bound(program: DiscreteProgram, known: ModelFacts, source: SourceFile | None = None) -> Schedule:
    """The schedule of a program on a model, its expectations met. Raises SpecError with every error."""
    schedule, found = bind(program, known)
    errors = [one for one in found if one.is_error]
    if schedule is None or errors:
        raise SpecError(errors, source)
    unmet = check_expectations(schedule)
    if unmet:
        raise SpecError(unmet, source)
    return schedule


def read_program(
    program: DiscreteProgram | RelaxedProgram | str | os.PathLike[str],
) -> tuple[DiscreteProgram, SourceFile | None]:
    """A program as given, from a file (a path, or a name that ends in `.eos`) or from text, with its source.

    Raises:
        SpecError: the errors of the text; E0443 where it is a space.
    """
    source = None
    if isinstance(program, str | os.PathLike):
        source = source_of(program if isinstance(program, str) else Path(program))
        program = parse_source(source)
    if isinstance(program, RelaxedProgram):
        refuse_space(program, source)
    return program, source


def refuse_space(program: RelaxedProgram, source: SourceFile | None) -> NoReturn:
    """Raise SpecError (E0443): what is not decided cannot be run."""
    message = f"{program.name} is a space: some of its values are open"
    raise SpecError([error("E0443", message, program.span, helps=("search it, or decide every `?`",))], source)
