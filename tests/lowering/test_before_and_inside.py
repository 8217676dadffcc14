"""Reductions in the vision tower, before the projector and between attention and MLP, against plain references."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import IMAGE, TOKENS, batch, prompt, tiny_llava
from torch import Tensor
from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, SiglipVisionConfig

import eosdsl

GRID = 4
ONE = prompt([3, 0, 5], 0)
MIXED = [prompt([3, 0, 5], 0), prompt([2, 0, 14], 1), prompt([40], 2), prompt([1, 0, 2, 0, 3], 3)]
WANTED: Any = {"max_new_tokens": 3, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
TOME = "remove 3 tokens pick bipartite(on: keys) via merge(weight: size) with proportional_attention"
SPECS = (
    "at encoder output: retain 5 tokens by attention(query: cls)",
    "at encoder output: retain 25% pick grid(2x2) via pool(within: window(2x2))",
    f"at encoder layer 0 after attention: {TOME}",
    "at encoder layer 0: retain 50% by norm(hidden) via merge\nat layer 3: retain 3 tokens",
    "at layer 2 after attention: retain 25%",
)


def eager_tower(model: Any) -> tuple[Tensor, Tensor]:
    """Features that LLaVA selects, [N, D], and the head mean of the CLS row's attention in their layer, [N]."""
    tower = model.model.vision_tower
    before = tower.config._attn_implementation
    tower.set_attn_implementation("eager")
    seen = tower(ONE.pixel_values, output_hidden_states=True, output_attentions=True)
    tower.set_attn_implementation(before)
    return seen.hidden_states[-2][0, 1:], seen.attentions[-2][0, :, 0, 1:].mean(dim=0)


def answer(model: Any, features: Tensor, kept: Tensor) -> Tensor:
    """Logits of the prompt ONE with projected `features` in the places of the tokens `kept`, positions as they were."""
    ids = ONE.input_ids[0]
    places = (ids == IMAGE).nonzero()[:, 0]
    rows = ids != IMAGE
    rows[places[kept]] = True
    embedded = model.get_input_embeddings()(ids)
    embedded[places[kept]] = model.model.multi_modal_projector(features[None])[0]
    positions = torch.arange(len(ids))[rows][None]
    return model.lm_head(
        model.model.language_model(
            inputs_embeds=embedded[rows][None],
            attention_mask=torch.ones(1, int(rows.sum())),
            position_ids=positions,
            use_cache=False,
        ).last_hidden_state
    )


@torch.no_grad()
def test_pruning_before_the_projector() -> None:
    model = tiny_llava()
    features, seen = eager_tower(model)
    kept = seen.topk(5).indices.sort().values
    wanted = answer(model, features[kept], kept)
    with eosdsl.compile(SPECS[0], model):
        torch.testing.assert_close(model(**ONE.inputs()).logits, wanted, atol=1e-4, rtol=0)


@torch.no_grad()
def test_pooling_two_by_two() -> None:
    """Every 2x2 window is its mean, at the place of its first token."""
    model = tiny_llava()
    features, _ = eager_tower(model)
    half = GRID // 2
    pooled = features.view(half, 2, half, 2, -1).mean(dim=(1, 3)).flatten(0, 1)
    corners = torch.tensor([2 * row * GRID + 2 * column for row in range(half) for column in range(half)])
    wanted = answer(model, pooled, corners)
    with eosdsl.compile(SPECS[1], model):
        torch.testing.assert_close(model(**ONE.inputs()).logits, wanted, atol=1e-4, rtol=0)


@torch.no_grad()
def test_tome_in_the_tower() -> None:
    """Loops from the paper (arXiv 2210.09461): even against odd tokens by head-mean keys, three best edges merged."""
    model = tiny_llava()
    tower = model.model.vision_tower
    layer = tower.encoder.layers[0]
    embedded = tower.pre_layrnorm(tower.embeddings(ONE.pixel_values))
    normed = layer.layer_norm1(embedded)
    heads = layer.self_attn.num_heads
    keys = layer.self_attn.k_proj(normed)[0].view(1 + TOKENS, heads, -1).mean(dim=1)[1:]
    after = embedded + layer.self_attn(normed)[0]
    rows = list(after[0, 1:])
    keys = keys / keys.norm(dim=1, keepdim=True)
    edges = sorted(
        ((float(keys[a] @ keys[b]), a, b) for a in range(0, TOKENS, 2) for b in range(1, TOKENS, 2)), reverse=True
    )
    best: dict[int, tuple[float, int]] = {}
    for likeness, a, b in edges:
        best.setdefault(a, (likeness, b))
    merged = sorted(best, key=lambda a: best[a][0], reverse=True)[:3]
    sums, sizes = [row.clone() for row in rows], [1] * TOKENS
    for a in merged:
        target = best[a][1]
        sums[target] += rows[a]
        sizes[target] += 1
    kept = [n for n in range(TOKENS) if n not in merged]
    reduced = torch.stack([sums[n] / sizes[n] for n in kept])
    whole = torch.cat([after[0, :1], reduced])
    features = (whole + layer.mlp(layer.layer_norm2(whole)))[1:]
    wanted = answer(model, features, torch.tensor(kept))
    with eosdsl.compile(SPECS[2], model):
        torch.testing.assert_close(model(**ONE.inputs()).logits, wanted, atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("spec", SPECS)
def test_batches_caches_counts_and_a_way_back(spec: str) -> None:
    model = tiny_llava()
    before = model(**ONE.inputs()).logits
    together = batch(MIXED)
    with eosdsl.compile(spec, model) as compiled:
        cached = model.generate(**together.inputs(), **WANTED)
        logits = torch.stack(cached.logits, dim=1)
        for row, alone in enumerate(MIXED):
            single = torch.stack(model.generate(**alone.inputs(), **WANTED).logits, dim=1)
            torch.testing.assert_close(logits[row], single[0], atol=1e-4, rtol=0)
        uncached = model.generate(**together.inputs(), **WANTED, use_cache=False)
        assert torch.equal(cached.sequences, uncached.sequences)
        held = model(**ONE.inputs(), use_cache=True).past_key_values.layers
        text = ONE.input_ids.shape[1] - TOKENS
        assert tuple(layer.keys.shape[-2] - text for layer in held) == compiled.plan.tokens_per_layer
    assert torch.equal(model(**ONE.inputs()).logits, before)


@torch.no_grad()
def test_pagerank_between_the_tokens_of_an_image() -> None:
    """AIM (arXiv 2412.03248): visual rows only, softmax of logits / 0.1, passed on five times from a uniform start."""
    model = tiny_llava("eager")
    language = model.model.language_model
    places = (ONE.input_ids[0] == IMAGE).nonzero()[:, 0]
    attention = model(**ONE.inputs(), output_attentions=True).attentions[1][0]
    passed = (attention[:, places][:, :, places].log() / 0.1).softmax(dim=-1)
    mass = torch.full((passed.shape[0], TOKENS), 1 / TOKENS)
    for _ in range(5):
        mass = torch.einsum("hn,hnm->hm", mass, passed)
    kept = mass.square().mean(dim=0).sqrt().topk(5).indices
    rows = ONE.input_ids[0] != IMAGE
    rows[places[kept]] = True
    hidden = model.get_input_embeddings()(ONE.input_ids)
    features, _ = eager_tower(model)
    hidden[0, places] = model.model.multi_modal_projector(features[None])[0]
    positions = torch.arange(hidden.shape[1])[None]
    for number, layer in enumerate(language.layers):
        if number == 2:
            hidden, positions = hidden[:, rows], positions[:, rows]
        length = hidden.shape[1]
        mask = torch.full((length, length), torch.finfo(hidden.dtype).min).triu(1)[None, None]
        hidden = layer(hidden, attention_mask=mask, position_embeddings=language.rotary_emb(hidden, positions))
    wanted = model.lm_head(language.norm(hidden))
    with eosdsl.compile("at layer 2: retain 5 tokens by pagerank", model):
        torch.testing.assert_close(model(**ONE.inputs()).logits, wanted, atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_siglip_tower_has_no_cls_row() -> None:
    model = siglip_llava()
    features = model.model.vision_tower(ONE.pixel_values, output_hidden_states=True).hidden_states[-1][0]
    kept = features.norm(dim=1).topk(6).indices.sort().values
    wanted = answer(model, features[kept], kept)
    with eosdsl.compile("at encoder output: retain 6 tokens by norm(hidden)", model):
        torch.testing.assert_close(model(**ONE.inputs()).logits, wanted, atol=1e-4, rtol=0)
    with pytest.raises(eosdsl.SpecError, match="CLS"):
        eosdsl.compile("at encoder output: retain 6 tokens by attention(query: cls)", model)


def siglip_llava() -> Any:
    torch.manual_seed(0)
    text = LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, vocab_size=100,
        initializer_range=0.25, pad_token_id=0, eos_token_id=None,
    )  # fmt: skip
    vision = SiglipVisionConfig(
        hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=4
    )
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE, image_seq_length=TOKENS,
        vision_feature_layer=-1, vision_feature_select_strategy="full",
    )  # fmt: skip
    model: Any = LlavaForConditionalGeneration(config)
    return model.eval()
