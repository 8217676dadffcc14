"""Measuring a latency profile: how long a decoder layer takes over so many rows here, and what a prefill takes besides.

The model is run whole under specs that cut the rows of all its layers to a few counts: the median times of a layer's
forward, taken by hooks, make the table. What a prefill takes besides its layers is measured with it, and whole prefills
under other specs, which the curve has not seen, say how well it predicts.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from statistics import median
from typing import Any

import torch

from eosdsl.cost.expect import predicted
from eosdsl.cost.flops import Rows, decoder_macs
from eosdsl.cost.latency import LatencyProfile, Point, Trial, fit_curve
from eosdsl.lowering.anatomy import dissect, whole_model
from eosdsl.lowering.compile import Compiled, compile_program
from eosdsl.models.profiles import profiles
from eosdsl.models.registry import facts
from eosdsl.parsing import parse
from eosdsl.run.clock import seconds

SHARES = (100, 75, 50, 33, 20, 10, 5)
"""Percent of the visual tokens that the table is measured with."""
TRIALS = (
    "at layer {middle}: retain 50% by norm(hidden)",
    "at layers {first}, {middle}: retain 60%, 15% by norm(hidden)",
    "at layer {middle}: retain 25% by attention(query: last) via merge",
    "at layers {first}, {middle}: retain 50%, 20% pick diverse via mix(merge, prune)",
    "at input: retain 1/9 by norm(hidden)",
)
"""What the table was not made of, and what searches find: pruning, merging, other picks, at one site and several."""

Say = Callable[[str], None]


@dataclass
class _Watch:
    """Milliseconds of every layer call, with its rows, while hooks are on."""

    layers: Sequence[Any]
    calls: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    _started: float = 0.0
    _handles: list[Any] = field(default_factory=list[Any])

    def __enter__(self) -> _Watch:
        for layer in self.layers:
            self._handles.append(layer.register_forward_pre_hook(self._before))
            self._handles.append(layer.register_forward_hook(self._after))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _before(self, layer: Any, args: tuple[Any, ...]) -> None:
        self._started = seconds(args[0].device)

    def _after(self, layer: Any, args: tuple[Any, ...], output: Any) -> None:
        self.calls.append((args[0].shape[1], 1000 * (seconds(args[0].device) - self._started)))


@torch.no_grad()
def measure(model: Any, inputs: dict[str, Any], *, rounds: int = 5, say: Say = lambda line: None) -> LatencyProfile:
    """The profile of a model on this machine; `inputs` are of one prompt with one image.

    Raises:
        SpecError: where the model cannot be compiled for.
    """
    whole = whole_model(model)
    known = facts(whole)
    anatomy = dissect(whole, profiles()[known.family], known)
    layers = anatomy.layers
    towers: list[float] = []
    times: dict[int, list[float]] = {}
    rest: list[float] = []
    for percent in SHARES:
        say(f"layers with {percent}% of the visual tokens")
        reduced = _Reduced(whole, f"at layer 0: retain {percent}% by norm(hidden)")
        with reduced, _Watch(layers) as watch, _encoding(anatomy.vlm) as encoding:
            for number in range(rounds + 1):
                watch.calls.clear()
                encoding.clear()
                taken = _milliseconds(whole, inputs)
                if number == 0:
                    continue  # the first is for caches to fill
                for rows, one in watch.calls:
                    times.setdefault(rows, []).append(one)
                if percent == 100:
                    rest.append(taken - sum(one for _, one in watch.calls))
                    towers.append(sum(encoding))
    table = tuple(Point(rows=rows, milliseconds=median(each)) for rows, each in sorted(times.items()))
    bare = LatencyProfile(
        model=known.name or type(whole).__name__,
        layers=known.decoder.layers,
        width=known.decoder.width,
        dtype=str(whole.dtype).removeprefix("torch."),
        device=_device(whole),
        threads=torch.get_num_threads(),
        machine={"processor": platform.processor() or platform.machine(), "system": platform.platform()},
        versions={"torch": torch.__version__, "python": platform.python_version()},
        table=table,
        curve=fit_curve(table),
        rest=max(median(rest), 0.0),
        attached=0.0,
        site=0.0,
        macs_per_millisecond=_rate(table, known),
        in_mlp=_share_of_mlp(known),
        tower=median(towers),
    )
    say("what a reduction takes")
    attached, site = _operator(bare, whole, known, inputs, rounds)
    made = bare.model_copy(
        update={"attached": attached, "site": site, "machine": {**bare.machine, "cores": str(os.cpu_count())}}
    )
    say("predictions of what was not measured")
    return made.model_copy(update={"trials": _trials(made, whole, known, inputs, rounds)})


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


class _Reduced:
    """A model under a spec, or as it is where the spec keeps everything."""

    def __init__(self, model: Any, spec: str) -> None:
        program: Any = parse(spec)
        self.compiled: Compiled = compile_program(program, model)

    def __enter__(self) -> Compiled:
        return self.compiled

    def __exit__(self, *_: object) -> None:
        self.compiled.detach()

    def detached(self) -> Compiled:
        """To be attached when it is its turn."""
        self.compiled.detach()
        return self.compiled


def _operator(
    profile: LatencyProfile, model: Any, known: Any, inputs: dict[str, Any], rounds: int
) -> tuple[float, float]:
    """What any operator takes beyond the layers that the curve predicts, and what each of its reductions does: by specs
    with one reduction, and with one at every other layer."""
    layers = list(range(1, known.decoder.layers, 2))
    shares = [f"{95 - 60 * number // max(len(layers), 1)}%" for number, _ in enumerate(layers)]
    many = f"at layers {', '.join(map(str, layers))}: retain {', '.join(shares)} by norm(hidden)"
    beyond: list[float] = []
    for spec in ("at layer 1: retain 95% by norm(hidden)", many if len(layers) > 1 else ""):
        if spec:
            predicted, measured = _compared(profile, model, spec, inputs, rounds)
            beyond.append(measured - predicted)
    each = max((beyond[-1] - beyond[0]) / max(len(layers) - 1, 1), 0.0)
    return max(beyond[0] - each, 0.0), each


def _trials(profile: LatencyProfile, model: Any, known: Any, inputs: dict[str, Any], rounds: int) -> tuple[Trial, ...]:
    """Whole prefills, predicted and measured, in turns with the full model's."""
    middle = max(known.decoder.layers // 2, 1)
    places = {"first": max(middle // 2, 1) if middle > 1 else 0, "middle": middle}
    specs = [pattern.format(**places) for pattern in TRIALS]
    operators = [_Reduced(model, spec).detached() for spec in specs]
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
    schedule = compiled.schedule
    text = int(inputs["input_ids"].shape[1]) - schedule.model.visual_tokens
    reduced, full = predicted(schedule, text, 1, profile)
    assert reduced is not None and full is not None
    return reduced, full


def _compared(
    profile: LatencyProfile, model: Any, spec: str, inputs: dict[str, Any], rounds: int
) -> tuple[float, float]:
    """Milliseconds of a prefill under a spec, as the profile predicts them and as they are."""
    with _Reduced(model, spec) as compiled:
        taken = [_milliseconds(model, inputs) for _ in range(rounds + 1)]
    return _expected(profile, compiled, inputs)[0], median(taken[1:])


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
