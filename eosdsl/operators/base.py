"""The doors of the operator space: what a score, a pick and a behaviour are, and what they see.

Torch-free at import; tensor functions import torch inside. G counts images (each image is reduced on its own; a batch
of samples with several images each is G images), N tokens of an image at the site, K anchors, D features, H heads.
Parameters of an operator are the fields of its frozen pydantic model: their names, types and defaults are what the
language offers, documents, completes and checks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from torch import Tensor

Query = Literal["last", "cls", "text", "raters", "all"]


@dataclass(frozen=True)
class AttentionProbe:
    """Wanted: post-softmax attention of these query rows over the visual tokens, at this layer.

    `previous`/`next` are relative to the site; a number is a layer of the same stream.
    """

    query: Query
    layer: Literal["previous", "next"] | int = "previous"


@dataclass(frozen=True)
class KeysProbe:
    """Wanted: keys of the tokens (decoder: layer before the site, after rope, heads concatenated; tower: head mean)."""


@dataclass(frozen=True)
class ValuesProbe:
    """Wanted: values of the tokens, from the same layer as the keys, heads concatenated."""


Probe = AttentionProbe | KeysProbe | ValuesProbe


@dataclass(frozen=True)
class AttentionRows:
    """`weights` [G, H, R, N], softmax over all keys of the layer; `row_valid` [G, R] bool, None where all rows count."""

    weights: Tensor
    row_valid: Tensor | None = None


@dataclass(frozen=True)
class Tokens:
    """What a step sees. All images of a call are padded to N; `valid` [G, N] bool says which rows exist (None: all).

    hidden [G, N, D]; sizes [G, N] float32, how many original tokens a row stands for; index [G, N] int64, the original
    (unreduced) place of a row in its image: it seeds `random`, orders `position`, breaks ties and finds grid cells;
    grid (rows, columns) of the unreduced image, None where it has none.
    """

    hidden: Tensor
    sizes: Tensor
    index: Tensor
    valid: Tensor | None = None
    keys: Tensor | None = None
    values: Tensor | None = None
    attention: Mapping[AttentionProbe, AttentionRows] = field(default_factory=dict)
    text: Tensor | None = None
    grid: tuple[int, int] | None = None


@dataclass(frozen=True)
class Reduction:
    """What a step gives back: Y = W X, K rows an image, in the step's order.

    hidden [G, K, D]; anchors [G, K] int64 into the N incoming rows, -1 for a row without an anchor; weights [G, K, N]
    float32; sizes [G, K] float32; valid [G, K] bool, None where every row counts.
    """

    hidden: Tensor
    anchors: Tensor
    weights: Tensor
    sizes: Tensor
    valid: Tensor | None = None


@dataclass(frozen=True)
class CostContext:
    """Sizes that reducer costs depend on: incoming `tokens` per image, `rows` of the whole sequence (with text),
    `text_rows`, stream `width`, `heads`, `head_width`, `kv_heads`, anchors `kept`."""

    tokens: int
    kept: int
    rows: int
    text_rows: int
    width: int
    heads: int
    kv_heads: int
    head_width: int


class Operator(BaseModel):
    """A member of the operator space. The class docstring is its page; the first line is its summary."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]

    def probes(self) -> frozenset[Probe]:
        """What it must be given besides the hidden state."""
        return frozenset()

    @abstractmethod
    def macs(self, context: CostContext) -> int:
        """Multiply-accumulates per image and site, everything that has to be recomputed for it included."""


class Score(Operator, ABC):
    """Rates tokens: higher is more worth keeping."""

    @property
    def reads_text(self) -> bool:
        """Whether the result depends on the question (then it cannot be cached across questions)."""
        return False

    @abstractmethod
    def compute(self, tokens: Tokens) -> Tensor:
        """Scores [G, N], float32, raw (standardising is the sum's work). Rows that are not valid may hold anything finite."""


class Pick(Operator, ABC):
    """Chooses anchors. `uses_score` False: the scores are not read (and need not be computed)."""

    uses_score: ClassVar[bool] = True

    @abstractmethod
    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        """Anchors [G, most] int64 in ascending row order, -1 after an image's own count.

        free [G, N] bool: rows that may be chosen (valid, not taken by earlier groups); counts [G] int64: anchors wanted
        per image, at most `most`, never more than are free. Ties go to the lower position.
        """


class Behaviour(Operator, ABC):
    """Says with which weights anchors take in the others."""

    absorbs: ClassVar[bool] = True

    @abstractmethod
    def weights(self, tokens: Tokens, anchors: Tensor, rest: Tensor) -> Tensor:
        """A [G, K, N] float32, zero outside `rest` [G, N] bool (the tokens that are given up) and for anchors of -1.

        Columns of A sum to at most one (over the anchors in the token's support); a token with no anchor in its support
        has a zero column: it is dropped. Dense is the contract; a behaviour may build it sparsely.
        """
