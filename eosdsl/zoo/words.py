"""A small tokenizer, trained on the spot: printable ASCII and the merges of the words that questions are made of."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "<image>")  # their ids are their places here
PAD, BEGIN, END, UNKNOWN, IMAGE = range(5)
_TEXT = (
    """
USER: ASSISTANT: What is in this picture? What is shown here?
Describe the image in one sentence, please. Answer briefly.
Is there a cat? Yes, there is a grey cat with green eyes. No, there is no dog. How many people are there? Two or three.
What colour is the car? The car is red. Where is the cup? It is on the left side of the table, next to a white plate.
Which animal is larger, and what does it do? Who is the person in the photo?
A woman in an orange suit smiles at the camera.
Read the text. What does the sign say? The number is one two three four five six seven eight nine ten.
black blue brown green grey orange pink purple red white yellow top bottom right middle near far behind above below
man boy girl child face hand eye hair hat shirt flag space coffee spoon bread apple water sky tree grass road house
bird horse train bus bike boat plane ball book chair bed door window phone clock light small big old young round square
"""
    * 4
)


def small_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer without the bytes outside printable ASCII: those become `<unk>`. Pads on the left."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(_TEXT.splitlines(), _trainer())
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
        padding_side="left",
        model_max_length=4096,
    )


def _trainer() -> BpeTrainer:
    from tokenizers.trainers import BpeTrainer

    # what the byte-level alphabet writes for a space and a line end, beside the characters that stand for themselves
    alphabet = [*(string.ascii_letters + string.digits + string.punctuation), "Ġ", "Ċ"]
    return BpeTrainer(
        vocab_size=1000, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet, show_progress=False
    )
