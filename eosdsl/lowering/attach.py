"""Attaching to an unmodified transformers model and leaving it as it was."""

from __future__ import annotations

from types import MethodType
from typing import Any

from torch import fx

from eosdsl.lowering.anatomy import Anatomy
from eosdsl.lowering.calls import entering, refuse_outer
from eosdsl.lowering.forward import reduced_forward
from eosdsl.lowering.generating import generating
from eosdsl.lowering.refusals import refuse

_MARK = "eosdsl_attached"


class Attachment:
    """An operator on a model: the language model's `forward` replaced on the instance, and two pre-hooks.

    The first hook refuses calls; the second finds the images of a call and hands their layout to the language model
    as a keyword. `generate` is wrapped on the instance, to know where the prompt ends. Nothing else of the model is
    touched.

    Raises:
        SpecError: E0430 where the model carries an operator already.
    """

    def __init__(self, anatomy: Anatomy, graph: fx.GraphModule, first_site: int | None) -> None:
        if is_attached(anatomy.text):
            refuse("E0430", "the model already carries an operator", "detach the first one: compiled.detach()")
        self._anatomy = anatomy
        self._handles: list[Any] = []
        forward = reduced_forward(graph, first_site)
        setattr(forward, _MARK, True)
        self._own_forward = anatomy.text.__dict__.get("forward")
        anatomy.text.__dict__["forward"] = MethodType(forward, anatomy.text)
        self._own_generate = anatomy.model.__dict__.get("generate")
        if first_site is None:
            return
        self._handles = [
            anatomy.model.register_forward_pre_hook(self._outer, with_kwargs=True),
            anatomy.vlm.register_forward_pre_hook(self._inner, with_kwargs=True),
        ]
        generate = getattr(anatomy.model, "generate", None)
        if callable(generate):
            anatomy.model.__dict__["generate"] = generating(generate, anatomy.model)

    def remove(self) -> None:
        """Restore the model. Safe to call twice."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        _restore(self._anatomy.text, "forward", self._own_forward)
        _restore(self._anatomy.model, "generate", self._own_generate)

    def _outer(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        refuse_outer(model, kwargs)

    def _inner(self, vlm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (), entering(self._anatomy, args, kwargs)


def is_attached(text: Any) -> bool:
    """Whether a language model's forward is one of ours."""
    forward = text.__dict__.get("forward")
    return bool(getattr(forward, _MARK, False))


def _restore(module: Any, name: str, own: Any) -> None:
    """Give a module its own attribute back, or none where it had none (then its class's shows again)."""
    if own is not None:
        module.__dict__[name] = own
        return
    module.__dict__.pop(name, None)
