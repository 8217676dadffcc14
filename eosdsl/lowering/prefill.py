"""The prefill of prompts that are all alike, as one module of tensors only: what exporters take.

A call of the model finds images by reading token ids on the host, and the host counts every image by itself. Here each
prompt is text, one image of the usual size, text, in a batch of the same lengths, so that nothing has to be read: batch
and both lengths of text may be symbols, and the number of rows left is arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from eosdsl.lowering.attending import blocks_of
from eosdsl.lowering.forward import ENTRY, Entry
from eosdsl.lowering.images import Images, Layout, Queries
from eosdsl.lowering.masks import image_masks
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.seen import Features, Pixels, pixels_of
from eosdsl.models.profiles import profiles

if TYPE_CHECKING:
    from eosdsl.lowering.compile import Compiled
    from eosdsl.models.profile import Profile


class Prefill(nn.Module):
    """(before [B, S], seen, after [B, T]) → logits [B, S + K + T, V].

    before and after: token ids of the text in front of the image and behind it; seen: `pixel_values` of the usual image
    as the family's processor gives them, or `features` [B, N, D], by family; K: the tokens left of the N of an image at
    the end of the decoder. The operator must stay attached.

    Raises:
        SpecError: E0458 where a family or a schedule cannot be run without looking at tensors.
    """

    def __init__(self, compiled: Compiled) -> None:
        super().__init__()
        known = compiled.schedule.model
        profile = profiles()[known.family]
        refuse_unexportable(compiled, profile)
        anatomy: Any = compiled.anatomy
        self.model: Any = anatomy.model
        self.vlm: Any = anatomy.vlm
        self.attending = anatomy.attending
        self.config = anatomy.config
        self.seen = _seen(compiled, profile)
        self.grid = known.grid if known.decoder.rope == "mrope" else None
        self.cap: float | None = getattr(anatomy.config, "final_logit_softcapping", None)
        self.reduced = compiled.lowered.first_site is not None

    def forward(self, before: Tensor, seen: Tensor, after: Tensor) -> Tensor:
        features = self.seen(seen)
        embed = self.vlm.get_input_embeddings()
        front, back = embed(before), embed(after)
        hidden = torch.cat([front, features.to(front.dtype), back], dim=1)
        parts = before.shape[1], features.shape[1], after.shape[1]
        layout = alike(before.shape[0], *parts, hidden.device)
        mask = torch.ones(hidden.shape[:2], dtype=torch.int64, device=hidden.device)
        kinds = self._kinds(mask, *parts)
        more: dict[str, Any] = {} if kinds is None else {"token_type_ids": kinds}
        if self.grid is not None:
            more["position_ids"] = positions(*parts, self.grid, hidden.device).expand(3, hidden.shape[0], -1)
        if self.reduced:
            more[ENTRY] = Entry(layout=layout, mask=mask, blocks=blocks_of(self.attending, kinds))
        ready = mask if self.attending.blocks != "images" else image_masks(self.attending, self.config, hidden, kinds)
        out = self.vlm.forward(inputs_embeds=hidden, attention_mask=ready, use_cache=False, return_dict=True, **more)
        logits = self.model.lm_head(out.last_hidden_state)
        return logits if self.cap is None else (logits / self.cap).tanh() * self.cap

    def _kinds(self, mask: Tensor, front: int, tokens: int, back: int) -> Tensor | None:
        """`token_type_ids` as the family's processor gives them, None where it gives none."""
        if self.attending.blocks is None:
            return None
        if self.attending.blocks == "prefix":
            return torch.zeros_like(mask)
        place = torch.arange(front + tokens + back, device=mask.device)
        return ((place >= front) & (place < front + tokens)).long().expand_as(mask)


def refuse_unexportable(compiled: Compiled, profile: Profile) -> None:
    """Raise SpecError (E0458) with the reason where a prefill cannot be exported."""
    name, family = compiled.program.name, profile.family
    if not profile.torch.text_model:
        refuse("E0458", f"{name} cannot be exported for {family}: it has no decoder, so no prefill")
    if not profile.exports:
        reason = profile.not_exported or "nobody has said what its prompts are made of"
        refuse("E0458", f"{name} cannot be exported for {family}: {reason}", "docs/export.md lists what can")
    if compiled.lowered.tower is not None:
        refuse("E0458", f"{name} cannot be exported: it reduces in the vision tower, image by image")
    if not compiled.plan.servable:
        refuse("E0458", f"{name} cannot be exported: how many tokens stay is decided by each image")
    if compiled.lowered.reads_grid and compiled.schedule.model.decoder.rope == "mrope":
        refuse("E0458", f"{name} cannot be exported for {family}: grids of its images are read from their positions")


def _seen(compiled: Compiled, profile: Profile) -> Pixels | Features:
    """What makes the features of an image of what the prefill is given."""
    anatomy: Any = compiled.anatomy
    known = compiled.schedule.model
    if profile.exports == "features":
        return Features(known.visual_tokens, known.decoder.width)
    if anatomy.vlm.vision_tower.config.model_type == "pixtral":
        what = f"{compiled.program.name} cannot be exported for {known.name}"
        refuse("E0458", f"{what}: its tower takes images of any size, and packs them")
    return pixels_of(anatomy.vlm, known)


def positions(front: int, tokens: int, back: int, grid: tuple[int, int], device: torch.device) -> Tensor:
    """[3, 1, L]: of text along all axes, of an image by frame, row and column, and on from the largest of them."""
    rows, columns = grid
    place = torch.arange(tokens, device=device)
    seen = torch.stack([torch.zeros_like(place), place // columns, place % columns]) + front
    text = torch.arange(front, device=device), torch.arange(back, device=device) + (front + max(rows, columns))
    first, last = (one.expand(3, -1) for one in text)
    return torch.cat([first, seen, last], dim=1)[:, None]


def alike(batch: int, front: int, tokens: int, back: int, device: torch.device) -> Layout:
    """The layout of `batch` prompts of `front` text rows, an image of `tokens` rows, and `back` text rows.

    What the host knows of every image is the same, so it is said once: its tuples have one entry for all of them.
    """
    length = front + tokens + back
    every = torch.arange(batch, device=device)
    rows = torch.arange(tokens, device=device)
    text = torch.cat([torch.arange(front, device=device), torch.arange(back, device=device) + (front + tokens)])
    return Layout(
        images=Images(
            batch=every,
            rows=(rows + front).expand(batch, tokens),
            valid=None,
            sizes=torch.ones(batch, tokens, device=device),
            index=rows.expand(batch, tokens),
            sequences=(0,),
            counts=(tokens,),
            originals=(tokens,),
        ),
        queries=Queries(
            last=torch.full((batch,), length - 1, dtype=torch.int64, device=device),
            text=text.expand(batch, -1),
            text_after=(text >= front + tokens).expand(batch, -1),
            in_prompt=None,
        ),
        lengths=(length,),
        valid=None,
        tail=back,
        order=(0,),
    )
