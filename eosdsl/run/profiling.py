"""Measuring a latency profile: how long a decoder layer takes over so many rows here, and what a prefill takes besides.

The model is run whole, as it is and under specs that cut the rows of all its layers to a few counts, all in turns, so
that a machine that grows slower or faster does so for every count alike. The median times of a layer's forward, taken
by hooks, make the table. What reducers take, and what a prefill takes besides, is taken by the same hooks: as the
difference of two prefills it would drown in the noise of both. Whole prefills under other specs, which the curve has
not seen, say how well it predicts.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import wraps
from statistics import median
from typing import Any

import torch

from eosdsl.cost.account import schedule_cost
from eosdsl.cost.expect import predicted
from eosdsl.cost.flops import Rows, decoder_macs
from eosdsl.cost.latency import LatencyProfile, Point, Trial, fit_curve
from eosdsl.lowering.anatomy import Anatomy, dissect, whole_model
from eosdsl.lowering.compile import Compiled, compile_program
from eosdsl.lowering.discrete import Reducer
from eosdsl.models.profiles import profiles
from eosdsl.models.registry import facts
from eosdsl.parsing import parse
from eosdsl.run.clock import seconds

SHARES = (100, 75, 50, 33, 20, 10, 5)
"""Percent of the visual tokens that the table is measured with; all: the model as it is."""
TRIALS = (
    "at layer {middle}: retain 50% by norm(hidden)",
    "at layers {first}, {middle}: retain 60%, 15% by norm(hidden)",
    "at layer {middle}: retain 25% by attention(query: last) via merge",
    "at layers {first}, {middle}: retain 50%, 20% pick diverse via mix(merge, prune)",
    "at input: retain 1/9 by norm(hidden)",
)
"""What the table was not made of, and what searches find: pruning, merging, other picks, at one site and several."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Taken:
    """Milliseconds of a prefill: of every layer with its rows, of all reducers, of the image's encoding, of all."""

    layers: tuple[tuple[int, float], ...]
    reducers: float
    tower: float
    whole: float

    @property
    def rest(self) -> float:
        """What neither layers nor reducers take."""
        return self.whole - self.reducers - sum(one for _, one in self.layers)


@dataclass
class _Watch:
    """Milliseconds of every call of some modules, with the rows that entered, while hooks are on; `place`: of hidden
    states [B, L, D] among the arguments.
    """

    modules: Sequence[Any]
    place: int = 0
    calls: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    _started: float = 0.0
    _handles: list[Any] = field(default_factory=list[Any])

    def __enter__(self) -> _Watch:
        for module in self.modules:
            self._handles.append(module.register_forward_pre_hook(self._before, with_kwargs=True))
            self._handles.append(module.register_forward_hook(self._after, with_kwargs=True))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _before(self, module: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._started = seconds(self._hidden(args, named).device)

    def _after(self, module: Any, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        hidden = self._hidden(args, named)
        self.calls.append((hidden.shape[1], 1000 * (seconds(hidden.device) - self._started)))

    def _hidden(self, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return args[self.place] if args else named["hidden_states"]


@torch.no_grad()
def measure(model: Any, inputs: dict[str, Any], *, rounds: int = 5, say: Say = lambda line: None) -> LatencyProfile:
    """The profile of a model on this machine; `inputs` are of one prompt with one image.

    Raises:
        SpecError: where the model cannot be compiled for.
    """
    whole = whole_model(model)
    known = facts(whole)
    anatomy = dissect(whole, profiles()[known.family], known)
    say(f"layers with {', '.join(map(str, SHARES))}% of the visual tokens, and reductions")
    cutting = [_detached(whole, f"at layer 0: retain {percent}% by norm(hidden)") for percent in SHARES[1:]]
    several = [_detached(whole, _at_every_other(known.decoder.layers))]
    turns: list[list[_Taken]] = []
    for number in range(rounds + 1):  # the first is for caches to fill
        order = [None, *cutting, *several]
        made = [_taken(one, whole, anatomy, inputs) for one in (order if number % 2 == 0 else order[::-1])]
        turns.append(made if number % 2 == 0 else made[::-1])
    by_operator = list(zip(*turns[1:], strict=True))
    full, reduced = by_operator[0], by_operator[1:]
    times: dict[int, list[float]] = {}
    for one in (*full, *(one for own in reduced[: len(cutting)] for one in own)):
        for rows, milliseconds in one.layers:
            times.setdefault(rows, []).append(milliseconds)
    table = tuple(Point(rows=rows, milliseconds=median(each)) for rows, each in sorted(times.items()))
    rate = _rate(table, known)
    frame = median(one.rest - one.tower for one in full)
    made = LatencyProfile(
        model=known.name or type(whole).__name__,
        layers=known.decoder.layers,
        width=known.decoder.width,
        dtype=str(whole.dtype).removeprefix("torch."),
        device=_device(whole),
        threads=torch.get_num_threads(),
        machine={
            "processor": platform.processor() or platform.machine(),
            "system": platform.platform(),
            "cores": str(os.cpu_count()),
        },
        versions={"torch": torch.__version__, "python": platform.python_version()},
        table=table,
        curve=fit_curve(table),
        rest=max(median(one.rest for one in full), 0.0),
        attached=max(median(one.rest - one.tower for own in reduced for one in own) - frame, 0.0),
        site=_site([*zip((*cutting, *several), reduced, strict=True)], inputs, rate),
        macs_per_millisecond=rate,
        in_mlp=_share_of_mlp(known),
        tower=median(one.tower for one in full),
    )
    say("predictions of what was not measured")
    return made.model_copy(update={"trials": _trials(made, whole, known, inputs, rounds)})


def _taken(compiled: Compiled | None, model: Any, anatomy: Anatomy, inputs: dict[str, Any]) -> _Taken:
    """What a prefill under an operator takes, attached for its time; None: of the model as it is."""
    reducers = () if compiled is None else _reducers(compiled)
    with (
        nullcontext() if compiled is None else compiled.attach(),
        _Watch(anatomy.layers) as layers,
        _Watch(reducers, place=1) as own,
        _encoding(anatomy.vlm) as encoding,
    ):
        whole = _milliseconds(model, inputs)
    return _Taken(tuple(layers.calls), sum(one for _, one in own.calls), sum(encoding), whole)


def _reducers(compiled: Compiled) -> tuple[Any, ...]:
    """The modules between the decoder's layers that reduce."""
    return tuple(module for module in compiled.graph.children() if isinstance(module, Reducer))


def _at_every_other(layers: int) -> str:
    """A spec that reduces at every other layer, by what most methods score with."""
    places = list(range(1, layers, 2)) or [0]
    shares = [f"{95 - 60 * number // len(places)}%" for number, _ in enumerate(places)]
    return f"at layers {', '.join(map(str, places))}: retain {', '.join(shares)} by attention(query: last)"


def _site(found: Sequence[tuple[Compiled, Sequence[_Taken]]], inputs: dict[str, Any], rate: float) -> float:
    """What a reduction takes besides its multiply-accumulates, the median of all operators and rounds."""
    each: list[float] = []
    for compiled, turns in found:
        counted = schedule_cost(compiled.schedule, _text(compiled, inputs), 1).macs.reducers / rate
        each += [(one.reducers - counted) / len(compiled.schedule.reductions) for one in turns]
    return max(median(each), 0.0)


def one_prompt(name: str, prompt: str, dtype: str | None, device: str | None) -> tuple[Any, dict[str, Any]]:
    """A model, and the inputs of a prompt with one grey image that it takes as it is.

    Raises:
        SpecError: E0435 for a model without weights, E0625 for one without a processor, E0623 for an empty prompt.
    """
    from PIL import Image

    from eosdsl.lowering.loading import load_model
    from eosdsl.models.find import find_model
    from eosdsl.run.processor import load_processor
    from eosdsl.run.prompt import prepare

    place = find_model(name).weights()
    processor = load_processor(place)
    model = load_model(place, dtype=dtype, device=device)
    inputs = prepare(processor, prompt, [Image.new("RGB", (336, 336), "grey")])
    kept = {key: value.to(model.device) for key, value in inputs.items() if key != "token_type_ids"}
    return model, kept


def _detached(model: Any, spec: str) -> Compiled:
    """A spec compiled for the model, to be attached when it is its turn."""
    program: Any = parse(spec)
    compiled = compile_program(program, model)
    compiled.detach()
    return compiled


def _trials(profile: LatencyProfile, model: Any, known: Any, inputs: dict[str, Any], rounds: int) -> tuple[Trial, ...]:
    """Whole prefills, predicted and measured, in turns with the full model's."""
    middle = max(known.decoder.layers // 2, 1)
    places = {"first": max(middle // 2, 1) if middle > 1 else 0, "middle": middle}
    specs = [pattern.format(**places) for pattern in TRIALS]
    operators = [_detached(model, spec) for spec in specs]
    turns: list[list[float]] = []
    for _ in range(rounds + 1):  # the first is for caches to fill
        turns.append([_milliseconds(model, inputs), *(_attached_for(one, model, inputs) for one in operators)])
    found: list[Trial] = []
    for place, (spec, compiled) in enumerate(zip(specs, operators, strict=True), 1):
        reduced, full = _expected(profile, compiled, inputs)
        found.append(
            Trial(
                spec=spec,
                predicted=reduced,
                measured=median(turn[place] for turn in turns[1:]),
                predicted_share=reduced / full,
                measured_share=median(turn[place] / turn[0] for turn in turns[1:]),
            )
        )
    return tuple(found)


def _attached_for(compiled: Compiled, model: Any, inputs: dict[str, Any]) -> float:
    """Milliseconds of a prefill with an operator attached for its time."""
    with compiled.attach():
        return _milliseconds(model, inputs)


def _expected(profile: LatencyProfile, compiled: Compiled, inputs: dict[str, Any]) -> tuple[float, float]:
    """Milliseconds of a prefill as the profile predicts them: under a spec, and without it."""
    reduced, full = predicted(compiled.schedule, _text(compiled, inputs), 1, profile)
    assert reduced is not None and full is not None
    return reduced, full


def _text(compiled: Compiled, inputs: dict[str, Any]) -> int:
    """Rows of a prompt that are no visual tokens."""
    return int(inputs["input_ids"].shape[1]) - compiled.schedule.model.visual_tokens


@contextmanager
def _encoding(vlm: Any) -> Generator[list[float]]:
    """Milliseconds of every call of `get_image_features` within."""
    taken: list[float] = []
    features, own = vlm.get_image_features, "get_image_features" in vars(vlm)

    @wraps(features)
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = seconds(vlm.device)
        made = features(*args, **kwargs)
        taken.append(1000 * (seconds(vlm.device) - started))
        return made

    vlm.get_image_features = timed
    try:
        yield taken
    finally:
        if own:
            vlm.get_image_features = features
        else:
            del vlm.get_image_features


def _rate(table: Sequence[Point], known: Any) -> float:
    """Multiply-accumulates a millisecond, as the longest layer of the table did them."""
    longest = table[-1]
    return decoder_macs(known.decoder, [Rows(longest.rows, longest.rows)]) / longest.milliseconds


def _share_of_mlp(known: Any) -> float:
    """The MLP's share of what a layer does for every row by itself."""
    decoder = known.decoder
    every, mlp = (decoder_macs(decoder, [rows] * decoder.layers) for rows in (Rows(1, 1), Rows(0, 1)))
    return mlp / every


def _milliseconds(model: Any, inputs: dict[str, Any]) -> float:
    device = inputs["input_ids"].device
    started = seconds(device)
    model(**inputs, use_cache=True, logits_to_keep=1)
    return 1000 * (seconds(device) - started)


def _device(model: Any) -> str:
    device = next(model.parameters()).device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
