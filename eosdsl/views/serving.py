"""What a serving engine can do with a program, as text."""

from __future__ import annotations

from eosdsl.ir.schedule import Schedule
from eosdsl.serving.fitness import Fitness


def serving_text(schedule: Schedule, answers: Fitness) -> str:
    """Three answers, and why not where not."""
    rows = (
        ("token counts known before the encoder runs", answers.known_ahead),
        ("reduces only before the first decoder layer", answers.before_decoder),
        ("the same whatever the question", not answers.reads_text),
        ("a mask over embeddings (--emit vllm)", answers.servable),
    )
    lines = [f"{schedule.name} on {schedule.model.name}, in a serving engine", ""]
    lines += [f"  {what:<46}{'yes' if yes else 'no'}" for what, yes in rows]
    if answers.reason is not None:
        lines += ["", f"No mask does it: {answers.reason}."]
    return "\n".join(lines)
