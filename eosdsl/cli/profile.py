"""`eosdsl profile`: a latency table of a model on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import say
from eosdsl.cli.options import Color, ColorMode, Device, Dtype, Quiet, Verbose

if TYPE_CHECKING:
    from eosdsl.cost.latency import LatencyProfile, Trial

EXAMPLES = """
eosdsl profile --model ./my-llava --out laptop.json                measure
eosdsl plan fastv.eos --model ./my-llava --profile laptop.json     predict milliseconds
eosdsl search space.eos --model ./my-llava --profile laptop.json …  search under `latency <= 60%`
"""


def command(
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="A folder with weights, or a hub id.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="Where to write the profile.")],
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Timings behind each median.")] = 5,
    prompt: Annotated[str, typer.Option("--prompt", help="The question of the timed prompt.")] = "what is this",
    dtype: Dtype = None,
    device: Device = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure how long a model's layers take over so many rows on this machine, and write the table.

    The file names machine, precision and versions: it predicts nothing elsewhere. With it, `plan` prints milliseconds
    and a search can be held to `latency`. Prefills that the table was not made of show how well it predicts.
    """
    from eosdsl.run.profiling import measure, one_prompt
    from eosdsl.writing import write_text

    loaded, inputs = one_prompt(model, prompt, dtype, device)
    made = measure(loaded, inputs, rounds=rounds, say=(lambda line: None) if quiet else partial(say, to_stderr=True))
    write_text(Path(out), made.model_dump_json(indent=2) + "\n")
    if not quiet:
        say(_summary(made, out))


def _summary(made: LatencyProfile, out: str) -> str:
    start, linear, square = made.curve
    lines = [f"{made.model}, {made.dtype} on {made.device}, {made.threads} threads", "", " rows   a layer takes"]
    lines += [
        f"{one.rows:5d}   {one.milliseconds:.3f} ms (curve {made.layer(float(one.rows)):.3f})" for one in made.table
    ]
    lines += [
        "",
        f"a layer over n rows: {start:.4g} + {linear:.4g} n + {square:.4g} n² ms, at most {made.table_error:.1%} off",
        f"besides the layers {made.rest:.3f} ms, an operator {made.attached:.3f} ms, each reduction {made.site:.3f} ms",
        "",
        "of the full model's prefill",
        "predicted   measured      off",
        *(_line(one) for one in made.trials),
        f"written to {out}",
    ]
    return "\n".join(lines)


def _line(trial: Trial) -> str:
    off = trial.predicted_share / trial.measured_share - 1
    return f"{trial.predicted_share:9.1%}  {trial.measured_share:9.1%}  {off:+7.1%}   {trial.spec}"
