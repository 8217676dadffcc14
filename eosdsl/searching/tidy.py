"""What a derived operator says and nothing reads, left out: it means the same without."""

from __future__ import annotations

from eosdsl.ir.nodes import AttentionBias, DiscreteProgram, Group, Mix, Step
from eosdsl.ir.own_budget import own_budget
from eosdsl.ir.quantities import Call, Word
from eosdsl.ir.schedule import Schedule
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.bind import bind
from eosdsl.rules.support import absorbs, has_bias, parts, reads_score


def tidied(program: DiscreteProgram, facts: ModelFacts) -> DiscreteProgram:
    """The program without scores that no pick and no weight reads, budgets beside a pick that counts for itself, and
    biases by sizes that no row has."""
    schedule, _ = bind(program, facts)
    if schedule is None:
        return program
    told = _told(schedule)
    steps = tuple(_tidied(step, biased=number in told) for number, step in enumerate(program.steps))
    return program.model_copy(update={"steps": steps})


def _told(schedule: Schedule) -> set[int]:
    """The statements whose bias some attention is told of: it is in force where a row stands for several tokens."""
    told: set[int] = set()
    in_force: dict[bool, int] = {}  # the tower's stays there
    merged = False
    for reduction in schedule.reductions:  # in forward order
        in_tower = reduction.site.stream == "encoder"
        merged = merged or any(absorbs(group.behaviour) for group in reduction.groups)
        if has_bias(reduction.bookkeeping.attention_bias):
            in_force[in_tower] = reduction.statement
        if merged and in_tower in in_force:
            told.add(in_force[in_tower])
    return told


def _tidied(step: Step, *, biased: bool) -> Step:
    bookkeeping = step.bookkeeping
    groups = tuple(_group(group, ranked=bookkeeping.order == "score") for group in step.groups)
    if not biased:
        bookkeeping = bookkeeping.model_copy(update={"attention_bias": AttentionBias()})
    return step.model_copy(update={"groups": groups, "bookkeeping": bookkeeping})


def _group(group: Group, *, ranked: bool) -> Group:
    """`ranked`: rows are put in the order of the scores."""
    changes: dict[str, object] = {}
    if not (ranked or reads_score(group.pick) or _weighs_by_score(group)):
        changes["score"] = None
    brought = own_budget(group.pick) if isinstance(group.pick, Call) else None
    if brought is not None:  # where it is a program for the model at all, the grid is whole
        changes["budget"] = brought
    return group.model_copy(update=changes)


def _weighs_by_score(group: Group) -> bool:
    if not isinstance(group.behaviour, Call | Mix):
        return True
    return any(call.argument("weight") == Word(name="score") for call, _ in parts(group.behaviour))
