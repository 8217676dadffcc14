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
    RelaxedProgram,
    Step,
    Where,
)
from eosdsl.ir.quantities import Call, Open, Quantity, Word
from eosdsl.passes.sites import layer_list
from eosdsl.views import written
from eosdsl.views.prose_choice import chosen, fate, joined


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
    stack = "vision-tower layer" if where.stream == "encoder" else "decoder layer"
    place = "Between attention and MLP of" if where.after_attention else "On entry to"
    if where.stream == "encoder_output":
        return "On the features that leave the vision tower, before the projector"
    if where.choose is not None:
        low, high = where.choose
        count = str(high) if low == high else f"{low} to {high}"
        return f"{place} {count} of the {stack}s {_layers(where.layers)}, which ones is left open"
    if where.gradual:
        first, last = where.layers[0], where.layers[-1]
        return f"Gradually over {stack}s {_layer(first)} to {_layer(last)}, both included"
    if where.stream == "decoder" and where.layers == (LayerRef(index=0),) and not where.after_attention:
        return "After the projector, before the decoder's first layer"
    if len(where.layers) == 1 and where.layers[0].index is None:
        return f"{place} the {stack} {_layer(where.layers[0])}"
    return f"{place} {stack}{'s' if len(where.layers) > 1 else ''} {_layers(where.layers)}"


def _layers(layers: tuple[LayerRef, ...]) -> str:
    """Layers in words; three and more in a row as a range."""
    indices = [layer.index for layer in layers if layer.index is not None]
    if len(indices) < len(layers):
        return joined([_layer(layer) for layer in layers])
    return joined(layer_list(indices).replace("..", " to ").split(", "))


def _layer(layer: LayerRef) -> str:
    if layer.depth is not None:
        return f"at {written.ratio(layer.depth)} of the depth"
    return str(layer.index)


def _group(group: Group) -> str:
    keeping = "keeping " if group.budget.verb == "remove" else ""
    return f"{_budget(group.budget)}, {keeping}{chosen(group.pick, group.score)}; {fate(group.behaviour)}."


def _budget(budget: Budget) -> str:
    verb = "keep" if budget.verb == "retain" else "give up"
    amounts = _amounts(budget.amounts)
    if budget.start is not None:
        curve = f" along a {written.call(budget.curve)} curve" if budget.curve else ""
        return f"{verb} from {_amount(budget.start)} down to {amounts[0]}{curve}"
    return f"{verb} {amounts[0] if len(amounts) == 1 else joined(amounts) + ', one a layer'}"


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
    return " " + _capital(joined(parts)) + "." if parts else ""


def _constraint(constraint: Constraint) -> str:
    words = {"<=": "at most", ">=": "at least", "=": "exactly"}
    measure = written.call(constraint.measure)
    return f"{measure} is {words[constraint.comparison]} {written.quantity(constraint.bound)}"


def _goal(program: RelaxedProgram) -> list[str]:
    lines: list[str] = []
    if program.objective is not None:
        lines.append(f"A search makes {written.score(program.objective)} as small as it can.")
    if program.constraints:
        lines.append("It must hold that " + joined([_constraint(one) for one in program.constraints]) + ".")
    return lines


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
