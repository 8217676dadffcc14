"""Layout, in pairs of before and after; what comments and blank lines become."""

from __future__ import annotations

import pytest

from eosdsl.diagnostics import SpecError
from eosdsl.syntax.format import WIDTH, format_text

LONG = "attention(query: last, layer: next, heads: mean)"

PAIRS = {
    "one line": (
        "at   layer 2 :\n  retain 50 %\n by norm( hidden )",
        "at layer 2: retain 50% by norm(hidden)\n",
    ),
    "fractions, signs and empty parentheses": (
        "at layer 2: retain 1 / 3 by -norm()+2*position-0.5*norm(keys) via mix(0.5merge,prune)",
        "at layer 2: retain 1/3 by -norm + 2 * position - 0.5 * norm(keys) via mix(0.5 merge, prune)\n",
    ),
    "what was written stays": (
        "at layers 8, 16: retain 25%, 1/4 via mix(0.50 merge)\nat input: retain 64 tokens\n"
        "at depth 50%: retain 1 token",
        "at layers 8, 16: retain 25%, 1/4 via mix(0.50 merge)\nat input: retain 64 tokens\n"
        "at depth 50%: retain 1 token\n",
    ),
    "sites in forward order, with their comments": (
        "# late\nat layer 9: retain 5%\n\n# early\nat input: retain 50%\n# tower\n"
        "at encoder layer 3 after attention: retain 90%\n"
        "at encoder layer 3: retain 95%  # before\nat encoder output: retain 80%",
        "at encoder layer 3: retain 95%  # before\n# tower\nat encoder layer 3 after attention: retain 90%\n"
        "at encoder output: retain 80%\n\n# early\nat input: retain 50%\n# late\nat layer 9: retain 5%\n",
    ),
    "layers and depths are not compared": (
        "at layer 9: retain 5%\nat depth 10%: retain 50%",
        "at layer 9: retain 5%\nat depth 10%: retain 50%\n",
    ),
    "depths are": (
        "at depth 75%: retain 5%\nat depth 1/4: retain 50%\nat input: retain 60%",
        "at input: retain 60%\nat depth 1/4: retain 50%\nat depth 75%: retain 5%\n",
    ),
    "the header first, then declarations as they were written": (
        "expect flops <= 30%\nat layer 2: retain b\nscore s = norm(keys)\nparam b = 50%\noperator x\neos 1",
        "eos 1\noperator x\nscore s = norm(keys)\nparam b = 50%\nat layer 2: retain b\nexpect flops <= 30%\n",
    ),
    "what does not fit has a line for each group": (
        f"at encoder output: retain 54 tokens by {LONG} via prune and retain 10 tokens pick uniform via merge",
        f"at encoder output:\n  retain 54 tokens by {LONG} via prune\n  and retain 10 tokens pick uniform via merge\n",
    ),
    "what does not fit then has a line for each clause": (
        f"at layer 2: retain 54 tokens by {LONG} + {LONG} pick top via prune with positions: keep and remove 1 token",
        f"at layer 2:\n  retain 54 tokens\n  by {LONG} + {LONG}\n  pick top\n  via prune\n  with positions: keep\n"
        "  and remove 1 token\n",
    ),
    "lists of constraints and settings": (
        "space x\nsubject to tokens(mean) <= 64 tokens, flops <= 30%, kv_cache <= 40%, tokens(max) <= 576 tokens, "
        "tokens(layer 9) <= 64 tokens",
        "space x\nsubject to tokens(mean) <= 64 tokens,\n  flops <= 30%,\n  kv_cache <= 40%,\n"
        "  tokens(max) <= 576 tokens,\n"
        "  tokens(layer 9) <= 64 tokens\n",
    ),
    "runs of blank lines become one, at the ends none": (
        "\n\n\noperator x\n\n\n\nat layer 2: retain 5%\n\n\n# end\n\n\n\n",
        "operator x\n\nat layer 2: retain 5%\n\n# end\n",
    ),
    "comments inside a statement": (
        "at layer 2:  # here\n  # so many\n  retain 50%\n  by  # odd\n  norm(hidden)  # why\n  # how\n"
        "  via merge  # end\n",
        "at layer 2:  # here\n  # so many\n  retain 50%\n  # odd\n  by norm(hidden)  # why\n  # how\n"
        "  via merge  # end\n",
    ),
    "comments at line ends keep their column": (
        "param a = 1           # one\nparam longer_name = 2 # two\nparam  b  =  3        # three\n",
        "param a = 1           # one\nparam longer_name = 2  # two\nparam b = 3           # three\n",
    ),
    "a comment at the top stays there": (
        "# about the file\n\n# about the site\nat layer 3: retain 50%\noperator x\n",
        "# about the file\n\noperator x\n\n# about the site\nat layer 3: retain 50%\n",
    ),
    "windows line ends and a byte-order mark": (
        "\ufeffoperator x\r\n\r\nat layer 2:\r\n  retain 50% # c  \r\n",
        "operator x\n\nat layer 2: retain 50%  # c\n",
    ),
    "only comments": ("# a\n\n\n# b", "# a\n\n# b\n"),
    "nothing": ("  \n\n", ""),
    "holes": (
        "space x\nat any 1 .. 3 of layers 0..24: retain ? 2%..60% prior 25%\n"
        "pick ?{top,grid(2x2)} via mix(? a,? 25% prior b)",
        "space x\nat any 1..3 of layers 0..24: retain ? 2%..60% prior 25% pick ? {top, grid(2x2)} "
        "via mix(? a, ? 25% prior b)\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), PAIRS.values(), ids=PAIRS)
def test_pairs(before: str, after: str) -> None:
    assert format_text(before) == after
    assert format_text(after) == after


def test_lines_fit_where_they_can() -> None:
    """One column over the width is too much, the width itself is not."""

    def line(width: int) -> str:
        start, end = "at layer 2: retain 50% by ", " via merge"
        return f"{start}{'n' * (width - len(start) - len(end))}{end}\n"

    assert format_text(line(WIDTH)) == line(WIDTH)
    assert format_text(line(WIDTH + 1)).count("\n") > 1


@pytest.mark.parametrize(
    "text", ["at layer", "at layer 2: retain 5% pick top pick top", "\x00", "at layer 2: retain 1/0"]
)
def test_text_with_mistakes_is_refused(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        format_text(text)
    assert caught.value.diagnostics and caught.value.source is not None


def test_several_files_in_one_text_stay_apart() -> None:
    """As in a document: each header begins a file of its own, whose sites are not mixed with the others'."""
    text = "operator a\nat layer 9: retain 5%\n\noperator b\nat layer 2: retain 50%\n"
    assert format_text(text) == text
