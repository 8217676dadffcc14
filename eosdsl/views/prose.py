"""A program in plain English, one numbered paragraph a step: for reviewers who do not write the language."""

from __future__ import annotations

from fractions import Fraction

from eosdsl.ir.nodes import (
    Amount,
    Bookkeeping,
    Budget,
    Constraint,
    DiscreteProgram,
    Group,
    LayerRef,
    Mix,
    MixPart,
    RelaxedProgram,
    ScoreExpr,
    Step,
    Sum,
    Weighted,
    Where,
)
from eosdsl.ir.quantities import Call, Open, Quantity, Word
from eosdsl.views import written


def describe(program: DiscreteProgram | RelaxedProgram) -> str:
    """What the program does, step by step, in the order of the forward pass."""
    kind = "operator" if isinstance(program, DiscreteProgram) else "space, to be searched"
    family = f", for models of the family {program.family}" if program.family else ""
    lines = [f"{program.name} ({kind}{family})"]
    lines += [f"{place}. {describe_step(step)}" for place, step in enumerate(program.steps, 1)]
    lines.append("Text tokens are never touched.")
    if isinstance(program, DiscreteProgram):
        lines += [f"It is expected that {_constraint(one)}; compiling fails otherwise." for one in program.expectations]
    else:
        lines += _goal(program)
    return "\n\n".join(lines)


def describe_step(step: Step) -> str:
    """One step in a paragraph: where, how many, which, and what becomes of the rest."""
    groups = [_group(group) for group in step.groups]
    text = f"{_where(step.where)}: {groups[0]}"
    text += "".join(f" Of the tokens left over, also {group}" for group in groups[1:])
    return text + _bookkeeping(step.bookkeeping)


def _where(where: Where) -> str:
    layers = _list([_layer(layer) for layer in where.layers])
    stack = "vision-tower layer" if where.stream == "encoder" else "decoder layer"
    place = "Between attention and MLP of" if where.after_attention else "On entry to"
    if where.stream == "encoder_output":
        return "On the features that leave the vision tower, before the projector"
    if where.choose is not None:
        low, high = where.choose
        count = str(high) if low == high else f"{low} to {high}"
        return f"{place} {count} of the {stack}s {layers}, which ones is left open"
    if where.gradual:
        first, last = where.layers[0], where.layers[-1]
        return f"Gradually over {stack}s {_layer(first)} to {_layer(last)}, both included"
    if (
        where.stream == "decoder"
        and len(where.layers) == 1
        and where.layers[0].index == 0
        and not where.after_attention
    ):
        return "After the projector, before the decoder's first layer"
    return f"{place} {stack}{'s' if len(where.layers) > 1 else ''} {layers}"


def _layer(layer: LayerRef) -> str:
    if layer.depth is not None:
        return f"at {written.quantity(Quantity(value=layer.depth, unit='ratio'))} of the depth"
    return str(layer.index)


def _group(group: Group) -> str:
    pick = group.pick
    chosen = _pick(pick, group.score)
    return f"{_budget(group.budget)}, {chosen}; {_behaviour(group.behaviour)}."


def _budget(budget: Budget) -> str:
    verb = "keep" if budget.verb == "retain" else "give up"
    amounts = _amounts(budget.amounts)
    if budget.start is not None:
        curve = f" along a {written.call(budget.curve)} curve" if budget.curve else ""
        return f"{verb} from {_amount(budget.start)} down to {amounts[0]}{curve}"
    return f"{verb} {amounts[0] if len(amounts) == 1 else _list(amounts) + ', one a layer'}"


def _amounts(amounts: tuple[Amount, ...]) -> list[str]:
    """Each in words; what they are shares of is said once, at the last."""
    texts = [_amount(amount) for amount in amounts]
    of = " of the visual tokens that"
    same = len({text.partition(of)[1:] for text in texts}) == 1
    return [text.partition(of)[0] for text in texts[:-1]] + texts[-1:] if same else texts


def _amount(amount: Amount) -> str:
    match amount.value:
        case Quantity(unit="ratio"):
            of = "arrive there" if amount.of == "incoming" else "an image started with"
            return f"{written.quantity(amount.value)} of the visual tokens that {of}"
        case Quantity():
            return written.quantity(amount.value)
        case Word():
            return "all tokens"
        case Call():
            return f"as many tokens as {written.call(amount.value)} says for the image"
        case Open():
            return f"a share that is left open ({written.hole(amount.value)})"


def _pick(pick: Call | Open, score: ScoreExpr | None) -> str:
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
            return f"chosen by {written.call(pick)} (score: {by})"


def _score(score: ScoreExpr) -> str:
    match score:
        case Call(name="attention"):
            return _attention(score)
        case Call(name="norm"):
            return f"norm of their {written.call(score)[5:-1] or 'hidden state'}"
        case Weighted():
            return f"{written.value(score.weight)} times {_score(score.score)}"
        case Sum():
            return "sum of " + _list([_score(term) for term in score.terms]) + ", each standardised"
        case _:
            return f"score {written.score(score)}"


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


def _behaviour(behaviour: Call | Mix | Open) -> str:
    match behaviour:
        case Open():
            return f"what becomes of the rest is left open ({written.hole(behaviour)})"
        case Mix():
            return "of the content of the rest, " + _list([_part(part) for part in behaviour.parts])
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


def _bookkeeping(with_: Bookkeeping) -> str:
    parts: list[str] = []
    if with_.positions != "keep":
        names = {"compact": "numbered anew without gaps"}
        parts.append(f"positions are {names.get(with_.positions, f'the {with_.positions} of what was merged')}")
    if with_.order != "position":
        parts.append(f"the order is by {with_.order.replace('_', ' ')}")
    bias = with_.attention_bias.strength
    if not (isinstance(bias, Quantity) and bias.value == 0):
        strength = "" if bias == Quantity(value=Fraction(1)) else f"{written.value(bias)} times "
        parts.append(f"later attention adds {strength}the logarithm of how many tokens a row stands for")
    return " " + _capital(_list(parts)) + "." if parts else ""


def _constraint(constraint: Constraint) -> str:
    words = {"<=": "at most", ">=": "at least", "=": "exactly"}
    measure = written.call(constraint.measure)
    return f"{measure} is {words[constraint.comparison]} {written.quantity(constraint.bound)}"


def _goal(program: RelaxedProgram) -> list[str]:
    lines: list[str] = []
    if program.objective is not None:
        lines.append(f"A search makes {written.score(program.objective)} as small as it can.")
    if program.constraints:
        lines.append("It must hold that " + _list([_constraint(one) for one in program.constraints]) + ".")
    return lines


def _list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
