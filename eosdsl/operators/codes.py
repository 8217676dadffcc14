"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0220": (
        "no such operator",
        "The name is not that of a score, pick, behaviour, similarity, support or adaptive budget, neither built in\n"
        "nor from an installed plugin.\n\n```eos\nat layer 2: retain 50% by atention(query: last)   # attention\n```\n",
    ),
    "E0221": (
        "no such parameter",
        "The operator has no parameter of that name; the message lists those that it has.\n\n"
        "```eos\nat layer 2: retain 50% by attention(rows: last)   # query\n```\n",
    ),
    "E0222": (
        "a parameter's value is of the wrong kind",
        "Every parameter takes certain words, numbers, sizes like `2x2`, or a nested operator.\n\n"
        "```eos\nat layer 2: retain 50% via merge(similarity: 3)   # similarity: cosine(keys)\n```\n",
    ),
    "E0223": (
        "a parameter's value is out of range",
        "The value is of the right kind but outside what the operator can work with.\n\n"
        "```eos\nat layer 2: retain 50% via reweight(temperature: 0)   # `merge` is the limit\n```\n",
    ),
    "E0224": (
        "too many values, or one given twice",
        "Values without a name fill the parameters in their documented order; each may be given once.\n",
    ),
    "E0225": (
        "a parameter without a default is missing",
        "The operator cannot work without it; there is no value that would suit everyone.\n",
    ),
    "E0226": (
        "an open value where a decided one is needed",
        "`?` may stand in a `space` only. What runs has every value decided: derive an operator from the space\n"
        "first, or write a value.\n",
    ),
    "E0227": (
        "an extension cannot be loaded",
        "An installed package offers this name through an entry point, but importing it failed.\n",
    ),
    "E0228": (
        "parts of a mix put rows together differently",
        "`weight` and `combine` belong to the group of tokens, not to one part of its mix: the parts must agree.\n\n"
        "```eos\nat layer 2: retain 50% via mix(merge(weight: size), pool(weight: size))\n```\n",
    ),
    "E0229": (
        "this shape has no such place",
        "The grid, window or count does not fit the tokens at hand: `grid(2x2)` needs an image whose grid is\n"
        "still whole.\n",
    ),
    "E0240": (
        "the step needs an input that was not given",
        "`apply_step` works on the tensors that it is handed; a score over attention needs `attention=`, similarity\n"
        "of keys needs `keys=`, and so on.\n",
    ),
    "E0241": (
        "an input tensor has the wrong shape",
        "`hidden` is [B, N, D]; the others agree with it in B and N: `keys` and `values` [B, N, F], `attention`\n"
        "[B, H, R, N], `sizes` [B, N], `text` [B, F] or [B, T, F], `grid` (rows, columns) of the unreduced image.\n",
    ),
    "E0242": (
        "not a single step",
        "`apply_step` takes what follows the colon of one `at` statement: one site, one amount, nothing left open.\n",
    ),
}
