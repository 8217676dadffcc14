"""Layers on several devices: the numbers of one device, and no operation that mixes two.

There is one device here, so others are pretended (`pretend_devices.py`): accelerate dispatches the model as ever, its
hooks move tensors between names, and arithmetic on tensors of two names raises.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from every_family import FAMILIES
from families import batch as batch_of
from pretend_devices import FIRST, SECOND, THIRD, MixedDevices, Pretending, pretending
from test_batches import MIXED, SPECS
from test_image_encoders import TOME
from test_ways_of_running import KINDS, tiny
from tiny_models import batch, program
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, CLIPVisionConfig, CLIPVisionModel

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.compile import compile
from eosdsl.lowering.relaxing.relax import relax
from eosdsl.lowering.stream import Stream
from eosdsl.parsing import parse

P = batch(MIXED)
WANTED: dict[str, Any] = {
    "max_new_tokens": 3,
    "do_sample": False,
    "output_logits": True,
    "return_dict_in_generate": True,
}
MIDDLE = (
    "at encoder layer 1 after attention: remove 4 tokens pick bipartite(on: keys) via merge(weight: size)\n"
    "at layer 2 after attention: retain 50%"
)
EVERY: dict[str, tuple[Any, dict[str, Any]]] = {
    "prune": (KINDS["prune"], {}),
    "merge with bias, static cache": (KINDS["merge with bias"], {"cache_implementation": "static"}),
    "compact, beams": (KINDS["compact"], {"num_beams": 2}),
    "tower, beams": (KINDS["tower"], {"num_beams": 2}),
    "output, no cache": (KINDS["input"], {"use_cache": False}),
    "a look ahead": (program(SPECS[3]), {"cache_implementation": "static"}),
    "keys": (program(SPECS[6]), {}),
    "between the halves": (MIDDLE, {}),
}


def spread(model: nn.Module, *stacks: str, rest: torch.device = FIRST, tower: torch.device = THIRD) -> Any:
    """The model dispatched: layers of `stacks` in turns on three devices, the vision tower and the projector on `tower`
    where they are not such, the rest on `rest`.
    """
    names = [name for name, _ in model.named_modules()]
    layers = [name for name in names if name.rpartition(".")[0] in stacks and name[-1].isdigit()]
    map_: dict[str, Any] = {}
    turns = itertools.cycle((SECOND, THIRD, FIRST))
    for name in names:
        inside = any(name == known or name.startswith(f"{known}.") for known in map_)
        holds = name == "" or any(layer.startswith(f"{name}.") for layer in layers)
        if name in layers:
            map_[name] = next(turns)
        elif not inside and not holds:
            map_[name] = tower if "vis" in name or "projector" in name else rest
    return dispatch_model(model, map_, main_device=rest)


def logits(model: Any, inputs: dict[str, Tensor], **more: Any) -> Tensor:
    out = torch.stack(model.generate(**inputs, **{**WANTED, **more}).logits, dim=1)
    return out.cpu()


@pytest.mark.parametrize("name", EVERY)
def test_the_numbers_of_one_device(name: str) -> None:
    spec, more = EVERY[name]
    with compile(spec, tiny()) as compiled:
        expected = logits(compiled, P.inputs(), **more)
    with pretending():
        model = spread(tiny(), "model.language_model.layers", "model.vision_tower.encoder.layers")
        with compile(spec, model) as compiled:
            torch.testing.assert_close(logits(compiled, P.inputs(), **more), expected, atol=1e-4, rtol=1e-4)
            cache = compiled(**P.inputs()).past_key_values if not more else None
    if cache is not None:
        assert [layer.keys.device for layer in cache.layers] == [THIRD, FIRST, SECOND, THIRD, FIRST]


@pytest.mark.parametrize("site", ["input", "encoder output", "encoder layer 1"])
@pytest.mark.parametrize("name", ["qwen2_vl", "qwen3_vl", "gemma3", "internvl"])
def test_other_families(name: str, site: str) -> None:
    """Positions of three axes, features added behind early layers, masks and rotations by kind of layer; towers whose
    patches are joined.
    """
    family = FAMILIES[name]
    spec = f"at {site}: retain 60% by norm(hidden) via merge\nat layer 2: retain 25% via mix(merge, prune)"
    prompts = batch_of([family.prompt([3, "usual", 5], 1), family.prompt([1, "usual", "usual", 2], 2)])
    with eosdsl.compile(spec, family.build("sdpa")) as compiled:
        expected = compiled(**prompts).logits
    with pretending():
        tower = {"qwen2_vl": "visual.blocks", "internvl": "vision_tower.encoder.layer"}
        stack = f"model.{tower.get(name, 'vision_tower.encoder.layers')}"
        model = spread(family.build("sdpa"), "model.language_model.layers", stack)
        with eosdsl.compile(spec, model) as compiled:
            found = compiled(**prompts).logits.cpu()
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-4)


def test_an_image_encoder() -> None:
    def built() -> Any:
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 4}
        config = CLIPVisionConfig(**sizes, num_attention_heads=2, image_size=16, patch_size=4, initializer_range=0.25)
        return CLIPVisionModel(config).eval()

    pixels = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with eosdsl.compile(TOME, built()) as compiled:
        expected = compiled(pixel_values=pixels).last_hidden_state
    with (
        pretending(),
        eosdsl.compile(TOME, spread(built(), "encoder.layers", "vision_model.encoder.layers")) as compiled,
    ):
        found = compiled(pixel_values=pixels).last_hidden_state.cpu()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_what_travels_must_be_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it tensors of two devices meet, and are told apart here."""
    with pretending():
        with pytest.raises(MixedDevices):
            torch.add(torch.ones(2).to(FIRST), torch.ones(2).to(SECOND))
        with pytest.raises(MixedDevices):
            torch.ones(2).to(FIRST)[torch.zeros(1, dtype=torch.int64).to(SECOND)]
        assert isinstance(torch.arange(3, device=SECOND), Pretending)
        model = spread(tiny(), "model.language_model.layers")
        compiled = compile(KINDS["prune"], model)
        monkeypatch.setattr(Stream, "beside", lambda stream, hidden: replace(stream, hidden=hidden))
        with pytest.raises(MixedDevices):
            compiled(**P.inputs())


def test_device_map_of_a_folder(tmp_path: Path) -> None:
    """`from_pretrained` with some layers in main memory and some on disk; features from `generate` keep what the tower
    noted of them, though hooks copy what a call is given.
    """
    tiny().save_pretrained(tmp_path / "model")
    places: dict[str, Any] = {"model.vision_tower": "cpu", "model.multi_modal_projector": "disk", "lm_head": "cpu"}
    places |= {f"model.language_model.{name}": "cpu" for name in ("embed_tokens", "norm", "rotary_emb")}
    places |= {f"model.language_model.layers.{i}": "disk" if i % 2 else "cpu" for i in range(5)}
    for kind in ("tower", "merge with bias"):
        with compile(KINDS[kind], tiny()) as compiled:
            expected = logits(compiled, P.inputs())
        model: Any = AutoModelForImageTextToText.from_pretrained(
            tmp_path / "model", device_map=places, offload_folder=tmp_path / "weights"
        )
        assert model.model.language_model.layers[1].mlp.up_proj.weight.is_meta
        model.generation_config.eos_token_id = None
        with compile(KINDS[kind], model) as compiled:
            torch.testing.assert_close(logits(compiled, P.inputs()), expected, atol=1e-4, rtol=1e-4)


def test_a_space_wants_one_device() -> None:
    space: Any = parse("space s for llava\nat layer 2: retain ? 10%..60% by attention(query: last)")
    with pretending():
        model = spread(tiny(), "model.language_model.layers")
        with pytest.raises(SpecError, match="E0457") as caught:
            relax(space, model)
    assert "maia:0, maia:1, maia:2" in caught.value.diagnostics[0].message
