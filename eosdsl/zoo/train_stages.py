"""The stages of tiny-llava that see: align, and join at the end. `train_reader` and `train_spread` have the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM, LlavaForConditionalGeneration

from eosdsl.tasks.base import Difficulty
from eosdsl.tasks.render import draw
from eosdsl.tasks.scene import Scene, labels
from eosdsl.zoo.tiny_llava import USED_LAYERS, WIDTH, fresh_model, text_config
from eosdsl.zoo.train_align import Summary, encode, patch_loss, to_pixels
from eosdsl.zoo.train_attention import NAME
from eosdsl.zoo.train_batch import Batch, make_batch
from eosdsl.zoo.train_loop import Pace, Progress, Stage
from eosdsl.zoo.train_packs import EVERYTHING, TEMPLATES, PackKind, make_pack, make_scenes
from eosdsl.zoo.train_read import Hits, forward, forward_blind, learn, loss_and_hits, no_hits
from eosdsl.zoo.train_spread import Spread, hold, projections
from eosdsl.zoo.train_tokens import Codes

_BLIND_SHARE = 0.2


class Align(Stage):
    """Tower and projector alone, on drawn scenes, towards the oracle's tokens."""

    name = "align"
    mix = (("objects", 5), ("text", 9), ("diagram", 3), ("chart", 1), ("needle", 5), ("photo", 4))

    def __init__(self, seed: int, pace: Pace) -> None:
        self.pace = pace
        self.codes = Codes(WIDTH, seed)
        self.model = fresh_model(seed).model
        torch.manual_seed(seed)
        self.summary = Summary(WIDTH)
        with torch.no_grad():
            for name, parameter in self.parameters():
                if parameter.ndim == 2 and "position" not in name:
                    joins = any(part in name for part in ("out_proj", "fc2"))
                    parameter.normal_(0, (0.1 if joins else 1.0) * parameter.shape[1] ** -0.5)

    def modules(self) -> dict[str, nn.Module]:
        projector = self.model.multi_modal_projector
        return {"tower": self.model.vision_tower, "projector": projector, "summary": self.summary}

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        for room, module in self.modules().items():
            for name, parameter in module.named_parameters():
                if not _unused(name):
                    yield f"{room}.{name}", parameter

    def step(self, rng: Random, progress: Progress) -> tuple[float, Hits]:
        images, kinds, colors, parts = drawn_scenes(dict(self.mix), "train", rng)
        tokens, cls = encode(self.model, to_pixels(images))
        loss, right = patch_loss(tokens, self.codes, kinds, colors, parts)
        loss = loss + self.summary(cls, kinds, colors)
        loss.backward()
        seen = right[kinds > 0]
        return loss.item(), {"cells": [int(seen.sum()), seen.numel()]}

    def advance(self, progress: Progress) -> bool:
        return False


class Join(Stage):
    """Everything, on drawn scenes."""

    name = "join"

    def __init__(self, seed: int, pace: Pace, spread: Spread, align: Align) -> None:
        self.pace = pace
        self.codes = align.codes
        self.own = projections(self.codes)
        self.model = assemble(seed, spread, align)
        self.model.set_attn_implementation({"text_config": NAME})
        self.summary = align.summary
        self.language = LlamaForCausalLM(text_config())
        self.language.model = self.model.model.language_model
        self.language.lm_head = self.model.lm_head

    def modules(self) -> dict[str, nn.Module]:
        return {"model": self.model, "summary": self.summary}

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        for room, module in self.modules().items():
            for name, parameter in module.named_parameters():
                if not _unused(name):
                    yield f"{room}.{name}", parameter

    def step(self, rng: Random, progress: Progress) -> tuple[float, Hits]:
        total, hits = 0.0, no_hits()
        hold(self.language.model.layers, self.own)
        blind = rng.choice(EVERYTHING)
        for kind in EVERYTHING:
            batch, tokens, cls = self.look(kind, "train", rng)
            loss, _ = patch_loss(tokens.flatten(0, 1), self.codes, *(x.flatten(0, 1) for x in _labels(batch)))
            present = self.summary(cls, batch.kinds.flatten(0, 1), batch.colors.flatten(0, 1))
            logits = forward(self.language, batch, tokens)
            (0.05 * (loss + present)).backward(retain_graph=True)
            total += learn(logits, batch, hits)
            if kind is blind:
                guess, _ = loss_and_hits(forward_blind(self.language, batch), batch)
                (_BLIND_SHARE * guess).backward()
        return total, hits

    def look(self, kind: PackKind, split: str, rng: Random) -> tuple[Batch, Tensor, Tensor]:
        """A batch of packs on all cells, their tokens [B, I, V, D] and CLS features [B * I, D_v]."""
        templates = split if split != "train" else TEMPLATES[-1]
        packs = [make_pack(kind, rng, Difficulty(), templates) for _ in range(kind.packs)]
        batch = make_batch(packs, 144, rng)
        images = [draw(scene, split, rng, rng.uniform(0.7, 1.0)) for pack in packs for scene in pack.scenes]
        tokens, cls = encode(self.model.model, to_pixels(torch.from_numpy(np.stack(images))))
        return batch, tokens.unflatten(0, (len(packs), -1)), cls

    def advance(self, progress: Progress) -> bool:
        return progress.step > 100 and progress.mean() > 0.96


def assemble(seed: int, spread: Spread, align: Align) -> LlavaForConditionalGeneration:
    """The whole model from its two halves."""
    model = fresh_model(seed)
    model.model.vision_tower.load_state_dict(align.model.vision_tower.state_dict())
    model.model.multi_modal_projector.load_state_dict(align.model.multi_modal_projector.state_dict())
    model.model.language_model.load_state_dict(spread.model.model.state_dict())
    model.lm_head.load_state_dict(spread.model.lm_head.state_dict())
    return model


def drawn_scenes(mix: dict[str, int], split: str, rng: Random) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images [B, H, W, 3] and labels [B, V] of kinds, colours and parts."""
    scenes = [make_scenes(name, rng, Difficulty())[0] for name, number in mix.items() for _ in range(number)]
    return drawn(scenes, split, rng)


def drawn(scenes: Sequence[Scene], split: str, rng: Random) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images of these scenes, and their labels."""
    images = np.stack([draw(scene, split, rng, rng.uniform(0.6, 1.0)) for scene in scenes])
    kinds, colors, parts = torch.tensor([labels(scene) for scene in scenes]).unbind(dim=1)
    return torch.from_numpy(images), kinds, colors, parts


def _labels(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return batch.kinds, batch.colors, batch.parts


def _unused(name: str) -> bool:
    """The tower's last layer and its final norm: LLaVA takes the features before them."""
    return f"encoder.layers.{USED_LAYERS}." in name or "post_layernorm" in name
