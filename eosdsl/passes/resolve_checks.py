"""What holds between statements and sites, before any model: one statement a site, no look before the start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, Label, Severity, error
from eosdsl.ir.nodes import Group, Mix, Product, ScoreExpr, Step, Sum, Weighted, Where
from eosdsl.ir.quantities import Call
from eosdsl.operators.kinds import Kind
from eosdsl.passes.resolve_operators import reads_previous_layer

SiteKey = tuple[str, int | Fraction, bool]


def sites(where: Where) -> Iterator[SiteKey]:
    """The sites that are known without a model; a gradual range between two indices is all of its layers."""
    if where.stream == "encoder_output":
        yield where.stream, -1, False
        return
    ends = [ref.index for ref in where.layers]
    if where.gradual and ends[0] is not None and ends[-1] is not None:
        yield from (
            (where.stream, i, where.after_attention) for i in range(ends[0], min(ends[-1], ends[0] + 10_000) + 1)
        )
        return
    for ref in where.layers:
        place = ref.index if ref.index is not None else ref.depth
        if place is not None:
            # 0% of the layers is layer 0; other depths stay apart until the model is known
            yield where.stream, int(place) if place == 0 else place, where.after_attention


def repeated_sites(steps: Sequence[Step]) -> Iterator[Diagnostic]:
    """Two statements at one site (E0342)."""
    taken: dict[SiteKey, Step] = {}
    for step in steps:
        here: set[SiteKey] = set()
        clash: SiteKey | None = None
        for key in sites(step.where):
            if clash is None and (key in taken or key in here):
                clash = key
            here.add(key)
        if clash is not None:
            yield _clash(step, taken.get(clash, step), clash)
        for key in here:
            taken.setdefault(key, step)


def _clash(step: Step, first: Step, key: SiteKey) -> Diagnostic:
    span, before = step.where.span, first.where.span
    labels = tuple(
        Label(place, text)
        for place, text in ((span, "this site again"), (before if first is not step else None, "already reduced here"))
        if place is not None
    )
    helps = ("use `and` to treat a second group of tokens at a site: `at …: retain … and retain …`",)
    return Diagnostic("E0342", Severity.ERROR, f"{_name(key)} is reduced twice", span, labels, helps=helps)


def _name(key: SiteKey) -> str:
    stream, place, after = key
    if stream == "encoder_output":
        return "the encoder's output"
    if stream == "decoder" and place == 0 and not after:
        return "the input (layer 0)"
    layer = f"layer {place}" if isinstance(place, int) else f"depth {float(place * 100):g}%"
    return f"{'encoder ' if stream == 'encoder' else ''}{layer}{' after attention' if after else ''}"


def looks_before_the_start(steps: Sequence[Step]) -> Iterator[Diagnostic]:
    """Operators that read the previous layer where there is none (E0343). A space leaves such scores out of its sums,
    where it may choose the place."""
    for step in steps:
        if step.where.choose is not None or step.where.stream == "encoder_output" or step.where.after_attention:
            continue
        if all(place != 0 for _, place, _ in sites(step.where)):
            continue
        for kind, call in (found for group in step.groups for found in _calls(group)):
            if reads_previous_layer(kind, call):
                yield _before_start(step, kind, call)


def _before_start(step: Step, kind: Kind, call: Call) -> Diagnostic:
    where = "encoder layer 0" if step.where.stream == "encoder" else "the input (layer 0)"
    helps = {
        "scores": ("read the layer about to run, `attention(query: last, layer: next)`, or rate by `norm(hidden)`",),
        "picks": ("a pick over hidden states works everywhere: `on: hidden`",),
    }.get(kind, ("compare hidden states instead: `similarity: cosine(hidden)`",))
    return error(
        "E0343",
        f"`{call.name}` reads the layer before {where}, and there is none",
        call.span,
        "no layer has run yet",
        helps=helps,
    )


def _calls(group: Group) -> Iterator[tuple[Kind, Call]]:
    if group.score is not None:
        for call in score_calls(group.score):
            yield "scores", call
    if isinstance(group.pick, Call):
        yield "picks", group.pick
    if isinstance(group.behaviour, Mix):
        for part in group.behaviour.parts:
            yield "behaviours", part.behaviour
    elif isinstance(group.behaviour, Call):
        yield "behaviours", group.behaviour


def score_calls(expression: ScoreExpr) -> Iterator[Call]:
    """The calls in a score expression."""
    if isinstance(expression, Call):
        yield expression
    elif isinstance(expression, Weighted):
        yield from score_calls(expression.score)
    elif isinstance(expression, Sum):
        for term in expression.terms:
            yield from score_calls(term)
    else:
        assert isinstance(expression, Product)
        for factor in expression.factors:
            yield from score_calls(factor)
