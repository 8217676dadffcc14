"""The door of a model family: one frozen value that says everything eosdsl has to know about it.

A family is a module with a `Profile`, named in the entry-point group `eosdsl.models`. What lowering needs is plain data
(dotted attribute paths from the top model), so that no family needs code there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts


@dataclass(frozen=True)
class Shipped:
    """A well-known model whose config comes with the package: `plan` and `compile` then need no weights.

    `file` lies in `eosdsl/models/configs`; `note` is one line for lists.
    """

    name: str
    file: str
    aliases: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class TorchNames:
    """Where a model of the family keeps its parts: dotted paths from the top model, or from the part named.

    `text_model` is the stack whose `forward` is replaced; `layers`, `norm`, `rotary` and `embeddings` are paths inside
    it. `vision_layers` is a path inside `vision_tower`. None where the family has no such part. An image encoder that
    stands alone has no `text_model` (""); its `vision_tower` is then the whole model where there is no such part.

    tower_rows: what the rows of the tower are. `images`: every image is a sequence, whose features pass to the
    projector one by one. `tiles`: every tile is a sequence, a square of patches, joined `merge` by `merge` behind the
    tower. `packed`: likewise, and the tiles of an image are then put together, padding cut off, and newlines put
    behind their rows. `groups`: all images in one sequence, patches that are joined beside each other; `late_mergers`
    is then a path inside `vision_tower` to what joins those that are read at other depths.
    """

    text_model: str = "model.language_model"
    layers: str = "layers"
    norm: str = "norm"
    rotary: str = "rotary_emb"
    embeddings: str = "embed_tokens"
    head: str = "lm_head"
    vision_tower: str | None = "model.vision_tower"
    vision_layers: str | None = "encoder.layers"
    projector: str | None = "model.multi_modal_projector"
    tower_rows: Literal["images", "tiles", "packed", "groups"] = "images"
    late_mergers: str | None = None


Joins = Callable[[Sequence[int], Sequence[int]], bool]
"""Whether two tiles that follow each other are of one image, by the token ids in front of the earlier one (as many as
there are, up to eight) and those between the two.
"""


@dataclass(frozen=True)
class Profile:
    """A model family.

    Args:
        family: the name that `for FAMILY` constrains a spec to.
        model_types: values of `model_type` in configs of this family.
        architecture: class in transformers that such a config builds.
        also: other classes in transformers that a checkpoint of the family may be of (`architectures` in its config).
        read: config, and the name to give the model, to its facts; raises SpecError (E0645) where the config lacks
            something.
        unsupported: why nothing of the family can be compiled yet, one sentence each; empty where the decoder is
            lowered.
        joins: where placeholders stand tile by tile: which tiles are one image. None where features come by image.
        blocks: which rows see each other in both directions, by `token_type_ids`: `images`, runs of ones; `prefix`,
            all zeros, which then must be given. None where all is causal.
        window_first: a sliding window cuts such blocks too (else it does not).
        exports: what an exported prefill takes of images: `pixels` of the usual one, or its `features`; empty where
            none is written, and then `not_exported` says why.
        notes: what one should know of its counts, one sentence each, for lists.
    """

    family: str
    model_types: tuple[str, ...]
    architecture: str
    read: Callable[[Config, str], ModelFacts] = field(repr=False)
    shipped: tuple[Shipped, ...] = ()
    torch: TorchNames = TorchNames()
    summary: str = ""
    unsupported: tuple[str, ...] = ()
    joins: Joins | None = field(default=None, repr=False)
    blocks: Literal["images", "prefix"] | None = None
    window_first: bool = False
    notes: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    exports: Literal["pixels", "features", ""] = ""
    not_exported: str = ""

    def facts(self, config: dict[str, object], name: str = "") -> ModelFacts:
        """The facts of a model of this family, from its config as JSON gives it.

        Raises:
            SpecError: E0645 where the config lacks a key or holds a value that cannot be.
        """
        return self.read(Config(config, name or self.family), name or self.family)
