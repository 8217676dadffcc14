"""Where the parts of a transformers vision-language model are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from eosdsl.lowering.attending import CAUSAL, Attending, attending_of
from eosdsl.lowering.projections import attention_of
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.tiles import Tiles
from eosdsl.models.facts import ModelFacts
from eosdsl.models.profile import Profile, TorchNames

MODALITIES = ("image", "video")
"""What is seen, in the order that transformers encodes it."""
FEATURE_LAYER = "vision_feature_layer"
_SELECTS = (FEATURE_LAYER, "vision_feature_layers", "vision_feature_select_strategy")
_LAST_NORM = "post_layernorm"


@dataclass(frozen=True)
class Anatomy:
    """One model, taken apart. `model` generates; `vlm` puts visual features among the text; `text` is the decoder.

    placeholders: ids of the tokens that visual features take the place of, by modality: `image`, and `video` where the
    family has it. tiles: where placeholders stand tile by tile; attending: how the layers attend.
    """

    model: nn.Module
    vlm: nn.Module
    text: nn.Module
    layers: tuple[nn.Module, ...]
    norm: nn.Module
    rotary: nn.Module
    config: Any
    placeholders: Mapping[str, int]
    tiles: Tiles | None = None
    attending: Attending = CAUSAL


@dataclass(frozen=True)
class Tower:
    """The vision tower. `stack` runs `layers` one after the other; `projector` takes its features to the decoder's
    width.

    leading: rows in front of the patches (CLS, registers); dropped: how many of those selection leaves out; features:
    rows that an image has in the decoder; feature_layer: layers behind which they are taken; selects: how the config
    says so; norm: the tower's last norm, where features are taken behind it; reads: where features are those of several
    layers side by side, behind how many layers each is taken.
    """

    stack: nn.Module
    layers: tuple[nn.Module, ...]
    projector: nn.Module
    config: Any
    leading: int
    dropped: int
    features: int
    feature_layer: int
    selects: Mapping[str, Any]
    norm: nn.Module | None = None
    reads: tuple[int, ...] = ()


def dissect(model: nn.Module, profile: Profile, known: ModelFacts) -> Anatomy:
    """The parts of `model`, found where its family's profile says. Raises SpecError (E0438) where one is missing."""
    whole, names = whole_model(model), profile.torch
    text = _part(whole, names.text_model, "language model")
    vlm = _part(whole, names.text_model.rpartition(".")[0], "vision-language model")
    layers = _layers(whole, text, names.layers)
    rotary = _part(text, names.rotary, "rotary embedding")
    return Anatomy(
        model=whole,
        vlm=vlm,
        text=text,
        layers=layers,
        norm=_part(text, names.norm, "last norm"),
        rotary=rotary,
        config=text.config,
        placeholders=_placeholders(whole),
        tiles=None if profile.joins is None else Tiles(known.tile_tokens, profile.joins),
        attending=attending_of(text, rotary, profile.blocks, profile.window_first),
    )


@dataclass(frozen=True)
class CellTower:
    """A vision tower whose patches are joined behind it, `merge` by `merge` (see `cells`).

    owner: the module that has the list of layers, which it calls `name`; packed: all images are one sequence, else
    every tile is one, `tokens` of the decoder each; leading: rows in front of a sequence's patches; late: what joins
    the patches that are read behind `late_depths` layers; tiles: which of them are one image; placeholder: of images;
    packer: what puts the tiles of an image together behind the projector, None: nothing.
    """

    owner: nn.Module
    name: str
    layers: tuple[nn.Module, ...]
    projector: nn.Module
    config: Any
    known: ModelFacts
    merge: int
    packed: bool
    leading: int
    tokens: int
    feature_layer: int
    selects: Mapping[str, Any]
    late: tuple[nn.Module, ...]
    tiles: Tiles | None
    placeholder: int
    packer: Any = None

    @property
    def late_depths(self) -> tuple[int, ...]:
        assert self.known.encoder is not None
        return self.known.encoder.late_depths

    @property
    def windowed(self) -> tuple[int, ...]:
        """Layers that attend within windows."""
        assert self.known.encoder is not None
        return self.known.encoder.windowed_layers


def find_tower(model: nn.Module, anatomy: Anatomy, names: TorchNames, known: ModelFacts) -> Tower | CellTower:
    """The vision tower of `model`. Raises SpecError (E0436, E0438) where reductions in it cannot be lowered."""
    if names.tower_rows == "images":
        return dissect_tower(model, names, known)
    tower = _tower_of(anatomy.model, names, known)
    encoder = known.encoder
    assert encoder is not None and names.vision_layers is not None
    path, _, name = names.vision_layers.rpartition(".")
    late = _part(tower, names.late_mergers, "mergers of other depths") if names.late_mergers else ()
    selects = {one: getattr(anatomy.model.config, one) for one in _SELECTS if hasattr(anatomy.model.config, one)}
    return CellTower(
        owner=_part(tower, path, "stack of encoder layers") if path else tower,
        name=name,
        layers=_layers(anatomy.model, tower, names.vision_layers),
        projector=_part(anatomy.model, str(names.projector), "projector"),
        config=tower.config,
        known=known,
        merge=known.projector.merge if known.projector else 1,
        packed=names.tower_rows == "groups",
        leading=int(encoder.has_cls) + encoder.registers,
        tokens=known.tile_tokens,
        feature_layer=encoder.layers_run,
        selects=selects,
        late=tuple(late),
        tiles=anatomy.tiles,
        placeholder=anatomy.placeholders["image"],
        packer=anatomy.vlm if names.tower_rows == "packed" else None,
    )


def _tower_of(whole: Any, names: TorchNames, known: ModelFacts) -> Any:
    """The module of the tower, where reductions in it can be lowered."""
    if names.vision_tower is None or names.vision_layers is None or names.projector is None or known.encoder is None:
        refuse("E0438", f"{type(whole).__name__} has no vision tower with a stack of layers")
    if known.tower_refused:
        refuse(
            "E0436",
            f"reductions in the vision tower of {known.family} are not possible: {known.tower_refused}",
            "reduce `at input`, behind the projector, or in the decoder",
        )
    return _part(whole, names.vision_tower, "vision tower")


def dissect_tower(model: nn.Module, names: TorchNames, known: ModelFacts) -> Tower:
    """The vision tower of `model`. Raises SpecError (E0436, E0438) where reductions in it cannot be lowered."""
    whole = whole_model(model)
    encoder = known.encoder
    tower = _tower_of(whole, names, known)
    assert encoder is not None and names.vision_layers is not None and names.projector is not None
    if names.tower_rows != "images":
        refuse(
            "E0436",
            f"the vision tower of {known.family} joins or packs patches: nothing can be searched or trained in it",
            "search `at input`, and put what it finds at the tower's output by hand",
        )
    selects = {name: getattr(whole.config, name) for name in _SELECTS if hasattr(whole.config, name)}
    dropped = known.patches + encoder.extra_rows - known.visual_tokens
    leading = int(encoder.has_cls) + encoder.registers
    if dropped and leading != 1:
        refuse("E0436", "the model leaves out a patch when it selects features: its tower cannot be reduced")
    chosen = selects.get(FEATURE_LAYER, selects.get(f"{FEATURE_LAYER}s"))
    several = chosen if isinstance(chosen, list | tuple) and len(chosen) > 1 else ()
    return Tower(
        stack=_part(tower, names.vision_layers.rpartition(".")[0], "stack of encoder layers"),
        layers=_layers(whole, tower, names.vision_layers),
        projector=_part(whole, names.projector, "projector"),
        config=tower.config,
        leading=leading,
        dropped=dropped,
        features=known.visual_tokens,
        feature_layer=encoder.layers_run,
        selects=selects,
        norm=None if chosen is not None else _part(tower, _LAST_NORM, "last norm"),
        reads=tuple(i if i >= 0 else encoder.layers + 1 + i for i in several),
    )


def dissect_encoder(model: nn.Module, names: TorchNames, known: ModelFacts) -> Tower:
    """An image encoder that stands alone: its features are the rows of its last layer, and nothing projects them.

    Raises:
        SpecError: E0430 where it carries an operator, E0438 where its layers are not found.
    """
    whole, encoder = whole_model(model), known.encoder
    assert encoder is not None and names.vision_layers is not None
    tower = getattr(whole, str(names.vision_tower), whole)
    path, _, name = names.vision_layers.rpartition(".")
    stack = _part(tower, path, "encoder") if path else tower
    if name in vars(stack):
        refuse("E0430", "the model already carries an operator", "detach the first one: compiled.detach()")
    return Tower(
        stack=stack,
        layers=_layers(whole, tower, names.vision_layers),
        projector=nn.Identity(),
        config=tower.config,
        leading=int(encoder.has_cls) + encoder.registers,
        dropped=0,
        features=known.visual_tokens,
        feature_layer=encoder.layers,
        selects={},
    )


def whole_model(model: nn.Module) -> Any:
    """The transformers model inside PEFT's wrapper, if there is one."""
    base = getattr(model, "get_base_model", None)
    return base() if callable(base) else model


def _placeholders(whole: Any) -> dict[str, int]:
    named = {kind: getattr(whole.config, f"{kind}_token_id", None) for kind in MODALITIES}
    if named["image"] is None:
        refuse("E0438", f"the config of {type(whole).__name__} has no image_token_id")
    return {kind: int(token) for kind, token in named.items() if token is not None}


def _part(parent: nn.Module, path: str, what: str) -> Any:
    part: Any = parent
    for name in path.split("."):
        part = getattr(part, name, None)
    if not isinstance(part, nn.Module):
        refuse("E0438", f"{type(parent).__name__} has no {what} (`{path}`)")
    return part


def _layers(whole: nn.Module, parent: nn.Module, path: str) -> tuple[nn.Module, ...]:
    layers = _part(parent, path, "list of layers")
    if not isinstance(layers, nn.ModuleList) or not all(_has_attention(layer) for layer in layers):
        refuse("E0438", f"layers of {type(whole).__name__} have no attention with q_proj, k_proj and v_proj (`{path}`)")
    return tuple(layers)


def _has_attention(layer: nn.Module) -> bool:
    attention = attention_of(layer)
    return hasattr(attention, "qkv") or all(hasattr(attention, name) for name in ("q_proj", "k_proj", "v_proj"))
