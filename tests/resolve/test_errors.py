"""What resolving refuses, as data: code, what the span covers, and the message; and that the remedy is right."""

from __future__ import annotations

import re

import pytest

from eosdsl.diagnostics import Diagnostic
from eosdsl.passes.codes_resolve import CODES as RESOLVE_CODES
from eosdsl.passes.resolve import resolve
from eosdsl.source import SourceFile
from eosdsl.syntax.codes import CODES as SYNTAX_CODES
from eosdsl.syntax.parse import parse_syntax

# text, then for every finding: code, the text that its span covers, message
GOLDEN: list[tuple[str, list[tuple[str, str, str]]]] = [
    # names
    ("at layer 2: retain budgett", [("E0201", "budgett", "there is no param or adaptive budget named `budgett`")]),
    ("at layer start: retain 5%", [("E0201", "start", "there is no param named `start`")]),
    ("expect flops <= cap", [("E0201", "cap", "there is no param named `cap`")]),
    ("param a = 1\nparam a = 2", [("E0202", "a", "`a` is defined twice")]),
    ("param a = 1\nscore a = norm(hidden)", [("E0202", "a", "`a` is defined twice")]),
    ("param a = b\nparam b = a", [("E0203", "a", "`a` is defined by itself")]),
    ("score a = 2 * b\nscore b = a + norm(keys)", [("E0203", "a", "`a` is defined by itself")]),
    ("score norm = random(1)", [("E0215", "norm", "`norm` is the name of a score")]),
    ("param prune = 1", [("E0215", "prune", "`prune` is the name of a behaviour")]),
    ("operator a\noperator b", [("E0112", "operator b", "a file holds one operator or one space")]),
    ("eos 2\nat layer 2: retain 5%", [("E0113", "2", "there is no version 2 of the language")]),
    ("# nothing\n", [("E0114", "# nothing\n", "this spec is empty")]),
    # operators
    ("at layer 2: retain 5% by atention(query: last)", [("E0220", "atention", "there is no score named `atention`")]),
    ("at layer 2: retain 5% pick topp", [("E0220", "topp", "there is no pick named `topp`")]),
    ("at layer 2: retain 5% via merg", [("E0220", "merg", "there is no behaviour named `merg`")]),
    ("at layer 2: retain 5% via mix(0.5 merg)", [("E0220", "merg", "there is no behaviour named `merg`")]),
    (
        "at layer 2: retain 5% by attention(querry: last)",
        [("E0221", "querry", "there is no parameter of attention named `querry`")],
    ),
    # units and kinds
    ("at layer 2: retain 64", [("E0204", "64", "a number of what?")]),
    ("at layer 2: retain 0.25", [("E0204", "0.25", "a number of what?")]),
    ("at layer 2: retain 64 ms", [("E0204", "64 ms", "tokens are not counted in milliseconds")]),
    ("at layer 2: retain 6.5 tokens", [("E0204", "6.5 tokens", "tokens come whole")]),
    (
        "at layer 2: retain 64 tokens of incoming",
        [("E0204", "64 tokens of incoming", "a number of tokens is of nothing")],
    ),
    ("at layer 2: retain 5% of incomming", [("E0205", "incomming", "there is no base of a share named `incomming`")]),
    ("at layer 2: retain 5% by 3", [("E0204", "3", "a number is not a score")]),
    ("at layer 2: retain 5% by 2 * 3", [("E0204", "2 * 3", "a number is not a score")]),
    ("at layer 2: retain 5% by 3 s * norm(keys)", [
        ("E0204", "3 s", "a weight is a plain number, not milliseconds")
    ]),
    ("param k = 3\nat layer 2: retain 5% by k", [("E0204", "k", "`k` is a number, not a score")]),
    ("param k = 3\nat layer 2: retain 5% via k", [("E0204", "k", "a behaviour is a name, not a number")]),
    (
        "at layer 2: retain 5% by normalise(norm(keys) + position)",
        [("E0207", "norm(keys) + position", "one value is expected here, not a sum or a product")],
    ),
    ("expect tokens(mean) <= 5 ms", [("E0204", "5 ms", "`tokens` is measured in tokens, not in milliseconds")]),
    ("expect tokens <= 64", [("E0204", "tokens", "tokens where?")]),
    ("expect tokens(median) <= 64", [("E0204", "tokens(median)", "`tokens` takes mean, max, min or a layer")]),
    ("expect flop <= 30%", [("E0205", "flop", "there is no measure named `flop`")]),
    ("expect flops < 30%", [("E0205", "<", "`<` is no comparison here")]),
    ("expect flops <= -1", [("E0345", "-1", "a bound cannot be negative")]),
    # mixes
    (
        "at layer 2: retain 5% via mix(0.8 merge, 0.4 prune)",
        [("E0208", "mix(0.8 merge, 0.4 prune)", "the shares of this mix come to 1.2")],
    ),
    (
        "at layer 2: retain 5% via mix(1 merge, prune)",
        [("E0208", "mix(1 merge, prune)", "nothing is left for the bare name in this mix")],
    ),
    ("at layer 2: retain 5% via mix(-0.5 merge)", [("E0345", "-0.5", "a share cannot be negative")]),
    ("at layer 2: retain 5% via mix(2 tokens merge)", [("E0204", "2 tokens", "a share is a plain number, not tokens")]),
    # options
    ("at layer 2: retain 5% with position: mean", [("E0206", "position", "there is no option named `position`")]),
    ("at layer 2: retain 5% with positions", [("E0206", "positions", "`positions` needs a value")]),
    ("at layer 2: retain 5% with positions mean", [("E0206", "positions mean", "`:` is missing after `positions`")]),
    (
        "at layer 2: retain 5% with positions: meen",
        [("E0205", "meen", "there is no value of `positions` named `meen`")],
    ),
    (
        "at layer 2: retain 5% with order: score, order: score",
        [("E0209", "order: score", "`order` is given twice")],
    ),
    (
        "at layer 2: retain 5% with proportional_attention and retain 5% with attention_bias: none",
        [("E0209", "attention_bias: none", "`attention_bias` is given twice")],
    ),
    (
        "at layer 2: retain 5% with attention_bias: -1 * log_size",
        [("E0345", "-1", "the strength of the bias cannot be negative")],
    ),
    ("at layer 2: retain 5% with attention_bias: 3", [("E0206", "attention_bias: 3", "this is not an attention bias")]),
    # token flow
    ("at layer 2: retain 0%", [("E0340", "0%", "this retains nothing")]),
    ("at layer 2: retain 0 tokens", [("E0340", "0 tokens", "this retains nothing")]),
    ("at layer 2: retain 101%", [("E0341", "101%", "a share is at most 100%")]),
    ("at layer 2: remove 3/2", [("E0341", "3/2", "a share is at most 100%")]),
    ("at layer 2: retain -5%", [("E0345", "-5%", "a number of tokens cannot be negative")]),
    ("at layer -1: retain 5%", [("E0345", "-1", "there is no layer -1")]),
    ("at layer 2.5: retain 5%", [("E0344", "2.5", "a layer is a whole number")]),
    ("at layer 25%: retain 5%", [("E0344", "25%", "a layer is a whole number")]),
    ("at depth 25: retain 5%", [("E0344", "25", "a depth is a share of the model's layers")]),
    ("at depth 100%: retain 5%", [("E0344", "100%", "a depth is from 0% to below 100%")]),
    ("at layer 8..2: retain 5%", [("E0324", "8..2", "the range runs backwards")]),
    ("at layers depth 10%..depth 50%: retain 5%", [
        ("E0344", "depth 10%..depth 50%", "how many layers lie between two depths depends on the model")
    ]),
    ("at layer 2..depth 50%: retain 5%", [
        ("E0344", "2..depth 50%", "a range goes from index to index, or from depth to depth")
    ]),
    ("at layer 8, 16: retain 5%", [("E0116", "layer 8, 16", "several layers are written with `layers`")]),
    ("at layers 8, 16: retain 5%, 4%, 3%", [("E0323", "retain 5%, 4%, 3%", "3 budgets for 2 layers")]),
    ("at input: retain 5%, 4%", [("E0323", "retain 5%, 4%", "2 budgets for one place")]),
    ("at layer 2..8: retain 5%, 4%", [
        ("E0323", "retain 5%, 4%", "a range takes one budget, which it spreads over its layers")
    ]),
    ("at layer 2: retain 5% along cosine", [("E0347", "retain 5% along cosine", "a curve needs a range of layers")]),
    ("at input: retain 100% -> 5%", [("E0347", "retain 100% -> 5%", "a ramp needs a range of layers")]),
    ("at layer 2..8: retain 5% along cosin", [("E0205", "cosin", "there is no curve named `cosin`")]),
    ("at layer 2..8: retain 5% along cosine(3)", [("E0204", "cosine(3)", "`cosine` has no parameters")]),
    ("at layer 2: via merge", [("E0348", "via merge", "how many tokens stay?")]),
    ("at layer 2: retain 5%\nat layer 2: retain 3%", [("E0342", "layer 2", "layer 2 is reduced twice")]),
    ("at input: retain 5%\nat layer 0: retain 3%", [("E0342", "layer 0", "the input (layer 0) is reduced twice")]),
    ("at layer 2..8: retain 5%\nat layer 5: retain 3%", [("E0342", "layer 5", "layer 5 is reduced twice")]),
    ("at layers 4, 4: retain 5%", [("E0342", "layers 4, 4", "layer 4 is reduced twice")]),
    (
        "at encoder output: retain 5%\nat encoder output: retain 3%",
        [("E0342", "encoder output", "the encoder's output is reduced twice")],
    ),
    (
        "at input: retain 5% by attention(query: last)",
        [
            (
                "E0343",
                "attention(query: last)",
                "`attention` reads the layer before the input (layer 0), and there is none",
            )
        ],
    ),
    (
        "at encoder layer 0: retain 5% by 2 * norm(keys)",
        [("E0343", "norm(keys)", "`norm` reads the layer before encoder layer 0, and there is none")],
    ),
    (
        "at layers 0, 4: retain 5% via merge(similarity: cosine(keys))",
        [
            (
                "E0343",
                "merge(similarity: cosine(keys))",
                "`merge` reads the layer before the input (layer 0), and there is none",
            )
        ],
    ),
    # spaces
    ("operator x\nat layer 2: retain ? 2%..60%", [("E0501", "? 2%..60%", "an operator leaves nothing open")]),
    (
        "operator x\nat any 2 of layers 2..8: retain 5%",
        [("E0501", "any 2 of layers 2..8", "an operator leaves nothing open")],
    ),
    ("operator x\nat layer 2: retain 5%\nminimise task", [("E0502", "minimise task", "`minimise` belongs to a space")]),
    ("at layer 2: retain ? 60%..2%", [("E0503", "? 60%..2%", "nothing is left open between these bounds")]),
    ("at layer 2: retain ? 5%..64 tokens", [("E0204", "? 5%..64 tokens", "the bounds have different units")]),
    ("at layer 2: retain ? 5%..60% prior 70%", [("E0503", "70%", "the prior is not within the bounds")]),
    ("at layer 2: retain 5% pick ? {top, top}", [("E0503", "top", "this choice is given twice")]),
    ("at layer 2: retain 5% pick ? {top, random} prior grid(2x2)", [
        ("E0503", "grid(2x2)", "the prior is none of the choices")
    ]),
    ("at layer 2: retain ? 5..60", [("E0204", "? 5..60", "an open budget is between shares or tokens")]),
    ("space x\nat layer 2: retain ?\nsearch with steps: 0", [("E0504", "0", "`steps` is a whole number from 1 on")]),
    ("space x\nat layer 2: retain ?\nsearch with stepps: 9", [
        ("E0206", "stepps", "there is no search setting named `stepps`")
    ]),
    ("space x\nat layer 2: retain ?\nsearch with temperature: 2 -> 0", [
        ("E0504", "0", "a temperature is a positive number")
    ]),
    ("at layer 2: retain 5% by ?", [("E0505", "?", "a score cannot be left open as a whole")]),
    ("at layer 2: retain 5% with positions: ? {keep, mean}", [
        ("E0505", "? {keep, mean}", "`positions` cannot be left open")
    ]),
    ("at any 3..1 of layers 2..8: retain 5%", [("E0506", "3..1", "the count runs backwards")]),
    ("at any 9 of layers 2..8: retain 5%", [("E0506", "9", "no choice of 9 to 9 layers is possible")]),
    ("space x\nat layer 2: retain 5%", [("E0507", "space x", "this space leaves nothing open")]),
    ("space x\nat layer 2: retain ?\nexpect flops <= 30%", [
        ("E0508", "expect flops <= 30%", "`expect` belongs to an operator")
    ]),
    ("space x\nat layer 2: retain ?\nminimise task + tusk", [
        ("E0205", "tusk", "there is no term of an objective named `tusk`")
    ]),
]  # fmt: skip


def found_in(text: str) -> list[Diagnostic]:
    source = SourceFile("<text>", text)
    file, problems = parse_syntax(source)
    if file is None:
        return problems
    program, more = resolve(file, source)
    assert program is None or not any(problem.is_error for problem in more)
    return [*problems, *more]


def covered(text: str, problem: Diagnostic) -> str:
    assert problem.span is not None
    return text[problem.span.start : problem.span.end]


@pytest.mark.parametrize(("text", "expected"), GOLDEN, ids=[text[:50] for text, _ in GOLDEN])
def test_golden(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(p.code, covered(text, p), p.message) for p in found_in(text)] == expected


def test_each_finding_has_a_reason_or_a_remedy() -> None:
    for text, _ in GOLDEN:
        for problem in found_in(text):
            assert problem.labels[0].text or problem.helps or problem.notes, (text, problem)


SUGGESTIONS = {
    "at layer 2: retain 5% of incomming": "at layer 2: retain 5% of incoming",
    "at layer 2: retain 64": "at layer 2: retain 64 tokens",
    "at layer 2: retain 0.25": "at layer 2: retain 25%",
    "at layer 25%: retain 5%": "at layer depth 25%: retain 5%",
    "at layer 8..2: retain 5%": "at layer 2..8: retain 5%",
    "at layer 2: retain 5% with positions mean": "at layer 2: retain 5% with positions: mean",
    "at layer 2: retain 5% with position: mean": "at layer 2: retain 5% with positions: mean",
    "at layer 2..8: retain 5% along cosin": "at layer 2..8: retain 5% along cosine",
    "param budget = 5%\nat layer 2: retain budgett": "param budget = 5%\nat layer 2: retain budget",
    "expect tokens <= 64": "expect tokens(mean) <= 64",
    "eos 3\nat layer 2: retain 5%": "eos 1\nat layer 2: retain 5%",
    "at layer 2: retain 5% via merg": "at layer 2: retain 5% via merge",
}


@pytest.mark.parametrize(("wrong", "right"), SUGGESTIONS.items())
def test_fixes_mend(wrong: str, right: str) -> None:
    (problem,) = found_in(wrong)
    assert problem.fix is not None
    mended = wrong
    for edit in sorted(problem.fix.edits, key=lambda edit: -edit.span.start):
        mended = mended[: edit.span.start] + edit.replacement + mended[edit.span.end :]
    assert mended == right
    assert found_in(mended) == []


def test_a_broken_declaration_is_reported_once() -> None:
    """Its uses are not called unknown as well."""
    text = "param budget = = 3\nscore worth = *\nat layer 2: retain budget by worth\nexpect tokens(mean) <= budget"
    assert [p.code for p in found_in(text)] == ["E0102", "E0102"]


def test_mistakes_in_several_statements_are_all_reported() -> None:
    text = (
        "at layer 2: retain 64\nat layer 3: retain 5% by nrm(hidden)\nat layer 4..1: retain 5%\n"
        "param a = a\nexpect flops < 3%"
    )
    assert sorted(p.code for p in found_in(text)) == ["E0203", "E0204", "E0205", "E0220", "E0324"]


WRONG = {
    code: match[1]
    for code, (_, page) in {**SYNTAX_CODES, **RESOLVE_CODES}.items()
    if (match := re.search(r"```eos\n(.*?)```", page, re.DOTALL)) and "# wrong" in match[1]
}


@pytest.mark.parametrize("code", WRONG)
def test_the_example_on_an_error_s_page_shows_it(code: str) -> None:
    assert code in [problem.code for problem in found_in(WRONG[code])]


RAISED = {code for _, expected in GOLDEN for code, _, _ in expected}


def test_every_code_of_this_room_is_raised_by_a_test() -> None:
    """Those of used files and settings are in test_use and test_settings."""
    elsewhere = {"E0210", "E0211", "E0212", "E0213", "E0216"}
    assert {code for code in RESOLVE_CODES if code not in RAISED} == elsewhere
