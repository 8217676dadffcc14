"""The tokenizer of the models trained here: a whole word is a token, and every digit is one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def word_tokenizer(ids: Mapping[str, int], named: Mapping[str, str]) -> PreTrainedTokenizerFast:
    """Lower-cased words by their `ids`, padded on the left.

    `named`: further special tokens by the name that a processor asks for them under (`image_token`).
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(dict(ids), unk_token="<unk>"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(True)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=dict(named),
        model_max_length=1024,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
