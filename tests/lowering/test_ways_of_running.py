"""Every way of running that transformers has, with every kind of reduction: the same numbers, or a refusal by name.

`docs/running.md` lists what is tried here; a test holds the two together.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload, disk_offload, dispatch_model
from peft import LoraConfig, get_peft_model
from PIL import Image
from test_batches import MIXED, SPECS, logits
from tiny_models import batch, program, tiny_llava
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, AutoProcessor, pipeline

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.compile import compile
from eosdsl.lowering.generating import REFUSED, REFUSED_CACHES
from eosdsl.zoo import small_llava

KINDS: dict[str, Any] = {
    "prune": program(SPECS[0]),
    "merge with bias": program(SPECS[2]),
    "compact": program(SPECS[4]),
    "tower": "at encoder layer 1: retain 50% by norm\nat layer 2: retain 50% by attention(query: last)",
    "input": "at encoder output: retain 25% by norm via merge",
}
BIASED = {"merge with bias"}
P = batch(MIXED)
PAGE = Path(__file__).parents[2] / "docs" / "running.md"


def tiny(attention: str = "sdpa") -> Any:
    return tiny_llava(attention, kv_heads=2, tower_layers=4)


def flex() -> Any:
    model = tiny()
    model.set_attn_implementation({"text_config": "flex_attention"})
    return model


def dispatched(model: Any) -> Any:
    """Three decoder layers on disk, the rest in place: what `device_map="auto"` makes of a model that does not fit."""
    top = ["model.vision_tower", "model.multi_modal_projector", "lm_head"]
    text = [f"model.language_model.{name}" for name in ("embed_tokens", "norm", "rotary_emb")]
    places: dict[str, Any] = dict.fromkeys((*top, *text), "cpu")
    places |= {f"model.language_model.layers.{i}": "disk" if 1 <= i <= 3 else "cpu" for i in range(5)}
    return dispatch_model(
        model, places, main_device=torch.device("cpu"), offload_dir=tempfile.mkdtemp(), force_hooks=True
    )


def offloaded(how: Callable[..., Any]) -> Callable[[], Any]:
    return lambda: how(tiny())


def on_disk(model: Any) -> Any:
    return disk_offload(model, tempfile.mkdtemp(), execution_device=torch.device("cpu"))


def in_memory(model: Any) -> Any:
    return cpu_offload(model, execution_device=torch.device("cpu"))


WAYS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "eager attention": (lambda: tiny("eager"), {}),
    "flex attention": (flex, {}),
    "no cache": (tiny, {"use_cache": False}),
    "dynamic cache": (tiny, {"cache_implementation": "dynamic"}),
    "static cache": (tiny, {"cache_implementation": "static"}),
    "offloaded to main memory": (offloaded(in_memory), {}),
    "offloaded to disk": (offloaded(on_disk), {}),
    "device_map with disk": (offloaded(dispatched), {}),
    "device_map with disk, static cache": (offloaded(dispatched), {"cache_implementation": "static"}),
}
QUICK = {("static cache", kind) for kind in KINDS} | {("flex attention", "prune"), ("offloaded to disk", "tower")}


def matrix() -> Iterator[Any]:
    for way in WAYS:
        for kind in KINDS:
            yield pytest.param(way, kind, marks=() if (way, kind) in QUICK else pytest.mark.slow)


@pytest.mark.parametrize(("way", "kind"), matrix())
def test_the_same_numbers(way: str, kind: str) -> None:
    make, more = WAYS[way]
    with compile(KINDS[kind], tiny()) as compiled:
        expected = logits(compiled, P)
    if way == "flex attention" and kind in BIASED:
        with pytest.raises(SpecError, match="E0439"):
            compile(KINDS[kind], make())
        return
    # flex attention is a compiled kernel; run eagerly it is the same arithmetic
    with torch.compiler.set_stance("force_eager"), compile(KINDS[kind], make()) as compiled:
        torch.testing.assert_close(logits(compiled, P, **more), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["prune", "compact"])
def test_flex_attention_as_inductor_compiles_it(kind: str) -> None:
    """Prefill through the kernel that is generated for it; decoding does not compile on a CPU, plain or reduced."""
    torch.compiler.reset()
    with compile(KINDS[kind], tiny()) as compiled:
        expected = compiled(**P.inputs()).logits
    with compile(KINDS[kind], flex()) as compiled:
        torch.testing.assert_close(compiled(**P.inputs()).logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_a_compiled_tower() -> None:
    """The hooks by which transformers collects hidden states break the tower's graph between layers, ours nowhere;
    the decoder's stays whole (`test_one_graph`).
    """
    torch.compiler.reset()
    with compile(KINDS["tower"], tiny()) as compiled:
        expected = compiled(**P.inputs()).logits
        assert compiled.tower_graph is not None
        compiled.tower_graph.compile(backend="eager")
        for _ in range(2):
            torch.testing.assert_close(compiled(**P.inputs()).logits, expected, atol=1e-5, rtol=1e-5)


def adapted(model: Any) -> Any:
    torch.manual_seed(3)
    return get_peft_model(
        model, LoraConfig(r=4, target_modules=["q_proj", "k_proj", "v_proj"], init_lora_weights=False)
    ).eval()


@pytest.mark.parametrize("kind", ["tower", *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k != "tower")])
def test_lora_underneath(kind: str) -> None:
    """Scores and keys go through the adapters: as with their weights merged in; without them, the base model's."""
    with compile(KINDS[kind], tiny()) as compiled:
        base = logits(compiled, P)
    with compile(KINDS[kind], adapted(tiny()).merge_and_unload()) as compiled:
        expected = logits(compiled, P)
    model = adapted(tiny())
    with compile(KINDS[kind], model) as compiled:
        found = [logits(compiled, P), logits(model, P)]
        with model.disable_adapter():
            without = logits(compiled, P)
        model.merge_adapter()
        found.append(logits(compiled, P))
        model.unmerge_adapter()
        found.append(logits(compiled, P))
    for one in found:
        torch.testing.assert_close(one, expected, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(without, base, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(base, expected, atol=1e-1)


@pytest.mark.parametrize("kind", ["tower", pytest.param("merge with bias", marks=pytest.mark.slow)])
def test_lora_on_top(kind: str) -> None:
    """Adapters put on a model that carries an operator already; detaching leaves them."""
    merged = adapted(tiny()).merge_and_unload()
    full = logits(merged, P)
    with compile(KINDS[kind], merged) as compiled:
        expected = logits(compiled, P)
    model = tiny()
    compiled = compile(KINDS[kind], model)
    on_top = adapted(model)
    torch.testing.assert_close(logits(on_top, P), expected, atol=2e-4, rtol=1e-4)
    compiled.detach()
    torch.testing.assert_close(logits(on_top, P), full, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_adapters_are_trained_under_an_operator(checkpointing: bool) -> None:
    """Every adapter that the answer depends on gets a gradient; with checkpointing the same one, and it recomputes."""
    with torch.enable_grad():
        gradients: list[dict[str, Tensor]] = []
        for checkpoint in (False, checkpointing):
            model = adapted(tiny()).train()
            if checkpoint:
                model.base_model.model.gradient_checkpointing_enable({"use_reentrant": False})
            layer = model.base_model.model.model.language_model.layers[3]
            runs: list[int] = []
            layer.mlp.register_forward_pre_hook(lambda *_, runs=runs: runs.append(1))
            with compile(KINDS["tower"], model) as compiled:
                compiled(**MIXED[0].inputs()).logits[0, -1].logsumexp(-1).backward()
            assert len(runs) == 1 + checkpoint
            gradients.append({k: p.grad for k, p in model.named_parameters() if p.grad is not None})
    plain, other = gradients
    assert plain.keys() == other.keys()
    for key in plain:
        torch.testing.assert_close(plain[key], other[key])
        if "language_model" in key or ("layers.0" in key or "layers.1" in key):
            assert plain[key].abs().sum() > 0, key


class Int8(nn.Module):
    """A linear layer that holds 8-bit weights and no `weight` of floats, as quantising libraries make them."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        scale = linear.weight.detach().abs().amax(dim=1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("packed", (linear.weight.detach() / scale).round().to(torch.int8))
        self.bias = linear.bias

    def whole(self) -> Tensor:
        return self.get_buffer("packed") * self.get_buffer("scale")

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.whole(), self.bias)


def quantised(model: Any) -> Any:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, Int8(child))
    return model


@pytest.mark.parametrize("kind", ["prune", "tower"])
def test_quantised_linears(kind: str) -> None:
    """Projections are called, never read: any module in their place does."""
    reference = tiny()
    for linear in [module for module in reference.modules() if isinstance(module, nn.Linear)]:
        linear.weight.data = Int8(linear).whole()
    with compile(KINDS[kind], reference) as compiled:
        expected = logits(compiled, P)
    with compile(KINDS[kind], quantised(tiny())) as compiled:
        torch.testing.assert_close(logits(compiled, P), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["prune", "tower"])
def test_torchao_int8_weights(kind: str) -> None:
    """As with the floats that the quantised weights stand for."""
    quantisation = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    model, reference = tiny(), tiny()
    quantisation.quantize_(model, quantisation.Int8WeightOnlyConfig())
    for packed, plain in zip(model.modules(), reference.modules(), strict=True):
        if isinstance(plain, nn.Linear):
            plain.weight.data = packed.weight.dequantize().float()
    with compile(KINDS[kind], reference) as compiled:
        expected = logits(compiled, P)
    with compile(KINDS[kind], model) as compiled:
        torch.testing.assert_close(logits(compiled, P), expected, atol=1e-4, rtol=1e-4)


def test_pytorchs_own_int8_modules_run() -> None:
    """Dynamic quantisation rounds by the rows at hand, so only what does not depend on them is compared."""
    model = tiny()
    torch.ao.quantization.quantize_dynamic(model.model.language_model, {nn.Linear}, torch.qint8, inplace=True)  # pyright: ignore[reportDeprecated]
    with compile("at layer 2: retain 100%", model) as compiled:
        found = logits(compiled, P)
    assert torch.equal(found, logits(model, P))
    with compile(KINDS["prune"], model) as compiled:
        assert logits(compiled, P).isfinite().all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_llava.build(tmp_path_factory.mktemp("zoo") / "tiny", seed=3, size="tiny")


def test_pipeline_and_chat_template(folder: Path) -> None:
    """`pipeline("image-text-to-text")` on a chat, made before the operator was attached; and a second question on the
    cache of the first.
    """
    processor = AutoProcessor.from_pretrained(folder)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder).eval()
    picture = Image.new("RGB", (64, 64), (200, 10, 10))
    asked: list[Any] = [
        {"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": "What is shown?"}]}
    ]
    run: Any = pipeline("image-text-to-text", model=model, processor=processor)
    wanted: Any = {"max_new_tokens": 5, "do_sample": False}
    with eosdsl.compile("at layer 2: retain 25%", model) as compiled:
        piped = run(text=asked, generate_kwargs=wanted)[0]["generated_text"][-1]["content"]
        first = _tokens(processor, asked)
        out = compiled.generate(**first, **wanted, return_dict_in_generate=True)
        start = first["input_ids"].shape[1]
        assert processor.decode(out.sequences[0, start:], skip_special_tokens=True) == piped
        entering = [layer.keys.shape[2] for layer in out.past_key_values.layers]
        assert entering[2] == entering[0] - model.config.image_seq_length * 3 // 4
        more = [{"role": "user", "content": [{"type": "text", "text": "And what colour?"}]}]
        turn = _tokens(processor, [*asked, {"role": "assistant", "content": [{"type": "text", "text": "x"}]}, *more])
        tail = turn["input_ids"][:, start + 1 :]
        ids = torch.cat([out.sequences, tail], dim=1)
        pixels = {"pixel_values": first["pixel_values"]}
        kept = compiled.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), past_key_values=out.past_key_values, **wanted
        )
        anew = compiled.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **pixels, **wanted)
    assert kept.shape == anew.shape == (1, ids.shape[1] + 5)


def _tokens(processor: Any, messages: list[Any]) -> Any:
    return processor.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )


def test_flex_attention_has_no_static_cache() -> None:
    compiled = compile(KINDS["prune"], flex())
    with pytest.raises(SpecError, match="E0433"):
        compiled.generate(**P.inputs(), max_new_tokens=2, cache_implementation="static")


def test_flash_attention_without_its_package_is_transformers_own_error() -> None:
    """Nothing of ours stands in the way of it: the model refuses before an operator is in question."""
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises((ImportError, ValueError)):
        tiny().set_attn_implementation("flash_attention_2")


def test_a_bias_is_refused_under_flash_attention_when_compiling() -> None:
    model = tiny()
    model.config.text_config._attn_implementation_internal = "flash_attention_2"
    assert model.config.text_config._attn_implementation == "flash_attention_2"
    with pytest.raises(SpecError, match="E0439"):
        compile(KINDS["merge with bias"], model)
    compile(KINDS["prune"], model).detach()


def test_the_page_lists_what_is_tried_here() -> None:
    listed = set(re.findall(r"^\| ([^|]+?) +\|", PAGE.read_text("utf-8"), re.MULTILINE))
    assert WAYS.keys() <= listed
    assert {*REFUSED.values(), *REFUSED_CACHES.values()} <= listed
