"""Attaching to an unmodified transformers model and leaving it as it was."""

from __future__ import annotations

from types import MethodType
from typing import Any

from transformers.masking_utils import create_masks_for_generate

from eosdsl.lowering.anatomy import FEATURE_LAYER, Anatomy
from eosdsl.lowering.build import Lowered, LoweredTower
from eosdsl.lowering.cache import prepare_static
from eosdsl.lowering.cache_name import CACHE
from eosdsl.lowering.calls import checked_outer, entering, keywords_of, with_notes
from eosdsl.lowering.cell_tower import Layers, LoweredCells, all_layers, features, selected
from eosdsl.lowering.forward import reduced_forward
from eosdsl.lowering.generating import generating, refuse_continuous
from eosdsl.lowering.halves import divisible
from eosdsl.lowering.masks import masks_for_generate
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.restoring import Restoring
from eosdsl.lowering.tower import encoder_forward, image_features, projector_hook

MARK = "eosdsl_attached"


class Attachment(Restoring):
    """An operator on a model: the language model's `forward` replaced on the instance, and two pre-hooks; where it
    reduces in the vision tower, what `eosdsl.lowering.tower` names besides.

    The first hook refuses calls; the second finds the images of a call and hands their layout to the language model as
    a keyword. `generate` is wrapped on the instance, to know where the prompt ends, and continuous batching is refused
    there. Nothing else of the model is touched.

    Raises:
        SpecError: E0430 where the model carries an operator already.
    """

    def __init__(self, anatomy: Anatomy, lowered: Lowered) -> None:
        super().__init__()
        if is_attached(anatomy.text):
            refuse("E0430", "the model already carries an operator", "detach the first one: compiled.detach()")
        self._anatomy = anatomy
        self._noted = lowered.tower is not None
        self._known = keywords_of(type(anatomy.vlm))
        forward = reduced_forward(lowered)
        setattr(forward, MARK, True)
        self.replace(anatomy.text, "forward", MethodType(forward, anatomy.text))
        for layer in lowered.split:
            self.replace(layer, "forward", divisible(layer, layer.forward))
        if isinstance(lowered.tower, LoweredCells):
            self._enter_cells(anatomy, lowered.tower)
        elif lowered.tower is not None:
            self._enter_tower(anatomy, lowered.tower)
        if lowered.first_site is not None:
            self._watch_calls(anatomy, lowered.first_site)

    def _enter_tower(self, anatomy: Anatomy, lowered: LoweredTower) -> None:
        tower = lowered.tower
        vlm: Any = anatomy.vlm
        forward = encoder_forward(lowered.graph, tower, lowered.wanted, tower.stack.forward)
        self.replace(tower.stack, "forward", forward)
        self.replace(vlm, "get_image_features", image_features(vlm.get_image_features, tower))
        self.handles.append(tower.projector.register_forward_pre_hook(projector_hook(tower)))

    def _enter_cells(self, anatomy: Anatomy, lowered: LoweredCells) -> None:
        tower = lowered.tower
        self.replace(tower.owner, tower.name, Layers(tower.layers, all_layers(lowered)))
        if FEATURE_LAYER in tower.selects:
            self.handles.append(tower.projector.register_forward_pre_hook(selected(tower)))
        for kind in anatomy.placeholders:
            name = f"get_{kind}_features"
            if callable(getattr(anatomy.vlm, name, None)):
                self.replace(anatomy.vlm, name, features(getattr(anatomy.vlm, name), tower, kind))

    def _watch_calls(self, anatomy: Anatomy, first_site: int) -> None:
        model: Any = anatomy.model
        self._first_site = first_site
        self.handles += [
            model.register_forward_pre_hook(self._outer, with_kwargs=True),
            anatomy.vlm.register_forward_pre_hook(self._inner, with_kwargs=True),
        ]
        if callable(getattr(model, "generate", None)):
            self.replace(model, "generate", generating(model.generate, model))
            make = getattr(model, "create_masks_for_generate", create_masks_for_generate)
            self.replace(model, "create_masks_for_generate", masks_for_generate(make, first_site, anatomy.attending))
        if callable(getattr(model, "init_continuous_batching", None)):
            self.replace(model, "init_continuous_batching", refuse_continuous)

    def _outer(
        self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kwargs = checked_outer(model, kwargs)
        return args, with_notes(kwargs) if self._noted else kwargs

    def _inner(self, vlm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        call = entering(self._anatomy, args, kwargs, noted=self._noted, known=self._known)
        if self._anatomy.attending.window is not None:
            prepare_static(call.get(CACHE), self._first_site, len(self._anatomy.layers))
        return (), call


def is_attached(text: Any) -> bool:
    """Whether a language model's forward is one of ours."""
    forward = text.__dict__.get("forward")
    return bool(getattr(forward, MARK, False))
