"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0680": (
        "nothing is asked",
        "An evaluation needs questions: families of `eosdsl.tasks` after `--tasks` (`--tasks all` for every one), or\n"
        "your own file after `--data`, or both.\n",
    ),
    "E0681": (
        "this is no budget",
        "A budget is a share of the model's visual tokens: a number of tokens of LLaVA-1.5's 576 (`64`), a percentage\n"
        "(`25%`) or a fraction (`1/9`), more than nothing and at most everything. Several are separated by commas.\n",
    ),
    "E0682": (
        "the folder holds another evaluation",
        "An evaluation goes on where it stopped only if all that answers depend on is the same: model, weights,\n"
        "specs, tasks, data, seed, batch size. The message says what differs. Name a new folder, or remove this one.\n",
    ),
    "E0683": (
        "there is no split or difficulty of this name",
        "Splits are train, validation and test; difficulties are easy, medium and hard, with values behind them where\n"
        "one is to differ: `medium,clutter=0.5,objects=4-8,images=3,canvas=24`. docs/tasks.md lists them.\n",
    ),
    "E0684": (
        "a shard of an evaluation is damaged",
        "The file was changed after it was written. Remove it: the same command makes it again and leaves the\n"
        "others.\n",
    ),
    "E0685": (
        "a format to export to that is not known",
        "Tasks are written for `eosdsl` (JSON lines and images), `lmms-eval` and `vlmevalkit`.\n",
    ),
    "E0687": (
        "there is no suite of this name",
        "`--suite methods` evaluates every spec of `specs/methods`, `--suite clean-methods` those without the forms\n"
        "named `…_as_published`.\n",
    ),
}
