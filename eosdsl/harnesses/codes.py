"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0688": (
        "the spec cannot be run at this budget",
        "The method cannot meet the budget on this model, for the reason that follows, or does not fit the model at\n"
        "all. Ask for a larger budget, or leave `budget` out to run the spec as it is written.\n",
    ),
    "E0689": (
        "a harness asks for what is not answered",
        "Plug-ins answer chats of images and text with generated text. Video, audio, and log-likelihoods of given\n"
        "answers are refused: choose tasks of the kind `generate_until` on images.\n",
    ),
}
