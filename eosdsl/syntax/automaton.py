"""The LALR(1) machine: runs the tables over tokens, calls the tree builder, and lets the caller mend or skip errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eosdsl.syntax.tables import END, Production, Tables
from eosdsl.syntax.tokens import Token

Actions = Mapping[str, Callable[[Any, list[Any], Token, Token], Any]]

# Beyond this many open symbols a text is nested more deeply than any reader could follow (some 60 parentheses).
DEEPEST = 400


NOTHING = Token(END, "", 0, 0, 1, 1)


@dataclass
class Machine:
    """One run over one text. A builder: it is fed tokens and changes until it has the result.

    actions: what makes a value of a production's children, by the name of its action, called with `builder` first.
    """

    tables: Tables
    actions: Actions
    builder: Any
    states: list[int] = field(default_factory=lambda: [0])
    values: list[Any] = field(default_factory=list)
    firsts: list[Token] = field(default_factory=list)
    last: Token = NOTHING

    def feed(self, token: Token) -> bool:
        """Take one token; False where it cannot stand here. After END `result` is there."""
        table, productions, states = self.tables.states, self.tables.productions, self.states
        kind = token.kind
        while True:
            row = table[states[-1]]
            action = row.get(kind)
            if action is None:
                if kind not in self.tables.keywords or "NAME" not in row:
                    return False
                kind = "NAME"
            elif action < 0:
                production = productions[-1 - action]
                if not production[1]:
                    # without an action: more than half of all reductions only rename what is on top of the stack
                    states[-1] = table[states[-2]][production[0]]
                else:
                    self._reduce(production, token)
            else:
                break
        if kind != END:
            states.append(action)
            self.values.append(token)
            self.firsts.append(token)
            self.last = token
        return True

    @property
    def result(self) -> Any:
        """What the start symbol was built into."""
        return self.values[0]

    def _reduce(self, production: Production, ahead: Token) -> None:
        origin, action, length, shape, plain = production
        states, values, firsts = self.states, self.values, self.firsts
        if length:
            children, first = values[-length:], firsts[-length]
            if length > 1:
                keep = 1 - length
                del states[keep:], values[keep:], firsts[keep:]
        else:
            children, first = [], ahead
        if action == "*":
            value = _gather(children, shape)
        elif action:
            if plain is None:
                given = _children(children, shape)
            else:
                children.append(None)
                given = [children[i] for i in plain]
            value = self.actions[action](self.builder, given, first, self.last if length else ahead)
        else:
            value = children[0]
        table = self.tables.states
        if length:
            # in the place of the first of its symbols
            states[-1] = table[states[-2]][origin]
            values[-1] = value
        else:
            states.append(table[states[-1]][origin])
            values.append(value)
            firsts.append(first)

    @property
    def begins_statement(self) -> bool:
        """Whether the token just taken is the first of a statement."""
        return len(self.values) == self._complete + 1

    @property
    def _complete(self) -> int:
        """Height of the stack when only complete statements are on it: their list is one value."""
        return 1 if self.values and isinstance(self.values[0], list) else 0

    def finish_statement(self) -> bool:
        """Reduce the statement at hand where it is whole; False where something is missing."""
        ahead = _advance(self.tables, self.states, "at")
        if ahead is None or len(ahead) > 3:
            return False
        at = self.last
        while (action := self.tables.states[self.states[-1]]["at"]) < 0:
            self._reduce(self.tables.productions[-1 - action], at)
        return True

    def drop_statement(self) -> None:
        """Forget the statement at hand, keep those that are complete."""
        keep = self._complete
        del self.states[keep + 1 :], self.values[keep:], self.firsts[keep:]

    def accepts(self, kind: str) -> bool:
        """Whether a token of this kind could stand here (exactly: reductions are simulated)."""
        return accepts(self.tables, self.states, kind)

    def expected(self) -> list[str]:
        """The kinds that could stand here, in the order of the table."""
        row = self.tables.states[self.states[-1]]
        return [kind for kind in row if not _is_nonterminal(kind) and self.accepts(kind)]

    def after(self, kind: str) -> Machine | None:
        """A machine without values that has taken a token of this kind here, to look ahead with; None if it cannot."""
        states = _advance(self.tables, self.states, kind)
        return None if states is None else Machine(self.tables, self.actions, self.builder, states)


def _is_nonterminal(symbol: str) -> bool:
    return len(symbol) > 2 and symbol.startswith("<")


def accepts(tables: Tables, states: list[int], kind: str) -> bool:
    """Whether a token of this kind can be shifted after these states."""
    return _advance(tables, states, kind) is not None


def _advance(tables: Tables, states: list[int], kind: str) -> list[int] | None:
    stack = list(states)
    while True:
        action = tables.states[stack[-1]].get(kind)
        if action is None:
            return None
        if action >= 0:
            return [*stack, action]
        origin, _, length, _, _ = tables.productions[-1 - action]
        if length:
            del stack[-length:]
        stack.append(tables.states[stack[-1]][origin])


def _children(values: list[Any], shape: tuple[int | None, ...]) -> list[Any]:
    children: list[Any] = []
    for index in shape:
        if index is None:
            children.append(None)
        elif index >= 0:
            children.append(values[index])
        else:
            children.extend(values[~index])
    return children


def _gather(values: list[Any], shape: tuple[int | None, ...]) -> list[Any]:
    """Repetitions are left-recursive: the list that is there takes the new items (linear, also for long lists)."""
    head = shape[0]
    if head is not None and head < 0:
        gathered: list[Any] = values[~head]
        gathered.extend(values[index] for index in shape[1:] if index is not None)
        return gathered
    return [values[index] for index in shape if index is not None]
