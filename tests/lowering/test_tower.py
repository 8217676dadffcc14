"""Reductions in the vision tower and at its output, inside a real LLaVA, against references written from the papers."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
import torch
from eager_reference import Reference, pick
from test_batches import MIXED, UNIFORM, logits
from test_fastv_reference import FORCED, fastv, steps
from test_identity_and_detach import state_of
from tiny_models import IMAGE, TOKENS, Prompt, batch, prompt, tiny_llava
from torch.utils.flop_counter import FlopCounterMode
from tower_reference import Patches, attend, keep, merged, tower_features

import eosdsl
from eosdsl.diagnostics import SpecError

cosine = torch.nn.functional.cosine_similarity
P = prompt([4, 0, 6], 2)


def towered(attention: str = "sdpa", tower: str = "clip", **more: Any) -> Any:
    select = "default" if tower == "clip" else "full"
    return tiny_llava(attention, tower=tower, tower_layers=4, select=select, **more)


def agree(model: Any, spec: str, reference: Reference, p: Prompt = P) -> None:
    with eosdsl.compile(spec, model) as compiled:
        found = steps(compiled, p.inputs(), FORCED)
    torch.testing.assert_close(found, reference.logits(p, FORCED), atol=2e-4, rtol=2e-4)


def pixels(p: Prompt = P) -> torch.Tensor:
    assert p.pixel_values is not None
    return p.pixel_values[0]


@pytest.mark.parametrize("tower", ["clip", "siglip"])
def test_the_reference_is_the_tower(tower: str) -> None:
    model = towered(tower=tower)
    features, places = tower_features(model, pixels())
    own = model.get_image_features(pixel_values=pixels()[None], return_dict=True).pooler_output[0]
    torch.testing.assert_close(features, own, atol=1e-5, rtol=1e-5)
    assert places == list(range(TOKENS))


def visionzip(rows: Patches) -> Patches:
    """arXiv 2412.04467: dominant patches by the class token's attention summed over heads; of the rest every n-th is a
    contextual one, which takes in the mean of those most like it by the mean of keys over heads."""
    assert rows.attention is not None and rows.keys is not None
    patches = rows.free
    score = rows.attention[:, 0, patches].sum(dim=0)
    dominant = sorted(patches[i] for i in score.topk(5).indices.tolist())
    rest = [row for row in patches if row not in dominant]
    targets = rest[:: len(rest) // 3][:3]
    keys = rows.keys.mean(dim=1)
    members: dict[int, list[int]] = {row: [] for row in targets}
    for row in rest:
        if row not in targets:
            members[targets[int(cosine(keys[targets], keys[row][None]).argmax())]].append(row)
    hidden = rows.hidden.clone()
    for row, own in members.items():
        if own:
            hidden[row] = hidden[row] + hidden[own].mean(dim=0)
    return keep(Patches(hidden, rows.sizes, rows.places), [0, *sorted([*dominant, *targets])])


VISIONZIP = """at encoder output:
  retain 5 tokens by attention(query: cls, heads: sum) via prune
  and retain 3 tokens pick uniform via merge(similarity: cosine(keys), combine: add_mean)"""


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("compact", [True, False])
def test_visionzip(attention: str, compact: bool) -> None:
    model = towered(attention)
    features = tower_features(model, pixels(), output=visionzip)
    spec = VISIONZIP + (" with positions: compact" if compact else "")
    agree(model, spec, Reference(model, {}, features=features, compact=0 if compact else 99))


def tome(rows: Patches) -> Patches:
    """arXiv 2210.09461: every other patch is a source; the three with the closest destination by keys go into it."""
    assert rows.keys is not None
    patches = rows.free
    sources, targets = patches[0::2], patches[1::2]
    keys = rows.keys.mean(dim=1)
    likeness = torch.stack([cosine(keys[targets], keys[row][None]) for row in sources])
    best = likeness.max(dim=1)
    gone = best.values.topk(3).indices.tolist()
    into = {sources[i]: targets[int(best.indices[i])] for i in gone}
    return merged(rows, [row for row in range(len(rows.places)) if row not in into], into)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("tower", ["clip", "siglip"])
def test_tome(attention: str, tower: str) -> None:
    """In every layer whose output counts, between its halves; sizes weigh and bias the attention that follows."""
    model = towered(attention, tower)
    features = tower_features(model, pixels(), middles=dict.fromkeys(range(3), tome), bias=1.0)
    spec = (
        "at encoder layers 0..2 after attention:\n"
        "  remove 3 tokens pick bipartite(on: keys) via merge(weight: size) with proportional_attention"
    )
    agree(model, spec, Reference(model, {}, features=features))


def test_pooling_two_by_two() -> None:
    def pooled(rows: Patches) -> Patches:
        hidden = rows.hidden.clone()
        corners = [r * 4 + c for r in (0, 2) for c in (0, 2)]
        for place in corners:
            cell = [1 + place + d for d in (0, 1, 4, 5)]
            hidden[1 + place] = rows.hidden[cell].mean(dim=0)
        return keep(Patches(hidden, rows.sizes, rows.places), [0, *(1 + place for place in corners)])

    model = towered()
    features = tower_features(model, pixels(), output=pooled)
    spec = "at encoder output: pick grid(2x2) via pool(within: window(2x2))"
    agree(model, spec, Reference(model, {}, features=features))


@pytest.mark.parametrize("when", ["previous", "next"])
def test_class_attention_in_front_of_a_layer(when: str) -> None:
    """EViT's score at the entry of a layer: what the layer before paid the patches, or the one to come would pay."""
    model = towered()

    def ranked(rows: Patches) -> Patches:
        seen = rows.attention
        if when == "next":
            seen = attend(model.model.vision_tower.encoder.layers[2], rows, 0.0).attention
        assert seen is not None
        kept = [rows.free[i] for i in seen[:, 0, rows.free].mean(dim=0).topk(6).indices.tolist()]
        return keep(rows, [0, *sorted(kept)])

    features = tower_features(model, pixels(), before={2: ranked})
    spec = f"at encoder layer 2: retain 6 tokens by attention(query: cls, layer: {when})"
    agree(model, spec, Reference(model, {}, features=features))


def test_tower_then_decoder() -> None:
    """Percentages in the decoder are of the visual tokens that an image stands for, whatever the tower left."""
    model = towered()
    features = tower_features(model, pixels(), output=lambda rows: keep(rows, [0, *rows.free[::2]]))

    def a_quarter(rows: Any) -> Any:
        visual = rows.visual.nonzero()[:, 0]
        importance = rows.attention[:, -1, visual].mean(dim=0)
        kept = visual[importance.topk(ceil(TOKENS / 4)).indices]
        return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], kept]).sort().values)

    spec = "at encoder output: retain 50% pick uniform\nat layer 2: retain 25% by attention(query: last)"
    agree(model, spec, Reference(model, {2: a_quarter}, features=features))


def test_sizes_of_the_tower_bias_the_decoder_where_it_says_so() -> None:
    """A bias at the tower's output acts from there on; one inside the tower stays there."""
    model = towered()
    inside = "at encoder layer 1: retain 50% by norm(hidden) via merge with attention_bias: log_size"
    at_output = "at encoder output: retain 50% by norm(hidden) via merge"
    found = []
    for spec in (inside, at_output, at_output + " with attention_bias: log_size"):
        with eosdsl.compile(spec, model) as compiled:
            out = compiled(**P.inputs())
            bias = [layer.bias for layer in out.past_key_values.layers]
            found.append(([one is not None for one in bias], None if bias[0] is None else bias[0].exp().sum()))
    assert found[0][0] == found[1][0] == [False] * 5
    assert found[2][0] == [True] * 5
    torch.testing.assert_close(found[2][1], torch.tensor(float(P.input_ids.shape[1])))


SPECS = [
    VISIONZIP,
    "at encoder layers 0..2 after attention: remove 3 tokens pick bipartite(on: keys) via merge with "
    "proportional_attention",
    "at encoder layer 1: retain 50% by attention(query: cls)\nat encoder output: retain 25% by norm(hidden) via merge "
    "with positions: median\nat layer 3: retain 2 tokens via merge with attention_bias: log_size",
    "at encoder output: retain 50% by norm(hidden) via merge with positions: compact, attention_bias: log_size\n"
    "at layer 0: retain 4 tokens by attention(query: text, layer: next)",
    "at encoder output: retain outliers(iqr: 0.1) by attention(query: cls) via merge(similarity: cosine(keys))\n"
    "at layer 2: retain 50% of incoming",
]


PRUMERGE = """at encoder output:
  retain outliers(iqr: 0.1) by attention(query: cls, heads: concat)
  via borrow(similarity: cosine(keys), within: nearest(4), weight: score, combine: add_sum)
  and retain 1 token by attention(query: cls, heads: concat) pick extra via merge(weight: score, combine: add_sum)"""
EVIT = """at encoder layers 1, 2 after attention:
  retain 70% of incoming by attention(query: cls) via prune
  and retain 1 token by attention(query: cls) pick extra via merge(weight: score)"""
POOLING = "at encoder output: pick grid(2x2) via pool(within: window(2x2))"
# a SigLIP tower has no CLS: what the patches look at takes its place
WITHOUT_CLS = [
    VISIONZIP.replace("cls", "visual"),
    PRUMERGE.replace("cls", "visual").replace(", heads: concat", ""),
    EVIT.replace("cls", "visual"),
    SPECS[1],
    POOLING,
]


@pytest.mark.parametrize(
    ("tower", "spec"), [*(("clip", spec) for spec in (PRUMERGE, EVIT, POOLING)), *(("siglip", s) for s in WITHOUT_CLS)]
)
def test_methods_of_the_tower_in_batches_of_several_images(tower: str, spec: str) -> None:
    """Two images, one, and none in a batch, padded: placeholders, positions and masks are each prompt's own."""
    with eosdsl.compile(spec, towered(tower=tower)) as compiled:
        together = logits(compiled, batch(MIXED))
        for row, one in enumerate(MIXED):
            torch.testing.assert_close(together[row], logits(compiled, one)[0], atol=1e-4, rtol=1e-4)
        two = next(one for one in MIXED if int((one.input_ids == IMAGE).sum()) > TOKENS)
        out = compiled(**two.inputs())
        text = int((two.input_ids != IMAGE).sum())
        images = (two.input_ids.shape[1] - text) // TOKENS
        held = out.past_key_values.layers[0].keys.shape[2] - text
        assert images * compiled.plan.least_tokens_per_layer[0] <= held <= images * compiled.plan.tokens_per_layer[0]
        assert held < images * TOKENS


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("prompts", [MIXED, UNIFORM], ids=["mixed", "uniform"])
def test_batch_equals_singles_through_generate(spec: str, prompts: list[Prompt]) -> None:
    with eosdsl.compile(spec, towered()) as compiled:
        together = logits(compiled, batch(prompts))
        uncached = logits(compiled, batch(prompts), use_cache=False)
        for row, one in enumerate(prompts):
            torch.testing.assert_close(together[row], logits(compiled, one)[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together, uncached, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("spec", SPECS)
def test_beams_keep_the_notes_of_their_images(spec: str) -> None:
    wanted: Any = {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 3, "do_sample": False}
    with eosdsl.compile(spec, towered()) as compiled:
        together = compiled.generate(**batch(MIXED).inputs(), **wanted)[:, -3:]
        alone = torch.cat([compiled.generate(**p.inputs(), **wanted)[:, -3:] for p in MIXED])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("spec", SPECS[:4])
def test_counts_are_those_of_the_plan(spec: str) -> None:
    model = towered()
    entering: list[int] = []
    layers = [*model.model.vision_tower.encoder.layers, *model.model.language_model.layers]
    hooks = [layer.register_forward_pre_hook(lambda _, args: entering.append(args[0].shape[1])) for layer in layers]
    with eosdsl.compile(spec, model) as compiled:
        out = compiled(**P.inputs())
        plan = compiled.plan
    for hook in hooks:
        hook.remove()
    text = P.input_ids.shape[1] - TOKENS
    assert tuple(entering[:4]) == plan.encoder_tokens_per_layer
    assert tuple(rows - text for rows in entering[4:]) == plan.tokens_per_layer
    assert tuple(layer.keys.shape[2] - text for layer in out.past_key_values.layers) == plan.tokens_per_layer
    assert out.past_key_values.get_seq_length() == P.input_ids.shape[1]


@pytest.mark.parametrize(
    "spec",
    [
        VISIONZIP,
        "at encoder layer 1: retain 50% by attention(query: cls, layer: next)\nat layer 2: retain 25%",
        "at encoder layers 0, 2 after attention: retain 75%, 50% by attention(query: cls)",
        "at layer 2 after attention: retain 25% by attention(query: visual)",
        "at layer 2: retain 25% by attention(query: raters)",
    ],
)
def test_flops_of_everything_equal_those_counted(spec: str) -> None:
    """Tower, projector, reducers, decoder and head within 0.1%, under eager attention; keys are not made twice."""
    model = towered("eager")
    p = prompt([3, 0, 27])
    made = eosdsl.plan(spec, model, text_tokens=p.input_ids.shape[1] - TOKENS)
    with eosdsl.compile(spec, model) as compiled, FlopCounterMode(display=False) as counter:
        compiled(**p.inputs(), logits_to_keep=1)
    assert abs(counter.get_total_flops() - made.flops) <= 0.001 * made.flops


def test_detaching_leaves_the_tower_as_it_was() -> None:
    model = towered()
    full = model(**P.inputs()).logits
    before = state_of(model)
    for spec in SPECS:
        with eosdsl.compile(spec, model) as compiled:
            compiled(**P.inputs())
        assert torch.equal(model(**P.inputs()).logits, full)
        assert state_of(model) == before


def test_retaining_all_in_the_tower_inserts_nothing() -> None:
    model = towered()
    full = model(**P.inputs()).logits
    with eosdsl.compile("at encoder layer 1: retain 100%\nat encoder output: retain 100%", model) as compiled:
        assert compiled.tower_graph is None
        assert torch.equal(compiled(**P.inputs()).logits, full)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("tower", ["clip", "siglip"])
def test_layers_in_halves_are_the_layers(attention: str, tower: str) -> None:
    """Splitting alone changes nothing: more tokens asked for than there are, keys kept for nothing."""
    model = towered(attention, tower)
    full = model(**P.inputs(), output_hidden_states=True)
    spec = (
        "at encoder layers 0..2 after attention: retain 99 tokens pick bipartite(on: keys) via merge\n"
        "at layers 0..4 after attention: retain 99 tokens"
    )
    with eosdsl.compile(spec, model) as compiled:
        out = compiled(**P.inputs(), output_hidden_states=True)
    torch.testing.assert_close(out.logits, full.logits, atol=1e-5, rtol=1e-5)
    assert len(out.hidden_states) == len(full.hidden_states)
    for one, other in zip(out.hidden_states, full.hidden_states, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [0, 2, 4])
def test_between_the_halves_of_a_decoder_layer(layer: int) -> None:
    """FitPrune's place (arXiv 2409.10197): the layer's own keys stay whole, its MLP and what follows see fewer rows."""
    model = tiny_llava(kv_heads=2)
    reference = Reference(model, {}, middles={layer: lambda rows: fastv(rows, Fraction(1, 4))})
    agree(model, f"at layer {layer} after attention: retain 25% by attention(query: last)", reference)


def test_features_made_without_the_operator_are_refused() -> None:
    model = towered()
    plain = model.get_image_features(pixel_values=P.pixel_values, return_dict=True)
    with eosdsl.compile(VISIONZIP, model) as compiled:
        own = compiled.model.get_image_features(pixel_values=P.pixel_values, return_dict=True)
        given = compiled(input_ids=P.input_ids, mm_encoder_outputs={"image": own}).logits
        torch.testing.assert_close(given, compiled(**P.inputs()).logits, atol=1e-5, rtol=1e-5)
        with pytest.raises(SpecError) as caught:
            compiled(input_ids=P.input_ids, mm_encoder_outputs={"image": plain})
    assert caught.value.diagnostics[0].code == "E0447"


def test_the_tower_alone_stays_itself() -> None:
    """Only `get_image_features` reduces: whoever asks the tower itself gets what it always gave."""
    model = towered()
    assert P.pixel_values is not None
    full = model.model.vision_tower(P.pixel_values).last_hidden_state
    with eosdsl.compile(SPECS[1], model) as compiled:
        assert torch.equal(compiled.model.model.vision_tower(P.pixel_values).last_hidden_state, full)


@pytest.mark.parametrize("spec", SPECS)
def test_a_second_turn(spec: str) -> None:
    question = torch.tensor([[23, 5, 61, 9]])
    wanted: Any = {"max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True}
    with eosdsl.compile(spec, towered()) as compiled:
        turn = compiled.generate(**P.inputs(), **wanted)
        ids = torch.cat([turn.sequences, question], dim=1)
        again = compiled.generate(
            ids, attention_mask=torch.ones_like(ids), past_key_values=turn.past_key_values, **wanted, output_logits=True
        )
        forced = [*ids[0, P.input_ids.shape[1] :].tolist(), *again.sequences[0, -3:-1].tolist()]
        expected = steps(compiled, P.inputs(), forced)[-3:]
    torch.testing.assert_close(torch.cat(again.logits), expected, atol=1e-4, rtol=1e-4)


def test_text_of_the_artefact_shows_both_graphs(tmp_path: Any) -> None:
    with eosdsl.compile(SPECS[1], towered()) as compiled:
        compiled.save_pretrained(tmp_path / "out")
    text = (tmp_path / "out" / "graph.py").read_text()
    assert "def tower(self, hidden_states, attention_mask, stream):" in text
    assert "at_encoder_layer_0_after_attention" in text
    assert int((P.input_ids == IMAGE).sum()) == TOKENS
