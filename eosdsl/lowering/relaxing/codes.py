"""The diagnostics of relaxed programs: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0520": (
        "this cannot be relaxed",
        "A search by gradient needs a path from the value to the loss. Budgets, weights, shares, temperatures, the "
        "strength of the attention bias, choices and places have one; these do not:\n"
        "\n"
        "- parameters of scores, picks, likenesses and supports between bounds (`k: ? 3..7`): name values to choose "
        "among, `k: ? {3, 5}`;\n"
        "- budgets that adapt to the image (`outliers`, `mass`, `rank`, `distance`, `left`);\n"
        "- picks that make rows of their own (`extra`), and `combine: sequential`;\n"
        "- rows that move: `positions` other than `keep`, `order` other than `position`;\n"
        "- two statements that may reduce at one site.\n"
        "\n"
        "`eosdsl sample` draws members of such a space all the same.\n",
    ),
    "E0521": (
        "this is not supported while a program is relaxed",
        "A relaxed program fades tokens and keeps every row: it is called for logits and a loss, on whole prompts. It "
        "has no cache and does not generate. Fill its genome, compile the member and generate with that.\n",
    ),
}
