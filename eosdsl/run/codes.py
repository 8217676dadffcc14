"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0620": (
        "the file is not an image",
        "What is given after `--image` has to be a picture that Pillow can open: PNG, JPEG, WebP, GIF, TIFF, BMP.\n",
    ),
    "E0621": (
        "the image is damaged",
        "The file begins like a picture but cannot be decoded to its end: a download was cut off, or "
        "bytes were changed.\n",
    ),
    "E0622": (
        "the image is too large",
        "It has so many pixels that decoding it looks like an attack on memory (Pillow's limit). Make it smaller "
        "first: models look at a few hundred pixels a side.\n",
    ),
    "E0623": (
        "the prompt is empty",
        "There is nothing to answer. Write a question after `--prompt`.\n",
    ),
    "E0625": (
        "the model folder has no processor",
        "To ask about an image, a tokenizer and an image processor are needed beside the weights: "
        "`preprocessor_config.json` or `processor_config.json`, `tokenizer.json` and their like, as "
        "`processor.save_pretrained(folder)` writes them.\n",
    ),
    "E0627": (
        "the prompt does not fit the images",
        "The prompt names image placeholders itself, and their number is not the number of images that were given. "
        "Leave them out: they are put where the model's chat template wants them.\n",
    ),
    "E0628": (
        "the model does not fit into memory",
        "Weights, activations and the cache together need more than there is. `--dtype bfloat16` halves the weights of "
        "a float32 model; fewer or smaller images shorten the prompt.\n",
    ),
}
