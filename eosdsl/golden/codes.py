"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0690": (
        "not a golden case",
        "A case is an `.npz` file with arrays `in_*` and `out_*` and a JSON text `meta` that names the method and the\n"
        "parameters that it was run with. This file lacks some of that, or is no `.npz` at all.\n",
    ),
}
