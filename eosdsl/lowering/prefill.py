"""The prefill of prompts that are all alike, as one module of tensors only: what exporters take.

A call of the model finds images by reading token ids on the host, and the host counts every image by itself. Here each
prompt is text, one image, text, in a batch of the same lengths, so that nothing has to be read: batch and both lengths
of text may be symbols, and the number of rows left is arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from eosdsl.lowering.anatomy import Tower, dissect_tower
from eosdsl.lowering.forward import ENTRY, Entry
from eosdsl.lowering.images import Images, Layout, Queries
from eosdsl.lowering.refusals import refuse
from eosdsl.models.profiles import profiles

if TYPE_CHECKING:
    from eosdsl.lowering.compile import Compiled


class Prefill(nn.Module):
    """(before [B, S], pixel_values [B, C, H, W], after [B, T]) → logits [B, S + K + T, V].

    before and after: token ids of the text in front of the image and behind it; K: the tokens left of the N of an image
    at the end of the decoder. The operator must stay attached.

    Raises:
        SpecError: E0458 where a family or a schedule cannot be run without looking at tensors.
    """

    def __init__(self, compiled: Compiled) -> None:
        super().__init__()
        refuse_unexportable(compiled)
        anatomy: Any = compiled.anatomy
        known = compiled.schedule.model
        self.model: Any = anatomy.model
        self.vlm: Any = anatomy.vlm
        self.text: Any = anatomy.text
        self.tower: Tower = dissect_tower(anatomy.model, profiles()[known.family].torch, known)
        self.reduced = compiled.lowered.first_site is not None

    def forward(self, before: Tensor, pixel_values: Tensor, after: Tensor) -> Tensor:
        features = self._features(pixel_values)
        embed = self.vlm.get_input_embeddings()
        front, back = embed(before), embed(after)
        hidden = torch.cat([front, features.to(front.dtype), back], dim=1)
        layout = alike(before.shape[0], before.shape[1], features.shape[1], after.shape[1], hidden.device)
        mask = torch.ones(hidden.shape[:2], dtype=torch.int64, device=hidden.device)
        more: dict[str, Any] = {ENTRY: Entry(layout=layout, mask=mask)} if self.reduced else {}
        out = self.text(inputs_embeds=hidden, attention_mask=mask, use_cache=False, return_dict=True, **more)
        return self.model.lm_head(out.last_hidden_state)

    def _features(self, pixel_values: Tensor) -> Tensor:
        """[B, N, D], as the model makes them: the layer that the config names, without the rows that it leaves out."""
        seen = self.vlm.vision_tower(pixel_values, output_hidden_states=True, return_dict=True)
        chosen = seen.hidden_states[self.tower.feature_layer]
        return self.tower.projector(chosen[:, self.tower.dropped :])


def refuse_unexportable(compiled: Compiled) -> None:
    """Raise SpecError (E0458) with the reason where a prefill cannot be exported."""
    name = compiled.program.name
    family = compiled.schedule.model.family
    if family != "llava":
        refuse("E0458", f"{name} cannot be exported for {family}: its images have no one size", "llava works")
    if compiled.lowered.tower is not None:
        refuse("E0458", f"{name} cannot be exported: it reduces in the vision tower, image by image")
    if not compiled.plan.servable:
        refuse("E0458", f"{name} cannot be exported: how many tokens stay is decided by each image")


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
