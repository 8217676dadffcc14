"""The diagnostics of this room: code → (title, page in Markdown)."""

CODES: dict[str, tuple[str, str]] = {
    "E0430": (
        "the model already carries an operator",
        "One operator at a time is attached to a model. Detach the first one:\n"
        "\n"
        "```python\n"
        "with eosdsl.compile(program, model) as compiled:\n"
        "    ...\n"
        "# or: compiled.detach()\n"
        "```\n",
    ),
    "E0431": (
        "this keyword is not supported while an operator is attached",
        "The call asks for something that has no right answer, or none yet, on a sequence that gets shorter "
        "on its way: attention maps of the full sequence, labels for rows that are gone, packed sequences, "
        "masks made for the full length. Leave the keyword out, or call the model after `detach()`.\n",
    ),
    "E0432": (
        "the call has no token ids",
        "Which rows are visual is read from `input_ids`. A call with only `inputs_embeds`, or one that goes "
        "to the language model past its vision-language model, does not say it.\n",
    ),
    "E0433": (
        "this kind of cache is not supported",
        "Layers after a reduction hold fewer rows than those before it. That works with a `DynamicCache` (the"
        " default of `generate`), with a `StaticCache` and with no cache. Quantised and offloaded caches are refused: "
        "use one of these. A static one is refused with flex attention, which transformers does not run together "
        "either, and where all layers slide and the cache is longer than their window: such a cache has room for one "
        "window and does not say for how many rows it was made, and rows in front of a window must stay, for windows "
        "are counted in positions. Use a dynamic cache there.\n",
    ),
    "E0434": (
        "this way of generating is not supported",
        "Assisted decoding, prompt lookup, chunked prefill and continuous batching cut or repeat the prompt "
        "in ways that a reduced sequence cannot follow. Greedy search, sampling and beam search work, with "
        "and without a cache.\n",
    ),
    "E0435": (
        "the model has no weights",
        "It was built from its configuration alone, on the meta device: its graph, plan and artefact are "
        "exact, but nothing can be computed. Name a folder or a hub id with weights to run it.\n",
    ),
    "E0436": (
        "this site is not built yet",
        "The language has this site and `plan` counts it, but no lowering runs it for this model. In the vision tower "
        "and at its output it takes features that pass to the projector one by one (LLaVA, ViP-LLaVA, PaliGemma), or "
        "patches that are joined in groups, which then go or stay together (Qwen-VL, InternVL, Idefics3, SmolVLM, Aya "
        "Vision, Gemma 3), and tiles that are packed (LLaVA-NeXT, LLaVA-OneVision). Pixtral towers, which pack images "
        "of any shape, are not built, nor are features of several layers where patches are joined or packed: the "
        "message says which it is. Neither a search nor learned scores can be trained in a tower that joins or packs "
        "patches. `at input` reduces what the projector gives, at the same price for the decoder.\n",
    ),
    "E0437": (
        "the decoder does not offer what an operator reads",
        "An operator of the spec asks for something that this stream of the model does not have, such as the "
        "attention of a CLS token inside the language model.\n",
    ),
    "E0438": (
        "the parts of the model are not where they are expected",
        "Compiling needs a vision-language model with a language model inside it: a list of decoder layers "
        "with `self_attn` (`q_proj`, `k_proj`, `v_proj`), a norm and a rotary embedding.\n",
    ),
    "E0439": (
        "attention cannot be biased in this implementation",
        "`attention_bias` adds a number to attention logits. `eager` and `sdpa` take one; flash attention "
        'does not. Load the model with `attn_implementation="sdpa"`, or leave the bias out.\n',
    ),
    "E0440": (
        "prompts are padded on the right",
        "Reduced rows are aligned at their ends. Set `processor.tokenizer.padding_side = 'left'`, as "
        "generation asks anyway.\n",
    ),
    "E0441": (
        "the cache cannot be cut back into a reduced part",
        "Rows of a reduced layer no longer map one to one to tokens of the prompt, so a cache can be cropped "
        "only down to the end of the last reduced image.\n",
    ),
    "E0442": (
        "this model cannot be compiled for yet",
        "Its family is known, so that `plan` counts tokens and costs, but running it reduced is not built in "
        "this version.\n",
    ),
    "E0443": (
        "a space cannot be compiled",
        "A `space` leaves values open; only an `operator` runs. Search the space, or sample an operator from it.\n",
    ),
    "E0444": (
        "the operator has been detached",
        "This object no longer changes its model. Call `attach()` again, or use `.model` to run the model as it is.\n",
    ),
    "E0446": (
        "the cache was filled without this operator",
        "A cache that holds visual tokens that were never reduced, or were reduced by another operator, does "
        "not fit the layers of this one. Start from an empty cache.\n",
    ),
    "E0447": (
        "visual features were made without the operator",
        "The operator reduces in the vision tower, and this call brings features that passed the tower "
        "without it. Give `pixel_values`, or features made by `get_image_features` while the operator is "
        "attached.\n",
    ),
    "E0455": (
        "no mask over embeddings does what the spec does",
        "A serving engine of vLLM's kind asks how many embeddings of an image stay, before it encodes the image, and "
        "later for a mask of them. That fits a spec with one step `at input` (or `at layer 0`) that prunes a number "
        "known ahead by what the embeddings themselves say: `norm`, `position`, `random`, `diverse`, `dpp` and their "
        "like. The message says what does not fit.\n",
    ),
    "E0456": (
        "this version of transformers is not supported",
        "Compiling reaches into models: visual features are handed over by `mm_encoder_outputs`, which models take "
        "from 5.18 on, and layers, masks and caches are called by the names that 5.x has. Another version would fail "
        "somewhere inside, or worse, be wrong, so it is refused first. `eosdsl check` and `plan` need no transformers. "
        "The message says which versions are taken; `docs/models.md` which were tried.\n",
    ),
    "E0457": (
        "a space cannot be open over several devices",
        "An operator runs on a model whose layers lie on several devices (`device_map`): what travels beside the rows "
        "goes with them. While a space is open its decisions, soft counts and gradients are on one device. Load the "
        "model on one to search, or search on a smaller model of the family, and compile what was found for the large "
        "one.\n",
    ),
    "E0448": (
        "a sliding window cannot be counted in positions",
        "Layers of this model see only so many positions back. When rows leave the sequence those that stay keep their "
        "positions, so that a window reaches as far as it did. `eager`, `sdpa` and `flex_attention` take a mask that "
        "says so; flash attention counts rows by itself, and would let rows see what they never saw. Load the model "
        'with `attn_implementation="sdpa"`.\n',
    ),
    "E0458": (
        "the operator cannot be exported",
        "An exported prefill is a program of tensors with free batch and text lengths. It works for reductions in the "
        "decoder or at its input whose counts are known ahead, for the families that `docs/export.md` lists. Adaptive "
        "budgets, reductions in the vision tower, families whose prompts cannot be told ahead, and operators that the "
        "target format lacks are refused: the message says which. What was written is run and compared before it takes "
        "its place.\n",
    ),
    "E0459": (
        "the learned numbers do not fit the operator",
        "Learned scores are computed by small networks, one for every site that asks, and a compiled operator carries "
        "their numbers in `operator.safetensors`. What was given is no safetensors file, is cut off, lacks a tensor, "
        "has one too many or one of another shape, or holds what is not a finite number. Only safetensors are read: a "
        "pickle could run code. `compiled.learned.state_dict()` shows names and shapes; a name is the site, a colon, "
        "and the name in the spec: `encoder_layer_3:predictor.in_conv.1.weight`.\n",
    ),
    "W0459": (
        "learned scores have not been trained",
        "The spec chooses tokens by `learned(...)`, and nobody has said with which numbers: those that were drawn "
        "choose no better than chance. Train them with the model frozen, or give them:\n"
        "\n"
        "```python\n"
        "with eosdsl.compile(program, model) as compiled:\n"
        "    optimizer = torch.optim.AdamW(compiled.learned.parameters())\n"
        "    with compiled.training():\n"
        "        ...\n"
        "# or\n"
        'eosdsl.compile(program, model, learned="operator.safetensors")\n'
        "```\n",
    ),
    "E0650": (
        "the model's weights cannot be loaded",
        "The configuration was read but the weights were not: they are missing, incomplete, damaged, or of "
        "another shape. The message says what transformers found.\n",
    ),
    "E0651": (
        "unknown dtype or device",
        "`dtype` is the name of a floating point type of torch (`float32`, `bfloat16`, `float16`), `device` "
        "one that torch has on this machine (`cpu`, `cuda`, `cuda:0`).\n",
    ),
    "E0652": (
        "the folder is not a compiled operator",
        "`eosdsl compile --out` and `compiled.save_pretrained` write `eos_config.json`, `operator.eos`, "
        "`plan.json` and `graph.py`. At least one of them is missing.\n",
    ),
    "E0653": (
        "the compiled operator was changed",
        "The sha256 of a file differs from the one that `eos_config.json` records. Compile `operator.eos` "
        "again if the change was meant.\n",
    ),
    "E0654": (
        "the compiled operator cannot be read",
        "`eos_config.json` is not what this version of eosdsl writes: it is cut off, or entries are missing.\n",
    ),
    "E0655": (
        "the compiled operator is of a newer format",
        "It was written by a later version of eosdsl. Update, or compile its `operator.eos` again with this version.\n",
    ),
    "E0656": (
        "the compiled operator is for another model",
        "Its counts and its graph were made for a model of another family or shape. Compile `operator.eos` "
        "for this one.\n",
    ),
    "E0657": (
        "the operator is out of reach",
        "`eosdsl.load` was given a hub id (`owner/name`): no folder has that name, the operator is not in the local "
        "cache of the hub, and it could not be downloaded. The message says what huggingface_hub found.\n",
    ),
    "E0658": (
        "the hub did not take the operator",
        "Pushing needs a network, a token with the right to write (`hf auth login`) and a name of the form "
        "`owner/name`. The message says what huggingface_hub found. A folder that was written stays.\n",
    ),
    "E0659": (
        "the results are not JSON",
        "`results` of `save_pretrained` goes into a file: numbers that are finite, text, lists and mappings by text.\n",
    ),
}
