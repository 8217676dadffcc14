"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0624": (
        "the tokens of this model cannot be placed on the image",
        "An overlay needs an image processor that resizes and crops an image as a whole, and a fixed grid of visual "
        "tokens. Models that cut an image into tiles or choose their own resolution are not drawn yet; leave "
        "`--overlay` out.\n",
    ),
    "E0626": (
        "the overlay cannot be written as this kind of file",
        "The ending of the file's name says what kind of picture to write: `.png`, `.jpg`, `.webp`.\n",
    ),
}
