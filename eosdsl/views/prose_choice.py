"""Which tokens are kept and what becomes of the others, in plain English."""

from __future__ import annotations

from eosdsl.ir.nodes import Mix, MixPart, ScoreExpr, Sum, Weighted
from eosdsl.ir.quantities import Call, Open, Quantity, Word
from eosdsl.rules.support import reads_score
from eosdsl.views import written


def chosen(pick: Call | Open, score: ScoreExpr | None) -> str:
    """Which tokens are kept: by which pick, from which score."""
    by = "default score of that place" if score is None else _score(score)
    match pick:
        case Open():
            return f"chosen in a way that is left open ({written.hole(pick)}), by {by}"
        case Call(name="top"):
            return f"those with the highest {by}"
        case Call(name="uniform"):
            return "evenly spaced"
        case Call(name="random"):
            return "at random"
        case Call(name="grid"):
            return f"one in each cell of a {written.call(pick)[5:-1]} grid"
        case Call(name="diverse"):
            return "as unlike each other as can be"
        case Call():
            ranked = f", from those with a high {by}" if reads_score(pick) else ""
            return f"those chosen by {written.call(pick)}{ranked}"


def _score(score: ScoreExpr) -> str:
    match score:
        case Call(name="attention"):
            return _attention(score)
        case Call(name="norm"):
            return _norm(score)
        case Weighted():
            return f"{written.value(score.weight)} times {_score(score.score)}"
        case Sum():
            return "sum of " + joined([_score(term) for term in score.terms]) + ", each standardised"
        case _:
            return f"score {written.score(score)}"


def _norm(score: Call) -> str:
    """`norm of their keys`; the exponent, where it is not the usual one, in brackets."""
    named = [argument.value.name for argument in score.arguments if isinstance(argument.value, Word)]
    features = {"hidden": "hidden state"}.get(named[0], named[0]) if named else "hidden state"
    usual = all(isinstance(argument.value, Word) for argument in score.arguments)
    return f"norm of their {features}" + ("" if usual else f" ({written.call(score)})")


def _attention(score: Call) -> str:
    rows = {
        "last": "the prompt's last row",
        "text": "the rows of the text",
        "cls": "the tower's class token",
        "all": "all rows",
        "raters": "the text rows that look at the image most",
    }
    query = score.argument("query")
    layer = score.argument("layer")
    name = query.name if isinstance(query, Word) else "last"
    where = "in the layer before"
    if isinstance(layer, Word) and layer.name == "next":
        where = "in the layer that follows"
    elif isinstance(layer, Quantity):
        where = f"in layer {written.quantity(layer)}"
    return f"attention from {rows.get(name, name)} {where}"


def fate(behaviour: Call | Mix | Open) -> str:
    """What becomes of the rest."""
    match behaviour:
        case Open():
            return f"what becomes of the rest is left open ({written.hole(behaviour)})"
        case Mix():
            return "of the content of the rest, " + joined([_part(part) for part in behaviour.parts])
        case Call():
            return f"the rest is {_fate(behaviour)}"


def _part(part: MixPart) -> str:
    share = "an open share" if isinstance(part.share, Open) else written.quantity(_as_ratio(part.share))
    return f"{share} is {_fate(part.behaviour)}"


def _as_ratio(share: Quantity) -> Quantity:
    return Quantity(value=share.value, unit="ratio")


def _fate(behaviour: Call) -> str:
    within = f" ({written.call(behaviour)})" if behaviour.arguments else ""
    match behaviour.name:
        case "prune":
            return "dropped" + within
        case "merge":
            return "merged into the kept token most like it" + within
        case "pool":
            return "spread evenly over the kept tokens" + within
        case "reweight":
            return "spread softly over the kept tokens by likeness" + within
        case _:
            return f"treated by {written.call(behaviour)}"


def joined(items: list[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""
