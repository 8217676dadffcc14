"""A LLaVA of real parts and random weights, to run specs on a machine that can reach no model hub.

Everything about it is what `transformers` gives for a downloaded LLaVA: `LlavaForConditionalGeneration`, a CLIP tower
with a CLS token, `LlavaProcessor`, a tokenizer, a chat template, loaded back by path. Only the weights mean nothing:
its answers are gibberish, while token counts, speed and memory are real.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from eosdsl.writing import folder_in_one_piece
from eosdsl.zoo.words import BEGIN, END, IMAGE, PAD, small_tokenizer

if TYPE_CHECKING:
    from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, PreTrainedTokenizerFast

Size = Literal["small", "tiny"]
CARD = "zoo.json"
_VERSION = 1
_CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'].upper() + ':' }}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ ' <image>' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ '\\n' + part['text'] + ' ' }}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ '</s>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """Widths in features, image and patch sides in pixels."""

    layers: int
    width: int
    heads: int
    mlp_width: int
    tower_layers: int
    tower_width: int
    tower_heads: int
    tower_mlp_width: int
    image_side: int
    patch_side: int = 14

    @property
    def visual_tokens(self) -> int:
        return (self.image_side // self.patch_side) ** 2


SHAPES: dict[Size, Shape] = {
    # LLaVA-1.5's 576 visual tokens; 85 M decoder parameters against 5 M in the tower, so that prefill dominates
    "small": Shape(12, 768, 12, 2048, 6, 256, 4, 1024, image_side=336),
    # for tests: 64 visual tokens, built and loaded in seconds; as deep as `layer 2..8` asks
    "tiny": Shape(9, 64, 4, 128, 2, 32, 2, 64, image_side=112),
}


def build(folder: Path | str, seed: int = 0, size: Size = "small") -> Path:
    """Write the model and its processor to `folder`, the same for the same seed, in one piece or not at all.

    `folder` is replaced where it already holds a model of this module.

    Raises:
        SpecError: E0601 where the folder holds something else or cannot be written.
    """
    target = Path(folder)
    with folder_in_one_piece(target, replaces=CARD) as unfinished:
        tokenizer = small_tokenizer()
        _model(size, seed, len(tokenizer)).save_pretrained(unfinished)
        _processor(size, tokenizer).save_pretrained(unfinished)
        (unfinished / CARD).write_text(json.dumps(_card(size, seed), indent=2) + "\n", encoding="utf-8")
    return target


def ensure(folder: Path | str, seed: int = 0, size: Size = "small") -> Path:
    """`folder`, built first unless it already holds this very model."""
    return Path(folder) if is_built(folder, seed, size) else build(folder, seed, size)


def is_built(folder: Path | str, seed: int = 0, size: Size = "small") -> bool:
    """Whether `folder` holds this very model."""
    return _built(Path(folder)) == _card(size, seed)


def has_random_weights(folder: Path | str) -> bool:
    """Whether `folder` is a model of this module: its answers then say nothing."""
    return _built(Path(folder)).get("weights") == "random"


def _built(folder: Path) -> dict[str, object]:
    try:
        return json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _card(size: Size, seed: int) -> dict[str, object]:
    return {
        "zoo": "small_llava",
        "version": _VERSION,
        "size": size,
        "seed": seed,
        "weights": "random",
        "shape": asdict(SHAPES[size]),
    }


def _model(size: Size, seed: int, vocabulary: int) -> LlavaForConditionalGeneration:
    """Fresh weights drawn from `seed`; the caller's random state is left as it was."""
    import torch
    from transformers import LlavaForConditionalGeneration

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(_config(SHAPES[size], vocabulary))
    model.generation_config.eos_token_id = END
    model.generation_config.pad_token_id = PAD
    return model.eval()


def _config(shape: Shape, vocabulary: int) -> LlavaConfig:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.mlp_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=4096,
        # wider than the usual 0.02: attention is then far from uniform, as in a trained model
        initializer_range=0.05,
        bos_token_id=BEGIN,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    vision = CLIPVisionConfig(
        hidden_size=shape.tower_width,
        intermediate_size=shape.tower_mlp_width,
        num_hidden_layers=shape.tower_layers,
        num_attention_heads=shape.tower_heads,
        image_size=shape.image_side,
        patch_size=shape.patch_side,
    )
    return LlavaConfig(
        text_config=text,
        vision_config=vision,
        image_token_index=IMAGE,
        image_seq_length=shape.visual_tokens,
    )


def _processor(size: Size, tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """LLaVA-1.5's: shorter side resized, centre cropped. The PIL backend needs no torchvision."""
    from transformers import CLIPImageProcessorPil, LlavaProcessor

    side = SHAPES[size].image_side
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side}),
        tokenizer=tokenizer,
        patch_size=SHAPES[size].patch_side,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_CHAT_TEMPLATE,
    )
