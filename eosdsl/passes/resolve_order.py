"""The order of steps: that of the forward pass, as far as it is known without a model."""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.ir.nodes import Step
from eosdsl.syntax.order import Key, in_forward_order, place_of


def order_steps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps of a program in forward order."""
    return tuple(in_forward_order(steps, _step_key))


def _step_key(step: Step) -> Key:
    where = step.where
    if where.stream == "encoder_output":
        return place_of(where.stream, 0, None, False)
    if len(where.layers) == 1:
        return place_of(where.stream, where.layers[0].index, where.layers[0].depth, where.after_attention)
    indices = [ref.index for ref in where.layers]
    depths = [ref.depth for ref in where.layers]
    index = min((i for i in indices if i is not None), default=0) if None not in indices else None
    depth = min((d for d in depths if d is not None), default=None) if None not in depths else None
    return place_of(where.stream, index, depth, where.after_attention)
