"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0660": (
        "there is no task family of this name",
        "Families are registered under the entry-point group `eosdsl.tasks`; the message lists those there are. "
        "A plugin's family appears once its package is installed.\n",
    ),
    "E0661": (
        "a line of the data is not a JSON object",
        "A JSONL file holds one complete object a line. A file that is one long JSON list is turned into lines with\n"
        "\n"
        '```sh\njq -c ".[]" data.json > data.jsonl\n```\n',
    ),
    "E0662": (
        "an example has not the keys that it needs",
        "Two forms are read: `{image, question, answer}`, and LLaVA's\n"
        "`{image, conversations: [{from: human, value: …}, {from: gpt, value: …}, …]}`. `image` is a path or a list\n"
        "of paths, counted from the data file's folder (or from the folder given); it may be absent.\n",
    ),
    "E0663": (
        "an image of an example cannot be used",
        "The file is missing, is not an image, is cut short or is far too large; the reason follows the name. Paths\n"
        "count from the folder of the data file unless another folder is given.\n",
    ),
    "E0664": (
        "the tokenizer cannot write this answer",
        "The answer holds words that the model's tokenizer only knows as `<unk>`: the model could never say it, so\n"
        "every score on this example would be zero. Use other words, or another model.\n",
    ),
    "E0665": (
        "the data file holds no example",
        "Nothing is left to ask: the file is empty, or every line of it was bad and was skipped.\n",
    ),
    "E0666": (
        "there is no recipe for this model",
        "`eosdsl zoo train` makes the models whose training code ships with the package; the message lists them.\n",
    ),
    "E0667": (
        "a stage of training that the next one builds on is not finished",
        "`spread` goes on with what `read` learned, `join` puts together what it and `align` learned. Run them first,\n"
        "or run the command without `--stage`.\n",
    ),
    "E0686": (
        "a checkpoint is of another training",
        "A stage goes on from its checkpoint only with the seed and the paces (steps, rates) that it began with: with\n"
        "others it would be neither training. Name another `--out`, or remove the checkpoint that the message names.\n",
    ),
    "E0679": (
        "no question of this family can be made at this difficulty",
        "Answers take turns, so that guessing does not pay: a family needs images for each of its answers. With few\n"
        "`objects`, for instance, nothing can be counted up to eight.\n",
    ),
    "E0669": (
        "this is no folder of data",
        "A folder is read where `dataset.save_to_disk(folder)` of Hugging Face's `datasets` wrote it, or where it\n"
        "holds images and a `metadata.jsonl` whose lines name theirs by `file_name`. Anything else is named by its\n"
        "file.\n",
    ),
}
