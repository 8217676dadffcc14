"""What several rules ask of programs: does a behaviour absorb, is a score read, and edits that take words out."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache

from eosdsl.diagnostics import Edit, Fix
from eosdsl.ir.nodes import Amount, AttentionBias, Behaviour, Group, Mix, RelaxedProgram, ScoreExpr, Step, Sum, Weighted
from eosdsl.ir.quantities import Call, Open, Quantity
from eosdsl.operators.kinds import doors
from eosdsl.operators.verdicts import traits
from eosdsl.rules.base import Subject
from eosdsl.source import Span

# picks of the language that read no scores, known here even where no operator is installed for them
_SCORELESS = frozenset({"uniform", "alternate", "grid", "diverse", "random", "bipartite"})


def parts(behaviour: Behaviour) -> Iterator[tuple[Call, Fraction | None]]:
    """Every behaviour with its share; None for an open one."""
    if isinstance(behaviour, Call):
        yield behaviour, Fraction(1)
    elif isinstance(behaviour, Mix):
        for part in behaviour.parts:
            yield part.behaviour, part.share.value if isinstance(part.share, Quantity) else None


def absorbs(behaviour: Behaviour) -> bool:
    """Whether anchors may take others in: an absorbing behaviour with a share above zero, or anything left open."""
    if isinstance(behaviour, Open):
        return True
    return any(share != 0 and _is_absorbing(call.name) for call, share in parts(behaviour))


@cache
def _is_absorbing(name: str) -> bool:
    if name not in doors("behaviours"):
        return name != "prune"
    found = traits("behaviours", Call(name=name))
    if found is not None:
        return "absorbs" in found
    from eosdsl.operators.base import Absorbing
    from eosdsl.operators.registry import operators

    return issubclass(operators("behaviours")[name], Absorbing)  # it has parameters without a default


def reads_score(pick: Call | Open) -> bool:
    """Whether a pick looks at the scores at all."""
    if isinstance(pick, Open):
        return True
    return _uses_score(pick) if pick.arguments else _plain_reads_score(pick.name)


@cache
def _plain_reads_score(name: str) -> bool:
    return _uses_score(Call(name=name))


def _uses_score(pick: Call) -> bool:
    if pick.name not in doors("picks"):
        return pick.name not in _SCORELESS
    found = traits("picks", pick)
    return found is None or "reads score" in found


def has_bias(bias: AttentionBias) -> bool:
    """Whether later attention is told of sizes."""
    return not (isinstance(bias.strength, Quantity) and bias.strength.value == 0)


def merges(subject: Subject) -> bool:
    """Whether any step puts tokens together: then rows stand for several."""
    return any(absorbs(group.behaviour) for _, group in groups(subject))


def plain_share(amount: Amount) -> Fraction | None:
    """The ratio of an amount that counts from what the image started with; None for any other."""
    value = amount.value
    if isinstance(value, Quantity) and value.unit == "ratio" and amount.of == "original":
        return value.value
    return None


def calls_of(score: ScoreExpr) -> Iterator[Call]:
    """The scores that an expression is made of, without those that are arguments of others."""
    if isinstance(score, Call):
        yield score
    elif isinstance(score, Weighted):
        yield from calls_of(score.score)
    else:
        for inner in score.terms if isinstance(score, Sum) else score.factors:
            yield from calls_of(inner)


def groups(subject: Subject) -> Iterator[tuple[Step, Group]]:
    """All groups with their steps."""
    for step in subject.program.steps:
        for group in step.groups:
            yield step, group


def is_space(subject: Subject) -> bool:
    return isinstance(subject.program, RelaxedProgram)


def replace(subject: Subject, span: Span | None, text: str, message: str, *, safe: bool) -> Fix | None:
    """A fix that writes `text` over a span of the text at hand; None where it is in another file."""
    if span is None or not subject.is_own(span):
        return None
    return Fix(message, (Edit(span, text),), "safe" if safe else "unsafe")


def remove(subject: Subject, span: Span | None, message: str, *, safe: bool) -> Fix | None:
    """A fix that takes a span out, with the blanks before it."""
    if span is None or not subject.is_own(span):
        return None
    start = span.start
    while start > 0 and subject.source.text[start - 1] in " \t\n\r":
        start -= 1
    return Fix(message, (Edit(subject.source.span(start, span.end), ""),), "safe" if safe else "unsafe")
