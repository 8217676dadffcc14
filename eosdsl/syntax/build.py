"""Builds the tree: one method for each action of the grammar, called with the children and the outer tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eosdsl.diagnostics import Diagnostic
from eosdsl.syntax import messages, tree
from eosdsl.syntax.tokens import Token, span_of

# Exact arithmetic on longer numbers would cost memory and mean nothing: layers, tokens and FLOPs have fewer digits.
LONGEST_NUMBER = 40
LARGEST_EXPONENT = 40
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)")

Children = list[Any]


class TreeBuilder:
    """`ACTIONS` are what the machine calls; `problems` gathers what the grammar lets through and a reader would not."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.problems: list[Diagnostic] = []

    # --- statements -------------------------------------------------------------------------------------------------

    def on_start(self, c: Children, first: Token, last: Token) -> tuple[tree.Statement, ...]:
        return tuple(c)

    def on_version(self, c: Children, first: Token, last: Token) -> tree.Version:
        return tree.Version(self.on_number([c[0], None], c[0], c[0]), span_of(first, last))

    def on_operator(self, c: Children, first: Token, last: Token) -> tree.Header:
        return tree.Header("operator", _word(c[0]), _optional_word(c[1]), span_of(first, last))

    def on_space(self, c: Children, first: Token, last: Token) -> tree.Header:
        return tree.Header("space", _word(c[0]), _optional_word(c[1]), span_of(first, last))

    def on_use(self, c: Children, first: Token, last: Token) -> tree.Use:
        return tree.Use(self.on_text(c, c[0], c[0]), span_of(first, last))

    def on_param(self, c: Children, first: Token, last: Token) -> tree.Param:
        return tree.Param(_word(c[0]), c[1], span_of(first, last))

    def on_score(self, c: Children, first: Token, last: Token) -> tree.Score:
        return tree.Score(_word(c[0]), c[1], span_of(first, last))

    def on_at(self, c: Children, first: Token, last: Token) -> tree.At:
        return tree.At(c[0], tuple(c[1:]), span_of(first, last))

    def on_minimise(self, c: Children, first: Token, last: Token) -> tree.Minimise:
        return tree.Minimise(c[0], span_of(first, last))

    def on_subject(self, c: Children, first: Token, last: Token) -> tree.SubjectTo:
        return tree.SubjectTo(tuple(c), span_of(first, last))

    def on_search(self, c: Children, first: Token, last: Token) -> tree.SearchWith:
        return tree.SearchWith(tuple(c), span_of(first, last))

    def on_expect(self, c: Children, first: Token, last: Token) -> tree.Expect:
        return tree.Expect(tuple(c), span_of(first, last))

    def on_constraint(self, c: Children, first: Token, last: Token) -> tree.Constraint:
        return tree.Constraint(c[0], c[1], c[2], span_of(first, last))

    def on_comparison(self, c: Children, first: Token, last: Token) -> str:
        return c[0].text

    # --- sites ------------------------------------------------------------------------------------------------------

    def on_input_site(self, c: Children, first: Token, last: Token) -> tree.Site:
        return tree.Site("input", "decoder", None, (), False, None, span_of(first, last))

    def on_encoder_output_site(self, c: Children, first: Token, last: Token) -> tree.Site:
        return tree.Site("output", "encoder", None, (), False, None, span_of(first, last))

    def on_decoder_site(self, c: Children, first: Token, last: Token) -> tree.Site:
        (word, items), after = c
        return tree.Site("layers", "decoder", word, items, after is not None, None, span_of(first, last))

    def on_encoder_site(self, c: Children, first: Token, last: Token) -> tree.Site:
        (word, items), after = c
        return tree.Site("layers", "encoder", word, items, after is not None, None, span_of(first, last))

    def on_any_decoder_site(self, c: Children, first: Token, last: Token) -> tree.Site:
        count, (word, items), after = c
        return tree.Site("layers", "decoder", word, items, after is not None, count, span_of(first, last))

    def on_any_encoder_site(self, c: Children, first: Token, last: Token) -> tree.Site:
        count, (word, items), after = c
        return tree.Site("layers", "encoder", word, items, after is not None, count, span_of(first, last))

    def on_count(self, c: Children, first: Token, last: Token) -> tree.Count:
        low, high = (None if token is None else self.on_number([token, None], token, token) for token in c)
        assert low is not None
        return tree.Count(low, high, span_of(first, last))

    def on_layers(self, c: Children, first: Token, last: Token) -> tuple[str, tuple[tree.LayerItem, ...]]:
        return c[0], tuple(c[1:])

    def on_layer_word(self, c: Children, first: Token, last: Token) -> str:
        return c[0].text

    def on_item(self, c: Children, first: Token, last: Token) -> tree.LayerItem:
        return tree.LayerItem(c[0], c[1], span_of(first, last))

    def on_layer_index(self, c: Children, first: Token, last: Token) -> tree.LayerRef:
        return tree.LayerRef("index", self.on_number([c[0], None], c[0], c[0]), span_of(first, last))

    def on_layer_negative(self, c: Children, first: Token, last: Token) -> tree.LayerRef:
        return tree.LayerRef("negative", self.on_number([c[0], None], c[0], c[0]), span_of(first, last))

    def on_layer_share(self, c: Children, first: Token, last: Token) -> tree.LayerRef:
        return tree.LayerRef("share", self._share(c[0]), span_of(first, last))

    def on_layer_depth(self, c: Children, first: Token, last: Token) -> tree.LayerRef:
        return tree.LayerRef("depth", self._share(c[0]), span_of(first, last))

    def on_layer_name(self, c: Children, first: Token, last: Token) -> tree.LayerRef:
        return tree.LayerRef("name", _word(c[0]), span_of(first, last))

    def on_after(self, c: Children, first: Token, last: Token) -> bool:
        return True

    # --- groups -----------------------------------------------------------------------------------------------------

    def on_group(self, c: Children, first: Token, last: Token) -> tree.Group:
        return self._group(c[0], c[1:], first, last)

    def on_group_without_budget(self, c: Children, first: Token, last: Token) -> tree.Group:
        return self._group(None, c, first, last)

    def _group(
        self, budget: tree.Budget | None, clauses: Sequence[tree.Clause], first: Token, last: Token
    ) -> tree.Group:
        if not clauses:
            return tree.Group(budget, None, None, None, None, span_of(first, last))
        found: dict[type, Any] = {}
        for clause in clauses:
            if type(clause) in found:
                self.problems.append(messages.clause_twice(clause, found[type(clause)]))
                continue
            found[type(clause)] = clause
        by, pick, via, options = (found.get(kind) for kind in (tree.By, tree.Pick, tree.Via, tree.With))
        ordered = [clause for clause in (by, pick, via, options) if clause is not None]
        written = list(found.values())
        if written != ordered:
            self.problems.append(messages.clauses_out_of_order(written, ordered, self.text))
        return tree.Group(budget, by, pick, via, options, span_of(first, last))

    def on_by(self, c: Children, first: Token, last: Token) -> tree.By:
        return tree.By(c[0], span_of(first, last))

    def on_pick(self, c: Children, first: Token, last: Token) -> tree.Pick:
        return tree.Pick(c[0], span_of(first, last))

    def on_via(self, c: Children, first: Token, last: Token) -> tree.Via:
        return tree.Via(c[0], span_of(first, last))

    def on_with_options(self, c: Children, first: Token, last: Token) -> tree.With:
        return tree.With(tuple(c), span_of(first, last))

    def on_retain(self, c: Children, first: Token, last: Token) -> tree.Budget:
        amounts, start, curve = c[0]
        return tree.Budget("retain", amounts, start, curve, span_of(first, last))

    def on_remove(self, c: Children, first: Token, last: Token) -> tree.Budget:
        amounts, start, curve = c[0]
        return tree.Budget("remove", amounts, start, curve, span_of(first, last))

    def on_amount_list(self, c: Children, first: Token, last: Token) -> tuple[Any, None, tree.Call | None]:
        return tuple(c[:-1]), None, c[-1]

    def on_amount_ramp(self, c: Children, first: Token, last: Token) -> tuple[Any, tree.Amount, tree.Call | None]:
        return (c[1],), c[0], c[2]

    def on_amount(self, c: Children, first: Token, last: Token) -> tree.Amount:
        return tree.Amount(c[0], _optional_word(c[1]), span_of(first, last))

    def on_along(self, c: Children, first: Token, last: Token) -> tree.Call:
        return c[0]

    def on_mix(self, c: Children, first: Token, last: Token) -> tree.Mix:
        return tree.Mix(tuple(c), span_of(first, last))

    def on_part(self, c: Children, first: Token, last: Token) -> tree.Part:
        return tree.Part(c[0], c[1], span_of(first, last))

    def on_option(self, c: Children, first: Token, last: Token) -> tree.Option:
        return tree.Option(_word(c[0]), c[1], None, span_of(first, last))

    def on_flag(self, c: Children, first: Token, last: Token) -> tree.Option:
        return tree.Option(_word(c[0]), None, None, span_of(first, last))

    def on_flag_word(self, c: Children, first: Token, last: Token) -> tree.Option:
        return tree.Option(_word(c[0]), None, _word(c[1]), span_of(first, last))

    # --- expressions ------------------------------------------------------------------------------------------------

    def on_ramp(self, c: Children, first: Token, last: Token) -> tree.Ramp:
        return tree.Ramp(c[0], c[1], c[2], span_of(first, last))

    def on_sum(self, c: Children, first: Token, last: Token) -> tree.Sum:
        head = tree.Term("+", c[0], c[0].span)
        return tree.Sum((head, *c[1:]), span_of(first, last))

    def on_plus(self, c: Children, first: Token, last: Token) -> tree.Term:
        return tree.Term("+", c[0], span_of(first, last))

    def on_minus(self, c: Children, first: Token, last: Token) -> tree.Term:
        return tree.Term("-", c[0], span_of(first, last))

    def on_product(self, c: Children, first: Token, last: Token) -> tree.Product:
        return tree.Product(tuple(c), span_of(first, last))

    def on_negative(self, c: Children, first: Token, last: Token) -> tree.Negative:
        return tree.Negative(c[0], span_of(first, last))

    def on_paren(self, c: Children, first: Token, last: Token) -> tree.Paren:
        return tree.Paren(c[0], span_of(first, last))

    def on_name(self, c: Children, first: Token, last: Token) -> tree.Call:
        word = _word(c[0])
        return tree.Call(word, (), word.span)

    def on_empty_call(self, c: Children, first: Token, last: Token) -> tree.Call:
        return tree.Call(_word(c[0]), (), span_of(first, last))

    def on_call(self, c: Children, first: Token, last: Token) -> tree.Call:
        return tree.Call(_word(c[0]), tuple(c[1:]), span_of(first, last))

    def on_rule(self, c: Children, first: Token, last: Token) -> tree.Rule:
        return tree.Rule(_word(c[0]), c[1], span_of(first, last))

    def on_named(self, c: Children, first: Token, last: Token) -> tree.Argument:
        return tree.Argument(_word(c[0]), c[1], span_of(first, last))

    def on_positional(self, c: Children, first: Token, last: Token) -> tree.Argument:
        return tree.Argument(None, c[0], span_of(first, last))

    def on_hole(self, c: Children, first: Token, last: Token) -> tree.Hole:
        return tree.Hole(None, None, (), None, span_of(first, last))

    def on_hole_with_prior(self, c: Children, first: Token, last: Token) -> tree.Hole:
        return tree.Hole(None, None, (), c[0], span_of(first, last))

    def on_bounded_hole(self, c: Children, first: Token, last: Token) -> tree.Hole:
        return tree.Hole(c[0], c[1], (), c[2], span_of(first, last))

    def on_choice_hole(self, c: Children, first: Token, last: Token) -> tree.Hole:
        return tree.Hole(None, None, tuple(c[:-1]), c[-1], span_of(first, last))

    def on_number(self, c: Children, first: Token, last: Token) -> tree.Number:
        return tree.Number(self._digits(c[0]), "number", c[1], span_of(first, last))

    def on_unit(self, c: Children, first: Token, last: Token) -> str:
        return c[0].text

    def on_percent(self, c: Children, first: Token, last: Token) -> tree.Number:
        return self._share(c[0])

    def on_fraction(self, c: Children, first: Token, last: Token) -> tree.Number:
        return self._share(c[0])

    def on_dims(self, c: Children, first: Token, last: Token) -> tree.Dims:
        rows, columns = self._digits(c[0]).split("x")
        return tree.Dims(int(rows), int(columns), span_of(first, last))

    def on_text(self, c: Children, first: Token, last: Token) -> tree.Text:
        return tree.Text(c[0].text[1:-1], span_of(first, last))

    def _share(self, token: Token) -> tree.Number:
        text = "".join(self._digits(token).split())
        form = "percent" if text.endswith("%") else "fraction"
        if form == "fraction" and int(text.split("/")[1]) == 0:
            self.problems.append(messages.zero_denominator(token))
            text = "1/1"
        return tree.Number(text, form, None, span_of(token, token))

    def _digits(self, token: Token) -> str:
        """The text of a number; one that is too long to be meant is reported and stands in as 1."""
        text = token.text
        exponent = _EXPONENT.search(text) if "e" in text or "E" in text else None
        too_large = exponent is not None and (len(exponent[1]) > 4 or abs(int(exponent[1])) > LARGEST_EXPONENT)
        if len(text) <= LONGEST_NUMBER and not too_large:
            return text
        self.problems.append(messages.number_too_large(token))
        return {"PERCENT": "1%", "FRACTION": "1/1", "DIMS": "1x1"}.get(token.kind, "1")


def _word(token: Token) -> tree.Word:
    return tree.Word(token.text, span_of(token, token))


def _optional_word(token: Token | None) -> tree.Word | None:
    return None if token is None else _word(token)


ACTIONS: Mapping[str, Callable[[TreeBuilder, Children, Token, Token], Any]] = {
    name.removeprefix("on_"): method for name, method in vars(TreeBuilder).items() if name.startswith("on_")
}
"""The methods of a builder by action of the grammar."""
