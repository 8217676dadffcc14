"""Specs in plain English."""

from __future__ import annotations

import pytest

from eosdsl.parsing import parse
from eosdsl.views.prose import describe


def step(text: str) -> str:
    """The paragraph on the only step."""
    return describe(parse(text)).split("\n\n")[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "at layer 2: retain 50% by attention(query: last) via prune",
            "1. On entry to decoder layer 2: keep 50% of the visual tokens that an image started with, those with the"
            " highest attention from the prompt's last row in the layer before; the rest is dropped.",
        ),
        (
            "at layer 2..8: retain 25% via mix(merge, prune)",
            "1. Gradually over decoder layers 2 to 8, both included: keep 25% of the visual tokens that an image"
            " started with, those with the highest default score of that place; of the content of the rest, 50% is"
            " merged into the kept token most like it and 50% is dropped.",
        ),
        (
            "at layers 8, 16, 24: retain 50%, 25%, 12.5% by attention(query: last, layer: next)"
            " with positions: compact",
            "1. On entry to decoder layers 8, 16 and 24: keep 50%, 25% and 12.5% of the visual tokens that an image"
            " started with, one a layer, those with the highest attention from the prompt's last row in the layer that"
            " follows; the rest is dropped. Positions are numbered anew without gaps.",
        ),
        (
            "at input: pick grid(2x2) via pool(within: window(2x2)) with attention_bias: log_size",
            "1. After the projector, before the decoder's first layer: keep 25% of the visual tokens that an image"
            " started with, one in each cell of a 2x2 grid; the rest is spread evenly over the kept tokens"
            " (pool(within: window(2x2))). Later attention adds the logarithm of how many tokens a row stands for.",
        ),
        (
            "at encoder layer 3 after attention: remove 16 tokens pick bipartite(on: keys) via merge(weight: size)",
            "1. Between attention and MLP of vision-tower layer 3: give up 16 tokens, keeping those chosen by"
            " bipartite(on: keys);"
            " the rest is merged into the kept token most like it (merge(weight: size)).",
        ),
        (
            "at encoder output: retain 54 tokens by attention(query: cls) and retain 10 tokens pick uniform via merge",
            "1. On the features that leave the vision tower, before the projector: keep 54 tokens, those with the"
            " highest attention from the tower's class token in the layer before; the rest is dropped. Of the tokens"
            " left over, also keep 10 tokens, evenly spaced; the rest is merged into the kept token most like it.",
        ),
        (
            "at layer depth 25%: retain mass 90% by 0.7 * norm(keys) + 0.3 * random(1)",
            "1. On entry to the decoder layer at 25% of the depth: keep as many tokens as mass(90%) says for the"
            " image, those with the highest sum of 0.7 times norm of their keys and 0.3 times score random(1), each"
            " standardised; the rest is dropped.",
        ),
        (
            "at layer 2..8: retain 100% -> 10% along cosine by norm(hidden)",
            "1. Gradually over decoder layers 2 to 8, both included: keep from 100% of the visual tokens that an image"
            " started with down to 10% of the visual tokens that an image started with along a cosine curve, those"
            " with the highest norm of their hidden state; the rest is dropped.",
        ),
    ],
)
def test_a_step_reads_like_a_sentence(text: str, expected: str) -> None:
    assert step(text) == expected


def test_the_head_and_the_promises() -> None:
    text = "operator fastv for llava\nat layer 2: retain 50%\nexpect tokens(mean) <= 320, flops <= 60%\n"
    paragraphs = describe(parse(text)).split("\n\n")
    assert paragraphs[0] == "fastv (operator, for models of the family llava)"
    assert paragraphs[2:] == [
        "Text tokens are never touched.",
        "It is expected that tokens(mean) is at most 320 tokens; compiling fails otherwise.",
        "It is expected that flops is at most 60%; compiling fails otherwise.",
    ]


def test_a_space_says_what_is_open_and_what_is_sought() -> None:
    text = """
    space hybrid for llava
    at any 1..3 of layers 0..24:
      retain ? 2%..60%
      by ? * attention(query: last) + ? * norm(hidden)
      pick ? {top, diverse}
      via mix(? prune, ? merge)
      with attention_bias: ? 0..1.5 * log_size
    minimise task + 0.1 * alignment(hidden)
    subject to tokens(mean) <= 64, flops <= 30%
    """
    described = describe(parse(text))
    assert described.startswith("hybrid (space, to be searched, for models of the family llava)")
    assert "On entry to 1 to 3 of the decoder layers 0 to 24, which ones is left open" in described
    assert "keep a share that is left open (? 2%..60%)" in described
    assert "chosen in a way that is left open (? {top, diverse})" in described
    assert "an open share is dropped and an open share is merged" in described
    assert "A search makes task + 0.1 * alignment(hidden) as small as it can." in described
    assert "It must hold that tokens(mean) is at most 64 tokens and flops is at most 30%." in described
