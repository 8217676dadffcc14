"""The doors of the operator space: what a score, a pick and a behaviour are, and what they see.

Torch-free at import; tensor functions import torch inside. G counts images (each image is reduced on its own; a batch
of samples with several images each is G images), N tokens of an image at the site, K anchors, D features, H heads.
Parameters of an operator are the fields of its frozen pydantic model: their names, types and defaults are what the
language offers, documents, completes and checks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from eosdsl.operators.network import Network

if TYPE_CHECKING:
    from torch import Tensor

Query = Literal["last", "cls", "text", "raters", "visual", "all"]
Feature = Literal["hidden", "keys", "values"]
Weight = Literal["size", "mean", "score", "sum"]
Combine = Literal["average", "add_mean", "add_sum", "sequential"]


@dataclass(frozen=True)
class AttentionProbe:
    """Wanted: post-softmax attention of these query rows over the visual tokens, at this layer.

    `previous`/`next` are relative to the site; a number is a layer of the same stream. `concatenated` asks for one
    softmax over queries and keys with their heads side by side, scaled by the whole width (H = 1 then).
    """

    query: Query
    layer: Literal["previous", "next"] | int = "previous"
    concatenated: bool = False


@dataclass(frozen=True)
class KeysProbe:
    """Wanted: keys of the tokens (decoder: layer before the site, after rope, heads concatenated; tower: head mean)."""


@dataclass(frozen=True)
class ValuesProbe:
    """Wanted: values of the tokens, from the same layer as the keys, heads concatenated."""


@dataclass(frozen=True)
class TextProbe:
    """Wanted: features of the question in the space of the tokens: `text` [G, T, F]."""


@dataclass(frozen=True)
class LearnedProbe:
    """Wanted: scores [G, N] by a learned module of this name, which is such a network."""

    module: str
    network: Network


Probe = AttentionProbe | KeysProbe | ValuesProbe | TextProbe | LearnedProbe


def feature_probes(feature: Feature) -> frozenset[Probe]:
    """What must be asked for to read these features of the tokens."""
    if feature == "hidden":
        return frozenset()
    return frozenset({KeysProbe() if feature == "keys" else ValuesProbe()})


@dataclass(frozen=True)
class AttentionRows:
    """`weights` [G, H, R, N], softmax over all keys; `row_valid` [G, R] bool, None where all rows count."""

    weights: Tensor
    row_valid: Tensor | None = None

    def parts(self) -> Iterator[AttentionRows]:
        """The rows, as many at a time as are held together: all."""
        yield self


@dataclass(frozen=True)
class AskedRows:
    """As `AttentionRows`, of `count` rows that are made when they are looked at, `at_once` of them in a part.

    Every token asked about every other is N x N for each head; of that only a part is held, unless a rule needs all
    `weights`. make: weights [G, H, r, N] of the rows in a slice.
    """

    make: Callable[[slice], Tensor]
    count: int
    at_once: int
    row_valid: Tensor | None = None

    @property
    def weights(self) -> Tensor:
        return self.make(slice(0, self.count))

    def parts(self) -> Iterator[AttentionRows]:
        for start in range(0, self.count, self.at_once):
            rows = slice(start, start + self.at_once)
            yield AttentionRows(self.make(rows), None if self.row_valid is None else self.row_valid[:, rows])


@dataclass(frozen=True)
class Tokens:
    """What a step sees. All images of a call are padded to N; `valid` [G, N] bool says which rows exist (None: all).

    hidden [G, N, D]; sizes [G, N] float32, how many original tokens a row stands for; index [G, N] int64, the original
    (unreduced) place of a row in its image: it seeds `random`, orders `position`, breaks ties and finds grid cells;
    grid (rows, columns) of the unreduced image, None where it has none; frame [G, N] int64, the frame of a video that a
    row comes from; text [G, T, F] and text_valid [G, T], features of the image's question; learned: scores [G, N] by
    module. `ascending` promises that `index` ascends along every image (it does until a step orders rows otherwise).
    The reduction fills in for the group at work: scores [G, N] float32, and free [G, N] bool, the rows that earlier
    groups left. presence [G, N] from 0 to 1: how much a row counts among the others where a search has them fade (None:
    `valid` says it).
    """

    hidden: Tensor
    sizes: Tensor
    index: Tensor
    valid: Tensor | None = None
    keys: Tensor | None = None
    values: Tensor | None = None
    attention: Mapping[AttentionProbe, AttentionRows | AskedRows] = field(default_factory=dict)
    text: Tensor | None = None
    grid: tuple[int, int] | None = None
    frame: Tensor | None = None
    text_valid: Tensor | None = None
    learned: Mapping[str, Tensor] = field(default_factory=dict)
    ascending: bool = True
    scores: Tensor | None = None
    free: Tensor | None = None
    presence: Tensor | None = None


@dataclass(frozen=True)
class Reduction:
    """What a step gives back: Y = W X, K rows an image, in the step's order.

    hidden [G, K, D]; anchors [G, K] int64 into the N incoming rows, -1 for a row without an anchor; sizes [G, K]
    float32; valid [G, K] bool, None where every row counts; weights [G, K, N], float32 at least, is built on request.
    """

    hidden: Tensor
    anchors: Tensor
    sizes: Tensor
    valid: Tensor | None = None
    weigh: Callable[[], Tensor] | None = field(default=None, repr=False, compare=False)

    @property
    def weights(self) -> Tensor:
        """W [G, K, N] in the precision it was computed in (float32 at least), zero rows where `valid` is False."""
        if self.weigh is None:
            raise AttributeError("this reduction was made without weights")
        return self.weigh()


@dataclass(frozen=True)
class CostContext:
    """Sizes that reducer costs depend on: incoming `tokens` per image, `rows` of the whole sequence (with text),
    `text_rows`, `width` of a token, `heads`, `head_width`, `kv_heads`, anchors `kept`. `patches`: rows of a token, side
    by side in its width (more than one in a tower that joins them)."""

    tokens: int
    kept: int
    rows: int
    text_rows: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    patches: int = 1

    @property
    def row_width(self) -> int:
        """Width of a row of the stream."""
        return self.width // self.patches

    def feature_width(self, feature: Feature) -> int:
        """Width of a token's hidden state, or of its keys or values with their heads side by side."""
        return self.width if feature == "hidden" else self.kv_heads * self.head_width * self.patches


class Operator(BaseModel, ABC):
    """A member of the operator space. The class docstring is its page; the first line is its summary."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: ClassVar[str]
    reads_grid: ClassVar[bool] = False
    """Whether it goes by rows and columns of the image."""

    def probes(self) -> frozenset[Probe]:
        """What it must be given besides the hidden state."""
        return frozenset()

    @abstractmethod
    def macs(self, context: CostContext) -> int:
        """Multiply-accumulates per image and site, everything that has to be recomputed for it included."""


class Score(Operator, ABC):
    """Rates tokens: higher is more worth keeping."""

    standardised: ClassVar[bool] = True
    """Whether a sum standardises this term; only `raw` says no."""

    @property
    def reads_text(self) -> bool:
        """Whether the result depends on the question (then it cannot be cached across questions)."""
        return False

    @abstractmethod
    def compute(self, tokens: Tokens) -> Tensor:
        """Scores [G, N], float32, raw: a sum standardises. Rows that are not valid may hold anything finite."""


class Similarity(Operator, ABC):
    """Says how alike a token and an anchor are: higher is more alike."""

    identical: ClassVar[float] = 1.0
    """The similarity of equals: distance is `identical` - similarity."""

    takes_all: ClassVar[bool] = False
    """Whether `matrix` takes None for the anchors as well: all N. A search then need not copy every row."""

    @abstractmethod
    def matrix(self, tokens: Tokens, anchors: Tensor | None, columns: Tensor | None) -> Tensor:
        """Similarity [G, K, C] float32 of rows anchors [G, K] to rows columns [G, C], None: to all N.

        Rows of -1 stand for nothing and may give anything finite. The tensor is a new one: callers may write to it.
        """


class Support(Operator, ABC):
    """Says which tokens an anchor may take in."""

    reads_all: ClassVar[bool] = False
    """Whether `columns` must be all tokens, retained ones too, for the support to be told."""

    reads_distance: ClassVar[bool] = True
    """Whether `distance` is looked at; where it is not it may hold anything."""

    @abstractmethod
    def mask(self, tokens: Tokens, anchors: Tensor, columns: Tensor | None, distance: Tensor) -> Tensor:
        """[G, K, C] bool, broadcastable: may anchor i take token j. `distance` [G, K, C] is by its similarity."""


class Pick(Operator, ABC):
    """Chooses anchors."""

    anchored: ClassVar[bool] = True
    """False where rows have no anchor among the tokens and start empty (`extra`)."""

    @property
    def ranks(self) -> bool:
        """Whether anchors are simply the highest scores: a search can then choose softly."""
        return False

    @property
    def uses_score(self) -> bool:
        """Whether the scores are read; where they are not they need not be computed."""
        return True

    def own_count(self, incoming: int, grid: tuple[int, int] | None) -> int | None:
        """The number of anchors, where the pick brings its own (`grid(2x2)`); None where the budget decides."""
        del incoming, grid
        return None

    def own_similarity(self) -> Similarity | None:
        """The similarity that goes with the pick, used where the behaviour names none."""
        return None

    def own_support(self) -> Support | None:
        """The support that goes with the pick, used where the behaviour names none."""
        return None

    def own_order(self, tokens: Tokens, anchors: Tensor, *, by_score: bool) -> Tensor | None:
        """Sort keys [G, K], ascending, for `order: score` or `order: anchors_then_rest`, where the pick has its own."""
        del tokens, anchors, by_score
        return None

    def priority(self, tokens: Tokens, scores: Tensor) -> Tensor:
        """What goes first [G, N] where the budget `distance` decides: the scores, or the pick's own."""
        del tokens
        return scores

    @abstractmethod
    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        """Anchors [G, most] int64 in ascending row order, -1 after an image's own count.

        free [G, N] bool: rows that may be chosen (valid, not taken by earlier groups); counts [G] int64: anchors wanted
        per image, at most `most`, never more than are free. Ties go to the lower position.
        """


@dataclass(frozen=True)
class Decision:
    """What an adaptive budget decides: `counts` [G] int64, at least one; `chosen` [G, N] bool where it also chooses."""

    counts: Tensor
    chosen: Tensor | None = None


class Budget(Operator, ABC):
    """A number of anchors that depends on what is in the image."""

    @property
    def uses_score(self) -> bool:
        """Whether the scores are read."""
        return True

    @abstractmethod
    def decide(self, tokens: Tokens, scores: Tensor, free: Tensor, pick: Pick) -> Decision:
        """How many of the rows `free` [G, N] a group that chooses by `pick` takes."""


class Behaviour(Operator, ABC):
    """Says with which weights anchors take in the others. One that takes in nothing (`prune`) derives from this."""


class Absorbing(Behaviour, ABC):
    """A behaviour whose anchors take others in: where from, by what likeness, and how the rows are put together."""

    sharp: ClassVar[bool] = False
    """True where every column of A has one entry, at the largest affinity: the reduction then scatters."""

    copies: ClassVar[bool] = False
    """True where anchors take copies: of other anchors too, and of tokens that others take in as well."""

    similarity: Similarity | None = Field(
        default=None, description="likeness of token and anchor; else the pick's own or cosine"
    )
    within: Support | None = Field(
        default=None, description="what an anchor may take in; else the pick's own or everywhere"
    )
    weight: Weight = Field(
        default="size",
        description="weigh rows by their sizes, all alike, by the group's score, or add them up undivided",
    )
    combine: Combine = Field(
        "average",
        description="weighted average with the anchor, anchor + mean or sum of its members, or halving one by one",
    )

    @abstractmethod
    def weights(self, affinity: Tensor) -> Tensor:
        """A [G, K, C] float32 from affinity [G, K, C]: the similarity, -inf where anchor i may not take token j.

        Columns of A sum to at most one (unless it `copies`); a token that no anchor may take has a zero column: it is
        dropped.
        """

    def probes(self) -> frozenset[Probe]:
        parts = [part.probes() for part in (self.similarity, self.within) if part is not None]
        return frozenset().union(*parts)

    def macs(self, context: CostContext) -> int:
        """The weighted sum of the others: each added to one anchor where the behaviour is sharp, else shared out over
        all of them (a K x C product, whatever entries a support leaves at zero). The similarity counts for itself."""
        taken = max(context.tokens - context.kept, 0) * context.width
        return taken if self.sharp and self.combine != "sequential" else context.kept * taken
