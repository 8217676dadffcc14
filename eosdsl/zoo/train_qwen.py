"""The three stages of tiny-qwen-vl. It begins as tiny-llava, so that reading is had for little.

- read: the decoder on oracle tokens that do not say where they are: the order of glyphs along a line has to be
  learned anew, because under M-RoPE the neighbour is no longer one step away in all rotary pairs.
- align: tower and merger learn to give such tokens, from nothing, on quarters of images.
- join: everything, on drawn scenes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from eosdsl.lowering.loading import quiet
from eosdsl.models.find import TRAINED
from eosdsl.tasks.base import Difficulty
from eosdsl.tasks.render import draw
from eosdsl.tasks.scene import (
    BANDS,
    COLORS,
    DIGITS,
    GRAY,
    GRID,
    LETTERS,
    SHAPES,
    Scene,
    in_block,
)
from eosdsl.zoo.tiny_llava import WIDTH
from eosdsl.zoo.tiny_qwen_vl import fresh_model
from eosdsl.zoo.train_align import patch_loss, to_pixels
from eosdsl.zoo.train_attention import NAME, register
from eosdsl.zoo.train_batch import Batch, make_batch
from eosdsl.zoo.train_loop import Pace, Progress, Stage
from eosdsl.zoo.train_mrope import Language, forward
from eosdsl.zoo.train_oracle import ORACLE_NOISE
from eosdsl.zoo.train_packs import EVERYTHING, LEVELS, PackKind, make_pack, make_scenes
from eosdsl.zoo.train_place import look_left, place_loss, prepare_place
from eosdsl.zoo.train_qwen_tower import encode
from eosdsl.zoo.train_read import Hits, forward_blind, learn, loss_and_hits, no_hits
from eosdsl.zoo.train_stages import drawn
from eosdsl.zoo.train_tokens import Codes

START = TRAINED / "tiny-llava"
_SETTLED = ("model.embed_tokens", "model.layers.0.")
"""What training leaves alone: the first layer is solved, not trained, and Muon's steps would only blur it."""
_BLIND_SHARE = 0.2
_ENOUGH = 0.97
_MIX = {"text": 2, "diagram": 2, "chart": 1, "needle": 1, "photo": 2}
_CROWDED_SCENES = 6
_FILLED = 0.75
"""Scenes of a step of align: as in questions, and such whose blocks are nearly all full, from which most is learned."""
_READ: dict[str, int] = {
    "objects": 1,
    "prior": 3,
    "text": 12,
    "chart": 1,
    "needle": 1,
    "photo": 1,
    "multi": 1,
    "diagram": 2,
}
_JOIN: dict[str, int] = {**_READ, "objects": 2, "prior": 2, "text": 6, "chart": 2, "needle": 2}
"""Packs of a step: what tiny-llava knows is kept up, what M-RoPE changes is learned."""
READ = tuple(replace(kind, packs=_READ[kind.name]) for kind in (*LEVELS[2], EVERYTHING[-1]))
JOIN = tuple(replace(kind, packs=_JOIN[kind.name], cells=GRID * GRID) for kind in EVERYTHING)


class Read(Stage):
    """The decoder alone."""

    name = "read"

    def __init__(self, seed: int, pace: Pace) -> None:
        register()
        self.pace = pace
        self.codes = Codes(WIDTH, seed)
        whole = fresh_model(seed)
        take_decoder(whole)
        self.language = Language(whole)
        self.language.model.set_attn_implementation(NAME)
        prepare_place(self.language, self.codes, seed)
        look_left(self.language.model.layers[1].self_attn, self.codes)

    def modules(self) -> dict[str, nn.Module]:
        return {"language": self.language}

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        for name, parameter in self.language.named_parameters():
            if not name.startswith(_SETTLED):
                yield name, parameter

    def step(self, rng: Random, progress: Progress) -> tuple[float, Hits]:
        total, hits = 0.0, no_hits()
        for kind in READ:
            packs = [make_pack(kind, rng, Difficulty()) for _ in range(kind.packs)]
            batch = make_batch(packs, kind.cells, rng)
            logits = forward(self.language, batch, self.oracle(batch))
            total += learn(logits, batch, hits)
        return total, hits

    def oracle(self, batch: Batch) -> Tensor:
        """What a perfect tower would give, with noise [B, I, V, D]."""
        cells = self.codes.content(batch.kinds, batch.colors, batch.parts)
        return cells + ORACLE_NOISE * torch.randn_like(cells)

    def advance(self, progress: Progress) -> bool:
        return progress.mean() > _ENOUGH


class Places:
    """What the first layer has to find out, asked of the last forward that had images."""

    def __init__(self, language: Language, codes: Codes) -> None:
        self.codes = codes
        self.seen: tuple[Tensor, Tensor] | None = None
        language.model.layers[0].register_forward_hook(self._keep)

    def _keep(self, _layer: nn.Module, given: tuple[Tensor, ...], hidden: Tensor) -> None:
        self.seen = given[0], hidden

    def __call__(self, batch: Batch, hits: Hits) -> Tensor:
        """The loss; `hits` counts the cells whose place was right."""
        assert self.seen is not None, "places follow a forward"
        (before, hidden), self.seen = self.seen, None
        loss, right = place_loss(before, hidden, batch, self.codes)
        hits["place"][0] += int(right.sum())
        hits["place"][1] += right.numel()
        return loss


class Align(Stage):
    """Tower and merger alone."""

    name = "align"

    def __init__(self, seed: int, pace: Pace) -> None:
        self.pace = pace
        self.codes = Codes(WIDTH, seed)
        self.tower: Any = fresh_model(seed).model.visual
        torch.manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.parameters():
                if parameter.ndim == 2:
                    joins = name.endswith(("attn.proj.weight", "fc2.weight"))
                    parameter.normal_(0, (0.1 if joins else 1.0) * parameter.shape[1] ** -0.5)

    def modules(self) -> dict[str, nn.Module]:
        return {"tower": self.tower}

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        yield from self.tower.named_parameters()

    def step(self, rng: Random, progress: Progress) -> tuple[float, Hits]:
        scenes = [
            uncut(make_scenes(name, rng, Difficulty())[0]) for name, number in _MIX.items() for _ in range(number)
        ]
        images, *labels = drawn([*scenes, *(crowded_scene(rng) for _ in range(_CROWDED_SCENES))], "train", rng)
        kinds, colors, parts = (quarters(one.unflatten(1, (GRID, GRID))).flatten(1) for one in labels)
        tokens = encode(self.tower, quarters(to_pixels(images)))
        loss, right = patch_loss(tokens, self.codes, kinds, colors, parts, placed=False)
        loss.backward()
        seen = right[kinds > 0]
        return loss.item(), {"cells": [int(seen.sum()), seen.numel()]}

    def advance(self, progress: Progress) -> bool:
        return False


def crowded_scene(rng: Random) -> Scene:
    """Shapes, digits and letters wherever there is room."""
    glyphs = (*SHAPES, *DIGITS, *LETTERS)
    blocks = [block for block in range(BANDS * BANDS) if rng.random() < _FILLED]
    colors = (*COLORS, GRAY)
    return Scene(tuple(in_block(rng.choice(glyphs), rng.choice(colors), one, rng.randint(1, 2), rng) for one in blocks))


def uncut(scene: Scene) -> Scene:
    """Without the parts of diagrams that `quarters` would cut in two."""
    half = GRID // 2
    return replace(scene, items=tuple(one for one in scene.items if one.width != 2 or one.col != half - 1))


def quarters(images: Tensor) -> Tensor:
    """The four quarters of images [..., H, W] of a batch, as a batch of four times as many. Attention costs a quarter
    then, no object is cut in two, and a tower of relative positions does the same on the whole."""
    halves = [part for row in images.chunk(2, dim=-2) for part in row.chunk(2, dim=-1)]
    return torch.cat(halves)


class Join(Stage):
    """Everything, on drawn scenes."""

    name = "join"

    def __init__(self, seed: int, pace: Pace, read: Read, align: Align) -> None:
        self.pace = pace
        self.codes = read.codes
        self.model = fresh_model(seed)
        self.model.model.visual.load_state_dict(align.tower.state_dict())
        self.language = Language(self.model)
        self.language.load_state_dict(read.language.state_dict())
        self.model.set_attn_implementation({"text_config": NAME})
        self.places = Places(self.language, self.codes)

    def modules(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        for name, parameter in self.model.named_parameters():
            if not name.removeprefix("model.language_").startswith(_SETTLED):
                yield name, parameter

    def step(self, rng: Random, progress: Progress) -> tuple[float, Hits]:
        total, hits = 0.0, no_hits()
        blind = rng.choice(JOIN)
        for kind in JOIN:
            batch, tokens = self.look(kind, rng)
            labels = (batch.kinds, batch.colors, batch.parts)
            seen, _ = patch_loss(tokens.flatten(0, 1), self.codes, *(x.flatten(0, 1) for x in labels), placed=False)
            logits = forward(self.language, batch, tokens)
            more = 0.05 * (seen + self.places(batch, hits))
            total += learn(logits, batch, hits, more)
            if kind is blind:
                guess, _ = loss_and_hits(forward_blind(self.language, batch), batch)
                (_BLIND_SHARE * guess).backward()
        return total, hits

    def look(self, kind: PackKind, rng: Random) -> tuple[Batch, Tensor]:
        """A batch of packs and their visual tokens [B, I, V, D]."""
        packs = [make_pack(kind, rng, Difficulty()) for _ in range(kind.packs)]
        batch = make_batch(packs, kind.cells, rng)
        images = [draw(scene, "train", rng, rng.uniform(0.7, 1.0)) for pack in packs for scene in pack.scenes]
        tokens = encode(self.model.model.visual, to_pixels(torch.from_numpy(np.stack(images))))
        return batch, tokens.unflatten(0, (len(packs), -1))

    def advance(self, progress: Progress) -> bool:
        return progress.step > 100 and progress.mean() > 0.96


def take_decoder(whole: Any) -> None:
    """Embeddings, layers and head of tiny-llava, behind a first layer that is left to `prepare_place`."""
    with quiet():
        given: Any = LlavaForConditionalGeneration.from_pretrained(START)
    language, source = whole.model.language_model, given.model.language_model
    with torch.no_grad():
        for parameter in (*language.parameters(), whole.lm_head.weight):
            parameter.zero_()
        known = len(source.embed_tokens.weight)
        language.embed_tokens.weight[:known] = source.embed_tokens.weight
        whole.lm_head.weight[:known] = given.lm_head.weight
        language.norm.weight.copy_(source.norm.weight)
    for mine, theirs in zip(language.layers[1:], source.layers, strict=True):
        left = mine.load_state_dict(theirs.state_dict(), strict=False)
        assert not left.unexpected_keys, left
        assert all(key.endswith("bias") for key in left.missing_keys), left
