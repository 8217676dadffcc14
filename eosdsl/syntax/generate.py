"""Writes the parse tables: `python -m eosdsl.syntax.generate [--check]`. The only place that runs lark.

lark reads `eos.lark` and computes the LALR(1) tables; here they are numbered in an order that depends on nothing but
the grammar, and written as JSON that `eosdsl.syntax.tables` loads. No pickle, no grammar at run time.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eosdsl.resources import resource

STARTS = ("start", "value")
END = "$END"


def generate(grammar: str) -> str:
    """The tables of a grammar as JSON text, ending in a line end. Raises lark's GrammarError for a bad grammar."""
    from lark import Lark

    lark = Lark(grammar, parser="lalr", start=list(STARTS), maybe_placeholders=True)
    names = {END: END} | {terminal.name: _readable(terminal) for terminal in lark.terminals}
    rules = sorted(lark.rules, key=_rule_key)
    table: Any = lark.parser.parser._parse_table  # pyright: ignore[reportAttributeAccessIssue] # lark has no public door
    order = _breadth_first(table)
    number = {state: i for i, state in enumerate(order)}
    rule_number = {_rule_key(rule): i for i, rule in enumerate(rules)}
    states = [
        {
            names.get(symbol, f"<{symbol}>"): number[target]
            if _is_shift(action)
            else -1 - rule_number[_rule_key(target)]
            for symbol, (action, target) in sorted(table.states[state].items())
        }
        for state in order
    ]
    for start in STARTS:  # lark leaves the last step out: here the end of the text is a symbol like any other
        states[number[table.end_states[start]]][END] = number[table.end_states[start]]
    ignored = set(lark.ignore_tokens)
    tables = {
        "grammar_sha256": hashlib.sha256(grammar.encode()).hexdigest(),
        "pattern": _master_pattern([t for t in lark.terminals if t.name not in ignored]),
        "keywords": sorted(t.pattern.value for t in lark.terminals if _is_keyword(t)),
        "starts": {start: number[table.start_states[start]] for start in STARTS},
        "rules": [[f"<{rule.origin.name}>", _action(rule), len(rule.expansion), _shape(rule)] for rule in rules],
        "states": states,
    }
    return _dump(tables)


def _is_shift(action: Any) -> bool:
    return str(action) == "Shift"


def _is_keyword(terminal: Any) -> bool:
    return terminal.pattern.type == "str" and terminal.pattern.value.isalpha()


def _readable(terminal: Any) -> str:
    """Terminals that are fixed texts go by that text, the others by their name in the grammar."""
    return terminal.pattern.value if terminal.pattern.type == "str" else terminal.name


def _rule_key(rule: Any) -> tuple[str, tuple[str, ...], str]:
    return str(rule.origin.name), tuple(str(symbol.name) for symbol in rule.expansion), str(rule.alias or "")


def _breadth_first(table: Any) -> list[Any]:
    """All states, in the order in which they are reached from the starts; symbols in alphabetical order."""
    order = [table.start_states[start] for start in STARTS]
    seen = set(order)
    for state in order:
        for _, (action, target) in sorted(table.states[state].items()):
            if _is_shift(action) and target not in seen:
                seen.add(target)
                order.append(target)
    return order


def _action(rule: Any) -> str:
    """The name of the tree builder's function; empty where the one symbol stands for the rule; `*` for a repetition."""
    if rule.origin.name.startswith("_"):
        return "*"
    if rule.options.expand1 and not rule.alias and len(rule.expansion) == 1:
        return ""
    return str(rule.alias or rule.origin.name)


def _kept(rule: Any) -> list[int]:
    keep_all = rule.options.keep_all_tokens
    return [i for i, symbol in enumerate(rule.expansion) if keep_all or not getattr(symbol, "filter_out", False)]


def _shape(rule: Any) -> list[int | None]:
    """Which symbols are the children: an index, None for an optional part that is missing, ~index for a repetition."""
    kept = set(_kept(rule))
    missing = _missing_before(rule)
    shape: list[int | None] = []
    for i, symbol in enumerate(rule.expansion):
        shape.extend([None] * missing[i])
        if i in kept:
            shape.append(~i if symbol.name.startswith("_") and not symbol.is_term else i)
    return shape + [None] * missing[-1]


def _missing_before(rule: Any) -> list[int]:
    flags = rule.options.empty_indices
    if not flags:
        return [0] * (len(rule.expansion) + 1)
    return [len(run) for run in "".join(str(int(flag)) for flag in flags).split("0")]


def _master_pattern(terminals: Iterable[Any]) -> str:
    """One regular expression for all tokens: shapes by priority, then longer fixed texts before shorter ones."""
    shapes = sorted((t for t in terminals if t.pattern.type == "re"), key=lambda t: (-t.priority, t.name))
    fixed = sorted((t.pattern.value for t in terminals if t.pattern.type == "str" and not _is_keyword(t)), key=len)
    named = [f"(?P<{t.name}>{t.pattern.value})" for t in shapes]
    marks = "|".join(re.escape(text) for text in reversed(fixed))
    return "|".join([*named, f"(?P<MARK>{marks})"])


def _dump(tables: dict[str, Any]) -> str:
    """JSON with one rule and one state a line, so that a change of the grammar can be read in a diff."""
    lines: list[str] = []
    for key, value in tables.items():
        if key in ("rules", "states"):
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            lines.append(f'"{key}":[\n{rows}\n]')
        else:
            lines.append(f'"{key}":{json.dumps(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Write the tables beside the grammar; with `--check` only say whether they are fresh (exit code 1 if not)."""
    folder = resource("grammar")
    text = generate((folder / "eos.lark").read_text(encoding="utf-8"))
    target = folder / "eos.tables.json"
    if "--check" in arguments:
        return 0 if target.is_file() and target.read_text(encoding="utf-8") == text else 1
    beside = Path(f"{target}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
