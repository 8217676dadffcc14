"""Packed training equals asking each question by itself through the model as it ships."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from eosdsl.tasks.base import MEDIUM
from eosdsl.tasks.scene import CELL_COLORS, COLORS
from eosdsl.tasks.words import VOCABULARY
from eosdsl.zoo.tiny_llava import WIDTH, fresh_model, processor, text_config
from eosdsl.zoo.train_align import encode, patch_loss, to_pixels
from eosdsl.zoo.train_attention import NAME, register
from eosdsl.zoo.train_batch import CELLS, IGNORE, Batch, make_batch
from eosdsl.zoo.train_hints import ordinals
from eosdsl.zoo.train_packs import LEVELS, PackKind, make_pack
from eosdsl.zoo.train_prepare import prepare
from eosdsl.zoo.train_read import forward, forward_blind, loss_and_hits, oracle_cells, shared_embeddings
from eosdsl.zoo.train_tokens import EOS, TOKEN_IDS, Codes, ids

KINDS = {kind.name: kind for kind in LEVELS[-2]}


def small_batch(kind: PackKind, cells: int, seed: int = 0, packs: int = 2) -> Batch:
    rng = Random(seed)
    return make_batch([make_pack(kind, rng, MEDIUM) for _ in range(packs)], cells, rng)


def language(layers: int = 2) -> LlamaForCausalLM:
    register()
    torch.manual_seed(0)
    model = LlamaForCausalLM(text_config(layers))
    model.set_attn_implementation(NAME)
    return model


@pytest.mark.parametrize("name", ["objects", "text", "multi"])
def test_packed_logits_are_those_of_single_questions(name: str) -> None:
    model, codes = language(), Codes(WIDTH)
    batch = small_batch(KINDS[name], KINDS[name].cells)
    cells = oracle_cells(codes, batch, 0.0)
    packed = forward(model, batch, cells)
    model.set_attn_implementation("sdpa")
    shared, positions = shared_embeddings(model, batch, cells), batch.positions()
    count, (questions, length) = shared.shape[1], batch.text.shape[1:]
    alone: list[torch.Tensor] = []
    for pack in range(len(batch.text)):
        for number in range(questions):
            own = slice(count + number * length, count + (number + 1) * length)
            hidden = model.model(
                inputs_embeds=torch.cat([shared[pack], model.model.embed_tokens(batch.text[pack, number])])[None],
                attention_mask=torch.ones(1, count + length, dtype=torch.long),
                position_ids=torch.cat([positions[pack, :count], positions[pack, own]])[None],
                use_cache=False,
            ).last_hidden_state[0, count:]
            alone.append(model.lm_head(hidden[batch.targets[pack, number] != IGNORE]))
    torch.testing.assert_close(packed, torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_a_question_does_not_see_another() -> None:
    model, codes = language(), Codes(WIDTH)
    batch = small_batch(KINDS["chart"], 144, packs=1)
    cells = oracle_cells(codes, batch, 0.0)
    before = forward(model, batch, cells)
    batch.text[0, -1] = EOS
    after = forward(model, batch, cells)
    kept = int((batch.targets[0, :-1] != IGNORE).sum())
    torch.testing.assert_close(before[:kept], after[:kept])
    assert not torch.allclose(before[kept:], after[kept:])


def test_blind_logits_are_those_of_the_prompt_without_images() -> None:
    model, made = language(), processor()
    batch = small_batch(KINDS["chart"], 144, packs=1)
    packed = forward_blind(model, batch)
    model.set_attn_implementation("sdpa")
    rows: list[torch.Tensor] = []
    for number, due in enumerate(batch.targets[0] != IGNORE):
        words = made.tokenizer.decode(batch.text[0, number][batch.text[0, number] != 0])
        question, answer = words.split(" assistant")
        prompt = made.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True)
        row = made.tokenizer(f"{prompt}{answer}", add_special_tokens=False, return_tensors="pt")["input_ids"]
        logits = model(input_ids=row).logits[0, 2:]
        rows.append(logits[due[: len(logits)]])
    torch.testing.assert_close(packed, torch.cat(rows), atol=1e-5, rtol=1e-4)


def test_ids_are_those_of_the_tokenizer_and_decode_back() -> None:
    tokenizer = processor().tokenizer
    assert len(tokenizer) == len(TOKEN_IDS)
    for word in VOCABULARY:
        assert tokenizer(word, add_special_tokens=False)["input_ids"] == ids(word)
        assert tokenizer.decode(ids(word)) == word
    assert tokenizer.decode(ids("4 7 1")) == "4 7 1"
    natural = tokenizer("Is there a red circle? 471", add_special_tokens=False)["input_ids"]
    assert natural == ids("is there a red circle ? 4 7 1")


def test_the_prompt_of_the_processor_is_the_one_trained_on() -> None:
    made: Any = processor()
    batch = small_batch(KINDS["multi"], CELLS, packs=1)
    question = "which image has a red star ?"
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": question}]
    prompt = made.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    image = torch.zeros(3, 96, 96, dtype=torch.uint8)
    inputs = made(images=[[image, image]], text=[prompt], add_special_tokens=False)["input_ids"][0]
    words = [index for index in inputs if index != TOKEN_IDS["<image>"]]
    trained = [int(index) for index in batch.shared_ids() if index != 0]
    assert words == [*trained, *ids(question), TOKEN_IDS["assistant"]]
    assert len(inputs) - len(words) == 2 * CELLS


def test_the_tower_used_in_training_is_the_one_that_ships() -> None:
    model = fresh_model(0).eval()
    images = torch.randint(0, 256, (2, 96, 96, 3), dtype=torch.uint8)
    pixels = processor().image_processor(list(images.permute(0, 3, 1, 2)), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(to_pixels(images), pixels, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        features: Any = model.get_image_features(pixels)
        shipped = torch.stack(list(features.pooler_output))
        torch.testing.assert_close(encode(model.model, to_pixels(images))[0], shipped, atol=1e-5, rtol=1e-4)


def test_oracle_tokens_are_recognised_and_others_are_not() -> None:
    codes = Codes(WIDTH)
    batch = small_batch(KINDS["objects"], CELLS)
    labels = tuple(x[:, 0] for x in (batch.kinds, batch.colors, batch.parts))
    loss, right = patch_loss(oracle_cells(codes, batch, 0.0)[:, 0], codes, *labels)
    noise, wrong = patch_loss(torch.randn(2, CELLS, WIDTH), codes, *labels)
    assert right.all()
    assert loss < 0.1 * noise
    assert wrong.float().mean() < 0.5


def test_hits_count_whole_answers() -> None:
    batch = small_batch(KINDS["text"], 40)
    due = batch.targets[batch.targets != IGNORE]
    perfect = 20.0 * torch.nn.functional.one_hot(due, len(TOKEN_IDS)).float()
    loss, hits = loss_and_hits(perfect, batch)
    assert hits["ocr"] == [8, 8]
    assert loss < 1e-3
    spoiled = perfect.clone()
    spoiled[0, due[0]] = -20.0
    assert loss_and_hits(spoiled, batch)[1]["ocr"] == [7, 8]


def test_prepared_words_carry_the_codes_of_what_they_name() -> None:
    model, codes = language(), Codes(WIDTH)
    prepare(model, codes)
    words = model.model.embed_tokens.weight
    flag = words[TOKEN_IDS["circle"]] - codes.kind[1]
    torch.testing.assert_close(words[TOKEN_IDS["red"]] - codes.color[1], flag)
    assert (codes.kind @ flag).abs().max() < 1e-3


def attention_of(name: str, layer: int, question: int = 0) -> tuple[torch.Tensor, Batch, int]:
    """Attention [H, V' + L, V' + L] of a freshly prepared layer on a pack's first question, and where that begins."""
    model, codes = language(), Codes(WIDTH)
    prepare(model, codes)
    model.set_attn_implementation("eager")
    batch = small_batch(KINDS[name], CELLS, packs=1)
    shared = shared_embeddings(model, batch, oracle_cells(codes, batch, 0.1))
    length, count = batch.text.shape[2], shared.shape[1]
    out = model.model(
        inputs_embeds=torch.cat([shared, model.model.embed_tokens(batch.text[:, question])], dim=1),
        position_ids=batch.positions()[:, : count + length],
        output_attentions=True,
    )
    return out.attentions[layer][0], batch, count


def test_prepared_cells_find_the_number_of_their_image() -> None:
    weights, _, _ = attention_of("multi", 0)
    assert weights[3, 4 : 4 + CELLS, 3].mean() > 0.9
    assert weights[3, 6 + CELLS : 6 + 2 * CELLS, 5 + CELLS].mean() > 0.9


def test_prepared_cells_see_the_one_on_their_left() -> None:
    weights, _, _ = attention_of("text", 0)
    before = weights[2].diagonal(-1)[4 : 2 + CELLS]
    assert before.mean() > 0.5


def test_prepared_colours_look_at_cells_of_that_colour() -> None:
    weights, batch, count = attention_of("text", 0)
    words = batch.text[0, 0].tolist()
    place, color = next((i, w) for i, w in enumerate(words) if w in {TOKEN_IDS[name] for name in COLORS})
    right = batch.colors[0, 0] == CELL_COLORS.index(next(name for name in COLORS if TOKEN_IDS[name] == color))
    seen = weights[:2, count + place, 4 : 4 + CELLS]
    assert seen[:, right].mean() > 10 * seen[:, ~right].mean()


def test_ordinals_number_the_glyphs_of_a_line() -> None:
    batch = small_batch(KINDS["text"], CELLS)
    numbers, glyph = ordinals(batch)
    begins = glyph & (batch.parts == 1)
    for pack, image in ((0, 0), (1, 0)):
        for color in batch.colors[pack, image][begins[pack, image]].unique():
            line = begins[pack, image] & (batch.colors[pack, image] == color)
            columns = batch.cells[pack, image][line] % 12
            order = numbers[pack, image][line][columns.argsort()]
            assert order.tolist() == list(range(len(order)))
