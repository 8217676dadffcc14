"""A small module with the functions by which vLLM-like engines leave embeddings out of a prompt.

Their contract (vLLM's `vllm/multimodal/video_prune/evs.py`, `vllm/multimodal/evs.py` in earlier versions): the count is
asked for with the prompt, the mask once the encoder has run, and the mask has just so many true entries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import DiscreteProgram, Step
from eosdsl.ir.schedule import Schedule
from eosdsl.ir.spell import spell_step
from eosdsl.serving.fitness import fitness

_MODULE = '''"""{title}: visual tokens left out before the decoder, for engines with the contract of vLLM's evs.py.

Written by eosdsl {version} for {model}. The count is known before the encoder runs and equals the mask's sum. `q`, the
engine's own rate, is not read: the step says how many stay.
"""

from __future__ import annotations

import torch

from eosdsl.serving.retention import {imported}

STEP = {step!r}
POSITIONS = {positions!r}


def compute_retained_tokens_count(tokens_per_frame: int, num_frames: int, q: float = 0.0) -> int:
    """Embeddings that stay of an image (one frame) or video."""
    return retained(STEP, tokens_per_frame * num_frames)


def compute_retention_mask(
    video_embeds: torch.Tensor,
    video_size_thw: torch.Tensor | tuple[int, int, int],
    spatial_merge_size: int,
    q: float = 0.0,
) -> torch.Tensor:
    """[T * H * W // spatial_merge_size ** 2] bool: which embeddings stay."""
    return retention_mask(STEP, video_embeds, video_size_thw, spatial_merge_size)


{places}'''
_ROWS = '''def compute_retained_positions(mask: torch.Tensor) -> torch.Tensor:
    """[K]: positions of those that stay, counted from the first embedding of the unreduced image."""
    return retained_positions(POSITIONS, mask)


def compute_next_position(mask: torch.Tensor) -> int:
    """The position of the first token behind the image, counted alike."""
    return next_position(POSITIONS, mask, None, 1)
'''
_GRID = '''def compute_retained_positions(
    mask: torch.Tensor,
    video_size_thw: torch.Tensor | tuple[int, int, int],
    spatial_merge_size: int,
    tokens_per_second: float = 1.0,
    video_second_per_grid: float = 1.0,
) -> torch.Tensor:
    """[K, 3]: M-RoPE positions (frame, row, column) of those that stay, counted from its start."""
    interval = tokens_per_second * video_second_per_grid
    return retained_grid_positions(POSITIONS, mask, video_size_thw, spatial_merge_size, interval)


def compute_next_position(
    mask: torch.Tensor, video_size_thw: torch.Tensor | tuple[int, int, int], spatial_merge_size: int
) -> int:
    """The position of the first token behind it, counted alike."""
    return next_position(POSITIONS, mask, video_size_thw, spatial_merge_size)
'''


def vllm_module(program: DiscreteProgram, schedule: Schedule) -> str:
    """The module's text.

    Raises:
        SpecError: E0455 with the reason where the program is no mask over embeddings.
    """
    from eosdsl import __version__

    why = fitness(schedule).reason
    if why is not None:
        message = f"{program.name} cannot be run by a mask over embeddings: {why}"
        raise SpecError([error("E0455", message, program.span, helps=("`eosdsl plan --serving` says what can",))])
    grid = schedule.model.decoder.rope == "mrope"
    names = ("next_position", "retained", "retained_grid_positions" if grid else "retained_positions", "retention_mask")
    return _MODULE.format(
        imported=", ".join(names),
        places=_GRID if grid else _ROWS,
        title=program.name,
        version=__version__,
        model=schedule.model.name,
        step=spell_step(_decided(program.steps[0], schedule)),
        positions=schedule.reductions[0].bookkeeping.positions,
    )


def _decided(step: Step, schedule: Schedule) -> Step:
    """The step with the scores that the site gave it."""
    bound = schedule.reductions[0].groups
    groups = tuple(replace(cast(Any, one), score=own.score) for one, own in zip(step.groups, bound, strict=True))
    return replace(cast(Any, step), groups=groups)
