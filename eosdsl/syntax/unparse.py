"""Tree to text, one piece at a time: how each expression, site and clause is written."""

from __future__ import annotations

from collections.abc import Iterable

from eosdsl.syntax import tree


def expression(node: tree.Expression | tree.Mix) -> str:
    """An expression on one line."""
    match node:
        case tree.Number():
            return f"{node.text} {node.unit}" if node.unit else node.text
        case tree.Dims():
            return f"{node.rows}x{node.columns}"
        case tree.Text():
            return f'"{node.text}"'
        case tree.Call():
            return _call(node.name, node.arguments)
        case tree.Rule():
            return f"{node.name.text} {expression(node.amount)}"
        case tree.Paren():
            return f"({expression(node.inner)})"
        case tree.Negative():
            return f"-{expression(node.operand)}"
        case tree.Product():
            return " * ".join(expression(factor) for factor in node.factors)
        case tree.Sum():
            first, *others = node.terms
            return "".join([expression(first.value), *(f" {term.sign} {expression(term.value)}" for term in others)])
        case tree.Hole():
            return _hole(node)
        case tree.Ramp():
            return f"{expression(node.start)} -> {expression(node.end)}{_along(node.curve)}"
        case tree.Mix():
            return f"mix({', '.join(_part(part) for part in node.parts)})"


def _call(name: tree.Word, arguments: Iterable[tree.Argument]) -> str:
    inner = ", ".join(_argument(argument) for argument in arguments)
    return f"{name.text}({inner})" if inner else name.text


def _argument(argument: tree.Argument) -> str:
    written = expression(argument.value)
    return written if argument.name is None else f"{argument.name.text}: {written}"


def _hole(node: tree.Hole) -> str:
    if node.choices:
        written = f"? {{{', '.join(expression(choice) for choice in node.choices)}}}"
    elif node.low is not None and node.high is not None:
        written = f"? {expression(node.low)}..{expression(node.high)}"
    elif node.prior is not None and isinstance(node.prior, tree.Number | tree.Negative):
        return f"? {expression(node.prior)} prior"
    else:
        written = "?"
    return written if node.prior is None else f"{written} prior {expression(node.prior)}"


def _part(part: tree.Part) -> str:
    behaviour = expression(part.behaviour)
    return behaviour if part.weight is None else f"{expression(part.weight)} {behaviour}"


def _along(curve: tree.Call | None) -> str:
    return f" along {expression(curve)}" if curve is not None else ""


def site(node: tree.Site) -> str:
    """The site of an `at` statement."""
    if node.place == "input":
        return "input"
    if node.place == "output":
        return "encoder output"
    parts = ["any", _count(node.choose), "of"] if node.choose is not None else []
    parts += ["encoder"] if node.tower == "encoder" else []
    parts += [node.word or "layer", ", ".join(_item(item) for item in node.items)]
    parts += ["after attention"] if node.after_attention else []
    return " ".join(parts)


def _count(node: tree.Count) -> str:
    return node.low.text if node.high is None else f"{node.low.text}..{node.high.text}"


def _item(node: tree.LayerItem) -> str:
    return _layer(node.first) if node.last is None else f"{_layer(node.first)}..{_layer(node.last)}"


def _layer(node: tree.LayerRef) -> str:
    sign = {"negative": "-", "depth": "depth "}.get(node.form, "")
    return f"{sign}{node.value.text}"


def clause(node: tree.Budget | tree.Clause) -> str:
    """A budget or a clause of a group, on one line."""
    match node:
        case tree.Budget():
            return _budget(node)
        case tree.By():
            return f"by {expression(node.value)}"
        case tree.Pick():
            return f"pick {expression(node.value)}"
        case tree.Via():
            return f"via {expression(node.value)}"
        case tree.With():
            return f"with {', '.join(option(one) for one in node.options)}"


def _budget(node: tree.Budget) -> str:
    start = f"{_amount(node.start)} -> " if node.start is not None else ""
    return f"{node.verb} {start}{', '.join(_amount(amount) for amount in node.amounts)}{_along(node.curve)}"


def _amount(node: tree.Amount) -> str:
    return expression(node.value) if node.of is None else f"{expression(node.value)} of {node.of.text}"


def option(node: tree.Option) -> str:
    """An option, or a setting of a search."""
    if node.value is not None:
        return f"{node.name.text}: {expression(node.value)}"
    return node.name.text if node.word is None else f"{node.name.text} {node.word.text}"


def constraint(node: tree.Constraint) -> str:
    """A constraint."""
    return f"{expression(node.left)} {node.comparison} {expression(node.right)}"
