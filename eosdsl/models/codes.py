"""What the codes of models mean, for `eosdsl explain`: title, and an explanation in Markdown."""

from __future__ import annotations

CODES: dict[str, tuple[str, str]] = {
    "E0641": (
        "the model folder does not exist",
        """A model was named by a path, and nothing is there. Relative paths count from the folder you are in.

        Example: `eosdsl plan fastv.eos --model ./lava-7b`

        Instead, give the folder that `save_pretrained` wrote, or a name that `eosdsl models` lists.
        """,
    ),
    "E0642": (
        "the model is not known by this name",
        """What is given after `--model` is neither a shipped name, nor a folder, nor a hub id (`owner/name`); or, from
        Python, an object that is no model.

        Example: `eosdsl plan fastv.eos --model lava`

        Instead, take a name from `eosdsl models`, or a folder with a `config.json`.
        """,
    ),
    "E0643": (
        "the folder holds no model",
        """A model folder has a `config.json`, as `save_pretrained` writes it. This one has none.

        Example: `eosdsl plan fastv.eos --model ./` in a folder of specs.

        Instead, give the model's own folder. A folder that `eosdsl compile` wrote holds an operator, not a model.
        """,
    ),
    "E0644": (
        "the type of model has no profile",
        """A family is known to eosdsl by its profile: where its decoder is, how many visual tokens an image gives. The
        `model_type` in this config belongs to no known family, or its vision tower is of an unknown kind.

        Example: a folder whose config says `"model_type": "gpt2"`.

        Instead, use a model of a known family (`eosdsl models`). A package can add a family: one module with a
        `Profile`, named in the entry-point group `eosdsl.models`.
        """,
    ),
    "E0645": (
        "the model's config lacks something, or cannot be",
        """A number that costs and token counts depend on is missing from `config.json`, or holds a value that no model
        can have: the message names the key.

        Example: `"num_hidden_layers": 0`

        Instead, take the config as `save_pretrained` writes it.
        """,
    ),
    "E0646": (
        "the model's config is not JSON",
        """`config.json` is broken: cut off, edited by hand, or a Git LFS pointer in place of the file. The note names
        the line.

        Instead, fetch or save the model again.
        """,
    ),
    "E0647": (
        "the hub model is out of reach",
        """The name has the form `owner/name` of a hub model. Its config is not in the local cache, and the hub could
        not be reached, or did not give it: no network, `HF_HUB_OFFLINE` set, a gated or misspelt model.

        Example: `eosdsl plan fastv.eos --model llava-hf/llava-1.5-7b-hf` on a machine without network.

        Instead, download the model where there is network, or plan on the shipped config (`--model llava`).
        """,
    ),
    "E0648": (
        "a model family of an installed package does not load",
        """A package names a family in the entry-point group `eosdsl.models`, and importing it failed, or what it names
        is not a `Profile`. The notes say which package and why.

        Instead, repair or uninstall that package.
        """,
    ),
}
