"""Are the special cases of a space reached, and not only expressible? Searches whose teachers are known methods.

Each learns from nothing but the hidden states of tiny-llava under the method (`eosdsl search … --teacher`). The method
is found where the site is within one layer, the tokens that stay are within 3%, and the behaviour has more than 0.9 of
the shares: all in the relaxed program as the search leaves it, before anything is made plain.

    python benchmarks/recovery.py                     one seed: some 15 minutes on one core
    python benchmarks/recovery.py --seeds 0 1 2 --teachers fastv tome
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recording import Bound, Results, options, read, settings, start, write

from eosdsl.ir.genome import Genome
from eosdsl.ir.nodes import DiscreteProgram, Mix, RelaxedProgram
from eosdsl.ir.schedule import SiteReduction
from eosdsl.ir.space import Space
from eosdsl.ir.spell import spell_value
from eosdsl.models.facts import ModelFacts
from eosdsl.parsing import parse, parse_source, source_of
from eosdsl.passes.bind import bind
from eosdsl.passes.sites import site_name
from eosdsl.searching.gradient import by_gradient
from eosdsl.searching.search import objective_of, opened

SPECS = Path(__file__).parent.parent / "specs"


@dataclass(frozen=True)
class Teacher:
    """A method, the space in which it is looked for, and the behaviour whose corner it is."""

    spec: str
    space: str
    behaviour: str


STEP = "remove {} tokens pick bipartite(on: keys) via merge(weight: size) with proportional_attention"
TEACHERS = {
    "fastv": Teacher((SPECS / "methods/fastv.eos").read_text(), "recovery", "prune"),
    "pooling": Teacher((SPECS / "methods/pooling.eos").read_text(), "recovery", "pool"),
    # one of ToMe's steps: in the decoder, and where ToMe has it
    "tome": Teacher(f"operator tome for llava\nat layer 3: {STEP.format(48)}", "recovery", "merge"),
    "tome_in_tower": Teacher(
        f"operator tome for llava\nat encoder layer 1 after attention: {STEP.format(36)}", "recovery_tower", "merge"
    ),
}


def main(words: Sequence[str] | None = None) -> None:
    parser = options(__doc__, "recovery")
    parser.add_argument("--model", default="tiny-llava")
    parser.add_argument("--teachers", nargs="+", default=list(TEACHERS), choices=list(TEACHERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--add", action="store_true", help="to the results that are there")
    given = start(parser, words)
    if given.tiny:
        given.steps, given.batch = 2, 2
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    rows = list(read(given.out).rows) if given.add and given.out.exists() else []
    for name in given.teachers:
        for seed in given.seeds:
            rows = [row for row in rows if (row["teacher"], row["seed"]) != (name, seed)]
            rows.append(recovered(name, seed, given))
            write(Results("recovery", settings(given), rows, bounds(rows)), given.out)
            print(line(rows[-1]), flush=True)


def recovered(name: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Search for a teacher: what was found beside what was to be found."""
    teacher = TEACHERS[name]
    source = source_of(SPECS / f"spaces/{teacher.space}.eos")
    program = parse_source(source)
    assert isinstance(program, RelaxedProgram)
    overrides = {"seed": seed, "steps": given.steps, "batch": given.batch}
    session, chosen = opened(
        program, source, given.model, "tasks", overrides=overrides, teacher=teacher.spec, questions=8
    )
    run = by_gradient(session, objective_of(session), (), chosen, None)
    wanted = _only(parse(teacher.spec), session.facts)
    found = _only(session.space.fill(run.genome), session.facts)
    return {
        "teacher": name,
        "seed": seed,
        "site": site_name(found.site),
        "teacher_site": site_name(wanted.site),
        "layers_apart": abs(found.site.layer - wanted.site.layer),
        "tokens": found.retained,
        "teacher_tokens": wanted.retained,
        "budget_apart": abs(found.retained / wanted.retained - 1),
        "pick": spell_value(found.groups[0].pick),
        "behaviour": teacher.behaviour,
        "weight": share(session.space, run.genome, teacher.behaviour),
        "steps": run.steps,
        "forwards": run.forwards,
        "seconds": run.seconds,
    }


def share(space: Space, genome: Genome, behaviour: str) -> float:
    """The share of a behaviour at the site that is open."""
    for statement in space.statements:
        for variant in statement.variants:
            mix = variant.step.groups[0].behaviour
            if genome[f"{variant.path}.gate"] and isinstance(mix, Mix):
                names = [part.behaviour.name for part in mix.parts]
                return float(genome[f"{variant.path}.groups[0].behaviour[{names.index(behaviour)}].share"])
    return 0.0


def bounds(rows: Sequence[Mapping[str, Any]]) -> list[Bound]:
    """What a teacher that was found has to show, for the worst of all."""
    return [
        Bound("layers between the sites", max(row["layers_apart"] for row in rows), "at most", 1),
        Bound("budgets apart", max(row["budget_apart"] for row in rows), "at most", 0.03),
        Bound("share of the behaviour", min(row["weight"] for row in rows), "at least", 0.9),
    ]


def line(row: Mapping[str, Any]) -> str:
    return (
        f"{row['teacher']:<14} seed {row['seed']}: {row['site']} (teacher: {row['teacher_site']}), {row['tokens']} of "
        f"{row['teacher_tokens']} tokens, {row['pick']}, {row['behaviour']} {row['weight']:.2f}; {row['seconds']:.0f} s"
    )


def _only(program: DiscreteProgram | RelaxedProgram, facts: ModelFacts) -> SiteReduction:
    assert isinstance(program, DiscreteProgram)
    schedule, found = bind(program, facts)
    assert schedule is not None, found
    (reduction,) = schedule.reductions
    return reduction


if __name__ == "__main__":
    main()
