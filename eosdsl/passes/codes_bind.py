"""What the codes of binding and planning mean, for `eosdsl explain`: title, and an explanation in Markdown."""

from __future__ import annotations

CODES: dict[str, tuple[str, str]] = {
    "E0302": (
        "a layer is past the end of the model",
        """Layers are counted from 0, so a model of 32 layers has layers 0..31. What runs in one model may not exist
        in a smaller one.

        ```eos
        at layer 40: retain 50%        # llava-1.5-7b has decoder layers 0..31
        ```

        Instead, name an earlier layer, or a place relative to the depth: `at depth 25%: retain 50%`.
        """,
    ),
    "E0321": (
        "the tower's features were taken before this layer",
        """Many models use the features of a layer before the last one of their tower: LLaVA-1.5 those that encoder
        layer 22 gives, of 24. The layers after it run, but nothing reads what they compute, so a reduction there
        changes nothing.

        ```eos
        at encoder layer 23: retain 50%
        ```

        Instead, reduce earlier, or reduce the features themselves: `at encoder output: retain 50%`.
        """,
    ),
    "E0323": (
        "the numbers of budgets and of layers differ",
        """A list of budgets gives one to each layer of a list. A range (`layer 2..8`) takes one budget, which it
        spreads.

        ```eos
        at layers 8, 16, 24: retain 50%, 25%
        ```

        Instead, write as many budgets as layers, or a single one for all.
        """,
    ),
    "E0324": (
        "the range runs backwards",
        """A range names its earlier layer first. With `depth`, which layer is the earlier one depends on the model.

        ```eos
        at layer 8..2: retain 25%
        ```

        Instead, write `at layer 2..8: retain 25%`.
        """,
    ),
    "E0325": (
        "a budget that depends on the image cannot go over a range",
        """How many tokens `mass 90%` or `outliers(iqr: 1.5)` keep is known only when they run; there is no end that a
        range could approach step by step.

        ```eos
        at layer 2..8: retain mass 90%
        ```

        Instead, apply it at each layer (`at layers 2..8: …`) or at one.
        """,
    ),
    "E0326": (
        "a geometric range never reaches zero",
        """Without `along`, a range keeps the same share at every layer; no share but zero leads to zero, and zero
        would give up everything at the first layer.

        ```eos
        at layer 2..8: remove all
        ```

        Instead, write `along linear` or `along cosine`.
        """,
    ),
    "E0328": (
        "the pick needs the whole grid of tokens",
        """`grid(2x2)` takes one anchor from every cell of the image, so it brings its own number of anchors. Once
        tokens have been given up there is no whole grid any more, and images of several tiles never form one.

        ```eos
        at layer 2: retain 50%
        at layer 8: retain 25% pick grid(2x2)
        ```

        Instead, let it come first, or take another pick.
        """,
    ),
    "E0330": (
        "an expectation does not hold on this model",
        """`expect` is a test in the language. On the model at hand the measure has another value than the spec
        promises: the message says which. Measures count as `eosdsl plan` does; a ratio is of the full model.

        ```eos
        at layer 2: retain 50%
        expect tokens(mean) <= 64      # it is 306
        ```

        Instead, lower the budgets, or correct the expectation.
        """,
    ),
    "E0331": (
        "an expectation cannot be measured",
        """Measures are `tokens(mean)`, `tokens(max)`, `tokens(layer 9)`, `flops`, `prefill_flops` and `kv_cache`;
        each with a ratio of the full model or an amount in its own unit. `latency` needs a table of the machine.

        ```eos
        expect watts <= 30%
        ```

        Instead, use one of these measures.
        """,
    ),
    "E0332": (
        "a space has no one plan",
        """A space leaves values open, so it stands for many operators with as many costs; it cannot be planned or
        compiled as it is.

        ```eos
        space open for llava
        at any 1..3 of layers 0..24: retain ? 2%..60%
        ```

        Instead, search it (the result is an operator), or decide every `?`.
        """,
    ),
    "E0401": (
        "the spec is for another family of models",
        """`operator NAME for FAMILY` says which models a spec is meant for; the model at hand is of another family.

        ```eos
        operator fastv for llava       # planned for qwen2-vl-7b
        ```

        Instead, choose a model of that family, change the family, or leave `for` out: then any will do.
        """,
    ),
    "E0402": (
        "there is no such family of models",
        """`for` names a family that neither eosdsl nor an installed package has a profile for.

        ```eos
        operator fastv for lava
        ```

        Instead, take a family that `eosdsl models` lists, or leave `for` out.
        """,
    ),
    "E0403": (
        "the site cannot give what is asked for",
        """Scores, picks and behaviours may read attention, keys or values; not every site has them. Before the first
        layer no attention exists, a vision tower never sees the text, some towers have no CLS token, and a language
        model has none.

        ```eos
        at input: retain 50% by attention(query: last)
        ```

        Instead, move the step, or take what is there: `by norm(hidden)`, or at a decoder layer
        `attention(query: last, layer: next)`.
        """,
    ),
    "E0404": (
        "the model has no vision tower that can be reduced",
        """The statement names a place in the vision tower, and the profile of this model knows none.

        ```eos
        at encoder output: retain 50%
        ```

        Instead, reduce at `input` or at a decoder layer.
        """,
    ),
    "I0341": (
        "a default score was taken",
        """No `by` is written, so the score that suits the site was taken: attention of the prompt's last row at decoder
        layers, attention of the CLS token in a tower that has one, the norm of the hidden state otherwise.

        ```eos
        at layer 2: retain 50%         # by attention(query: last)
        ```

        Instead, write the score, if the spec is to say what it does on every model.
        """,
    ),
    "I0343": (
        "a pick that counts for itself beside a budget",
        """`grid(2x2)` keeps one token of every cell while the image's grid is whole, whatever budget stands beside it.

        ```eos
        at input: retain 25 tokens pick grid(2x2)
        ```

        Instead, leave the budget out, choose cells of another size, or choose by `uniform`.
        """,
    ),
    "W0341": (
        "a statement reduces nothing",
        """All tokens that arrive are kept: the budget is all of them, or the same as an earlier one. Percentages are
        of what the image started with, not of what arrives.

        ```eos
        at layers 2, 8: retain 50%     # at layer 8 half of the image is all that is left
        ```

        Instead, leave it out, or write `50% of incoming`.
        """,
    ),
    "W0342": (
        "a budget grows",
        """More tokens are asked for than arrive. Tokens that were given up do not come back, so everything is kept.

        ```eos
        at layers 8, 16: retain 25%, 50%
        ```

        Instead, order the budgets from large to small, or write `of incoming`.
        """,
    ),
}
