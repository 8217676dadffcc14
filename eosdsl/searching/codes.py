"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0670": (
        "the checkpoint is of another search",
        "`--resume` goes on where a search was stopped: the same space, model, data and settings. What differs is\n"
        "named. Search into another folder, or with what the checkpoint was made with.\n",
    ),
    "E0671": (
        "too many steps of a search gave no number",
        "A step whose loss or gradient is not finite is skipped and counted. Where many are, something is wrong that\n"
        "skipping does not mend: a learning rate that is too high, fp16 without enough range (`precision: bf16`), or\n"
        "a model whose own loss on the data is not finite. The last good state is kept as the checkpoint.\n",
    ),
    "E0672": (
        "the batch cannot be shared out",
        "Every process takes the same number of questions, in `accumulate` parts of the same size, so `batch` has to\n"
        "be a multiple of processes × accumulate: else the mean over the batch would depend on how it is divided.\n",
    ),
    "E0673": (
        "this way of distributing a model cannot be searched with",
        "A search calls single projections of layers. Data parallel runs (`accelerate launch --multi_gpu\n"
        "--num_processes N`, on CPUs too) are supported, and weights shared out by FSDP (`--use_fsdp`, its other\n"
        "settings are not read), for models that do not fit on one device. DeepSpeed and Megatron are not built.\n",
    ),
    "E0674": (
        "a setting that no search can do",
        "A setting of the search (an optimiser, a schedule) is written right and yet not built, or\n"
        "not to be had together with another one. The message names what can be given instead.\n",
    ),
    "E0675": (
        "no derived operator meets the constraints",
        "Every open budget is at its lower end and a constraint still does not hold by the plan's count. Loosen the\n"
        "constraint, or let budgets fall further. `eosdsl check SPACE --model MODEL` says so before a search.\n",
    ),
    "E0676": (
        "the folder holds a search already",
        "Searches do not overwrite each other: give `--resume` to go on with that one, or name another folder.\n",
    ),
    "E0677": (
        "there is nothing to search in an operator",
        "A search needs a space: a spec that begins with `space` and leaves values open with `?`.\n",
    ),
    "E0678": (
        "nothing to learn from",
        "`--data` names task families (`tasks` for all, or `count,ocr`), or JSONL files of questions with answers. At\n"
        "least two questions are needed: one to learn from, one to hold back.\n",
    ),
}
