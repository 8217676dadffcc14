"""Hypothesis strategies for eos: trees of all statements, their texts, and texts with untidy white space and comments.

`files()` gives whatever the grammar allows, meaningful or not; `operators()` gives texts that also resolve, made of the
scores, picks and behaviours of the language core.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from eosdsl.source import Span
from eosdsl.syntax import tree
from eosdsl.syntax.format import one_line
from eosdsl.syntax.tables import load
from eosdsl.syntax.tokens import tokenize

NOWHERE = Span(0, 0, 1, 1, 1, 1)

# names that are no keywords, and keywords that are names where only a name can stand
PLAIN = ("a", "worth", "x1", "cosine", "_under", "hidden", "Upper")
CONTEXTUAL = ("layer", "at", "score", "by", "tokens", "mix", "operator", "any", "of", "s", "prior", "and")


def words(*extra: str) -> st.SearchStrategy[tree.Word]:
    return st.builds(tree.Word, st.sampled_from((*PLAIN, *extra)), st.just(NOWHERE))


any_name = words(*CONTEXTUAL)
plain_name = words()


def _digits(number: int | float) -> str:
    return str(number)


whole = st.integers(0, 10**6).map(_digits)
decimal = st.one_of(
    whole,
    st.builds(lambda a, b: f"{a}.{b}", st.integers(0, 999), st.integers(0, 9999)),
    st.sampled_from(("1e-3", "2E6", "0.50", "007")),
)
percents = st.builds(
    lambda text: tree.Number(f"{text}%", "percent", None, NOWHERE),
    st.one_of(st.integers(0, 120).map(_digits), st.just("12.5"), st.just("1e1")),
)
fractions = st.builds(
    lambda a, b: tree.Number(f"{a}/{b}", "fraction", None, NOWHERE), st.integers(0, 30), st.integers(1, 30)
)
units = st.sampled_from((None, None, "tokens", "token", "MACs", "GFLOPs", "MiB", "ms", "s", "B"))
numbers = st.builds(lambda text, unit: tree.Number(text, "number", unit, NOWHERE), decimal, units)
bare_numbers = st.builds(lambda text: tree.Number(text, "number", None, NOWHERE), decimal)
quantities = st.one_of(numbers, percents, fractions)
bounds = st.one_of(quantities, st.builds(tree.Negative, quantities, st.just(NOWHERE)))
dims = st.builds(tree.Dims, st.integers(0, 99), st.integers(0, 99), st.just(NOWHERE))
texts = st.builds(tree.Text, st.text("abc é#/.\\", max_size=8), st.just(NOWHERE))


def _call(name: tree.Word, arguments: Sequence[tree.Argument]) -> tree.Call:
    return tree.Call(name, tuple(arguments), NOWHERE)


def calls(
    values: st.SearchStrategy[tree.Expression], names: st.SearchStrategy[tree.Word]
) -> st.SearchStrategy[tree.Call]:
    arguments = st.builds(tree.Argument, st.one_of(st.none(), any_name), values, st.just(NOWHERE))
    return st.builds(_call, names, st.lists(arguments, max_size=3))


leaf_values = st.one_of(quantities, dims, texts, st.builds(_call, any_name, st.just(())))
simple_calls = calls(leaf_values, any_name)
rules = st.builds(tree.Rule, any_name, quantities, st.just(NOWHERE))


def holes(values: st.SearchStrategy[tree.Expression]) -> st.SearchStrategy[tree.Hole]:
    priors = st.one_of(st.none(), bounds, simple_calls, dims)
    return st.one_of(
        st.builds(lambda prior: tree.Hole(None, None, (), prior, NOWHERE), priors),
        st.builds(lambda low, high, prior: tree.Hole(low, high, (), prior, NOWHERE), bounds, bounds, priors),
        st.builds(
            lambda choices, prior: tree.Hole(None, None, tuple(choices), prior, NOWHERE),
            st.lists(values, min_size=1, max_size=3),
            priors,
        ),
    )


def _expressions(values: st.SearchStrategy[tree.Expression]) -> st.SearchStrategy[tree.Expression]:
    """One level of nesting more than `values`, by the layers of the grammar: atom, unary, product, sum, operand."""
    atoms = st.one_of(
        leaf_values, rules, calls(values, any_name), st.builds(tree.Paren, _operands(values), st.just(NOWHERE))
    )
    unary = st.one_of(atoms, st.builds(tree.Negative, atoms, st.just(NOWHERE)))
    open_value = holes(values)
    products = st.one_of(
        st.builds(lambda f: tree.Product(tuple(f), NOWHERE), st.lists(unary, min_size=2, max_size=3)),
        st.builds(lambda h, f: tree.Product((h, *f), NOWHERE), open_value, st.lists(unary, min_size=1, max_size=2)),
    )
    terms = st.one_of(unary, products)
    signed = st.builds(tree.Term, st.sampled_from(("+", "-")), terms, st.just(NOWHERE))
    sums = st.builds(
        lambda first, rest: tree.Sum((tree.Term("+", first, NOWHERE), *rest), NOWHERE),
        terms,
        st.lists(signed, min_size=1, max_size=3),
    )
    operands = st.one_of(unary, products, sums, open_value)
    ramps = st.builds(tree.Ramp, operands, operands, st.one_of(st.none(), simple_calls), st.just(NOWHERE))
    return st.one_of(operands, ramps)


def _operands(values: st.SearchStrategy[tree.Expression]) -> st.SearchStrategy[tree.Expression]:
    return values.filter(lambda value: not isinstance(value, tree.Ramp))


values = st.recursive(leaf_values, _expressions, max_leaves=6)
operands = _operands(values)
choices = st.one_of(calls(values, any_name), holes(values))


# --- sites ------------------------------------------------------------------------------------------------------------

layer_refs = st.one_of(
    st.builds(lambda text: tree.LayerRef("index", tree.Number(text, "number", None, NOWHERE), NOWHERE), whole),
    st.builds(lambda text: tree.LayerRef("negative", tree.Number(text, "number", None, NOWHERE), NOWHERE), whole),
    st.builds(lambda share: tree.LayerRef("share", share, NOWHERE), st.one_of(percents, fractions)),
    st.builds(lambda share: tree.LayerRef("depth", share, NOWHERE), st.one_of(percents, fractions)),
    st.builds(lambda name: tree.LayerRef("name", name, NOWHERE), plain_name),
)
layer_items = st.builds(tree.LayerItem, layer_refs, st.one_of(st.none(), layer_refs), st.just(NOWHERE))
counts = st.builds(
    tree.Count,
    whole.map(lambda text: tree.Number(text, "number", None, NOWHERE)),
    st.one_of(st.none(), whole.map(lambda text: tree.Number(text, "number", None, NOWHERE))),
    st.just(NOWHERE),
)
layer_sites = st.builds(
    lambda tower, word, items, after, choose: tree.Site("layers", tower, word, tuple(items), after, choose, NOWHERE),
    st.sampled_from(("decoder", "encoder")),
    st.sampled_from(("layer", "layers", "depth")),
    st.lists(layer_items, min_size=1, max_size=3),
    st.booleans(),
    st.one_of(st.none(), counts),
)
sites = st.one_of(
    st.just(tree.Site("input", "decoder", None, (), False, None, NOWHERE)),
    st.just(tree.Site("output", "encoder", None, (), False, None, NOWHERE)),
    layer_sites,
)


# --- groups -----------------------------------------------------------------------------------------------------------


def _budget(
    verb: str, amounts: Sequence[tree.Amount], start: tree.Amount | None, curve: tree.Call | None
) -> tree.Budget:
    kept = "retain" if verb == "retain" else "remove"
    return tree.Budget(kept, tuple(amounts[:1] if start is not None else amounts), start, curve, NOWHERE)


amount_values = st.one_of(quantities, rules, calls(values, any_name), holes(values), bounds)
amounts = st.builds(tree.Amount, amount_values, st.one_of(st.none(), any_name), st.just(NOWHERE))
budgets = st.builds(
    _budget,
    st.sampled_from(("retain", "remove")),
    st.lists(amounts, min_size=1, max_size=3),
    st.one_of(st.none(), amounts),
    st.one_of(st.none(), simple_calls),
)
weights = st.one_of(st.none(), bare_numbers, percents, fractions, holes(values))
parts = st.builds(tree.Part, weights, calls(values, plain_name), st.just(NOWHERE))
mixes = st.builds(lambda some: tree.Mix(tuple(some), NOWHERE), st.lists(parts, min_size=1, max_size=3))
options = st.one_of(
    st.builds(lambda name, value: tree.Option(name, value, None, NOWHERE), plain_name, values),
    st.builds(lambda name: tree.Option(name, None, None, NOWHERE), plain_name),
    st.builds(lambda name, word: tree.Option(name, None, word, NOWHERE), plain_name, plain_name),
)
option_lists = st.lists(options, min_size=1, max_size=3).map(tuple)
via_calls = calls(values, plain_name)


def _optional(strategy: st.SearchStrategy[tree.Clause]) -> st.SearchStrategy[tree.Clause | None]:
    return st.one_of(st.none(), strategy)


def _group(
    budget: tree.Budget | None,
    by: tree.By | None,
    pick: tree.Pick | None,
    via: tree.Via | None,
    options: tree.With | None,
) -> tree.Group:
    return tree.Group(budget, by, pick, via, options, NOWHERE)


groups = st.builds(
    _group,
    st.one_of(budgets, budgets, st.none()),
    _optional(st.builds(tree.By, operands, st.just(NOWHERE))),
    _optional(st.builds(tree.Pick, choices, st.just(NOWHERE))),
    _optional(st.builds(tree.Via, st.one_of(via_calls, holes(values), mixes), st.just(NOWHERE))),
    _optional(st.builds(tree.With, option_lists, st.just(NOWHERE))),
).filter(lambda group: bool(group.clauses))


# --- statements -------------------------------------------------------------------------------------------------------

constraints = st.builds(
    tree.Constraint, operands, st.sampled_from(("<=", ">=", "=", "<", ">", "==")), operands, st.just(NOWHERE)
)
constraint_lists = st.lists(constraints, min_size=1, max_size=3).map(tuple)
statements = st.one_of(
    st.builds(tree.Version, whole.map(lambda text: tree.Number(text, "number", None, NOWHERE)), st.just(NOWHERE)),
    st.builds(tree.Use, texts, st.just(NOWHERE)),
    st.builds(tree.Param, any_name, values, st.just(NOWHERE)),
    st.builds(tree.Score, any_name, operands, st.just(NOWHERE)),
    st.builds(tree.At, sites, st.lists(groups, min_size=1, max_size=3).map(tuple), st.just(NOWHERE)),
    st.builds(tree.At, sites, st.lists(groups, min_size=1, max_size=3).map(tuple), st.just(NOWHERE)),
    st.builds(tree.Minimise, operands, st.just(NOWHERE)),
    st.builds(tree.SubjectTo, constraint_lists, st.just(NOWHERE)),
    st.builds(tree.SearchWith, option_lists, st.just(NOWHERE)),
    st.builds(tree.Expect, constraint_lists, st.just(NOWHERE)),
)
headers = st.builds(
    tree.Header, st.sampled_from(("operator", "space")), any_name, st.one_of(st.none(), any_name), st.just(NOWHERE)
)


@st.composite
def files(draw: st.DrawFn) -> tuple[tree.Statement, ...]:
    """Statements of a file, in any order, with at most one header."""
    found = draw(st.lists(statements, max_size=5))
    header = draw(st.one_of(st.none(), headers))
    if header is not None:
        found.insert(draw(st.integers(0, len(found))), header)
    return tuple(found)


def text_of(statements: Sequence[tree.Statement]) -> str:
    """One statement a line."""
    return "".join(f"{one_line(statement)}\n" for statement in statements)


gaps = st.sampled_from(
    (" ", " ", " ", "\n", "\n\n\n", "\t ", "\r\n", " # why\n", "\n# a line\n", "\n\n# apart\n\n", " # one\n # two\n")
)


@st.composite
def untidy(draw: st.DrawFn, text: str) -> str:
    """The text with other white space, line ends and comments between its tokens."""
    tokens = tokenize(text, load()).tokens[:-1]
    return "".join(draw(gaps) + token.text for token in tokens) + draw(gaps)


# --- specs that mean something ----------------------------------------------------------------------------------------

_SCORES = (
    "norm(hidden)",
    "random(7)",
    "attention(query: last)",
    "0.7 * norm(hidden) + 0.3 * random(3)",
    "-2 * norm(hidden)",
)
_PICKS = ("", " pick top")
_BEHAVIOURS = (
    "",
    " via prune",
    " via merge",
    " via pool",
    " via reweight(temperature: 0.2)",
    " via mix(0.6 merge, 0.4 prune)",
    " via mix(merge, prune)",
    " via merge(similarity: cosine(hidden))",
)
_OPTIONS = ("", " with positions: compact", " with proportional_attention, order: score")


@st.composite
def operators(draw: st.DrawFn) -> str:
    """The text of an operator that resolves: distinct decoder layers from 1 on, budgets of every kind."""
    layers = draw(st.lists(st.integers(1, 40), unique=True, max_size=4))
    lines = [f"operator {draw(st.sampled_from(('mine', 'layer', 'x_1')))}{draw(st.sampled_from(('', ' for llava')))}"]
    lines += [_statement(draw, layer) for layer in layers]
    return "\n".join(draw(st.permutations(lines))) + "\n"


def _statement(draw: st.DrawFn, layer: int) -> str:
    amount = draw(
        st.one_of(
            st.builds(lambda n: f"retain {n}%", st.integers(1, 100)),
            st.builds(lambda n, d: f"retain {n}/{n + d}", st.integers(1, 9), st.integers(0, 9)),
            st.builds(lambda n: f"retain {n} tokens", st.integers(1, 600)),
            st.builds(lambda n: f"remove {n} tokens", st.integers(0, 600)),
            st.builds(lambda n: f"retain {n}% of incoming", st.integers(1, 100)),
        )
    )
    score = draw(st.one_of(st.just(""), st.sampled_from(_SCORES).map(lambda text: f" by {text}")))
    rest = f"{draw(st.sampled_from(_PICKS))}{draw(st.sampled_from(_BEHAVIOURS))}{draw(st.sampled_from(_OPTIONS))}"
    return f"at layer {layer}: {amount}{score}{rest}"
