"""tiny-qwen-vl: a real `Qwen2VLForConditionalGeneration` of about 2.4 million parameters, trained on `eosdsl.tasks`.

No CLS token, a tower that takes images of any size (patches of 4 pixels, joined 2 by 2: 96 x 96 pixels are 144 visual
tokens) and knows positions only relative to each other, M-RoPE in a decoder of nine layers. Eight of the layers begin
as tiny-llava's; one in front of them finds out where on the grid a token stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eosdsl.zoo.tiny_llava import LAYERS as READING_LAYERS
from eosdsl.zoo.tiny_llava import MEAN, ROPE_THETA, SIDE, STD, WIDTH
from eosdsl.zoo.train_tokens import BOS, EOS, IMAGE, PAD, TOKEN_IDS
from eosdsl.zoo.untrained import untrained
from eosdsl.zoo.word_tokenizer import word_tokenizer

if TYPE_CHECKING:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    from eosdsl.run.qwen_processor import ImagesOnlyProcessor

LAYERS = 1 + READING_LAYERS
TOWER_LAYERS, TOWER_WIDTH, TOWER_HEADS, TOWER_MLP = 3, 64, 2, 4
PATCH, MERGE, FRAMES = 4, 2, 2
HEADS = 4
SECTIONS = (1,) * (WIDTH // HEADS // 2)
"""Rotary frequencies go to time, row and column in turns. In three blocks, as in models with wide heads, columns would
get only frequencies that hardly turn within an image."""
VISION_START, VISION_END, VIDEO = range(len(TOKEN_IDS), len(TOKEN_IDS) + 3)
IMAGE_TOKEN = "<|image_pad|>"
WORD_IDS = {(IMAGE_TOKEN if word == "<image>" else word): index for word, index in TOKEN_IDS.items()} | {
    "<|vision_start|>": VISION_START,
    "<|vision_end|>": VISION_END,
    "<|video_pad|>": VIDEO,
}
"""tiny-llava's vocabulary, its image token under Qwen's name, and three tokens more."""
CHAT_TEMPLATE = (
    "{% set images = namespace(seen=0) %}"
    "{% for message in messages %}"
    "{{ bos_token if message['role'] == 'user' and loop.first else ' ' }}{{ message['role'] }}"
    "{% if message['content'] is string %}{{ ' ' + message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}"
    "{% set images.seen = images.seen + 1 %}"
    "{{ ' image ' ~ images.seen ~ ' <|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ ' ' + part['text'] }}{% endfor %}"
    "{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ ' assistant' }}{% endif %}"
)
"""<s>user image 1 <|vision_start|> <|image_pad|> ... <|vision_end|> question assistant."""


def config() -> Qwen2VLConfig:
    """The whole model's configuration. `image_size` is what the images it was made for have; it takes others."""
    from transformers import Qwen2VLConfig

    vision = {
        "depth": TOWER_LAYERS,
        "embed_dim": TOWER_WIDTH,
        "num_heads": TOWER_HEADS,
        "mlp_ratio": TOWER_MLP,
        "hidden_size": WIDTH,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": FRAMES,
        "image_size": SIDE,
    }
    text = {
        "vocab_size": len(WORD_IDS),
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA, "mrope_section": list(SECTIONS)},
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }
    return Qwen2VLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=IMAGE,
        video_token_id=VIDEO,
        vision_start_token_id=VISION_START,
        vision_end_token_id=VISION_END,
        tie_word_embeddings=False,
    )


def fresh_model(seed: int) -> Qwen2VLForConditionalGeneration:
    """The model before training, the same for the same seed."""
    from transformers import Qwen2VLForConditionalGeneration

    return untrained(Qwen2VLForConditionalGeneration, config(), seed)


def processor() -> ImagesOnlyProcessor:
    """Image processor, tokenizer, chat template. Sides are rounded to multiples of 8 pixels; images larger than
    96 x 96 are brought down to as many pixels in their own proportions, and nothing is cut off."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from eosdsl.run.qwen_processor import ImagesOnlyProcessor

    named = {
        "image_token": IMAGE_TOKEN,
        "video_token": "<|video_pad|>",
        "vision_start_token": "<|vision_start|>",
        "vision_end_token": "<|vision_end|>",
    }
    tokenizer = word_tokenizer(WORD_IDS, named)
    assert tokenizer.convert_tokens_to_ids(IMAGE_TOKEN) == IMAGE
    assert len(tokenizer) == len(WORD_IDS)
    images = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        merge_size=MERGE,
        temporal_patch_size=FRAMES,
        size={"shortest_edge": (PATCH * MERGE) ** 2, "longest_edge": SIDE**2},
        image_mean=list(MEAN),
        image_std=list(STD),
    )
    return ImagesOnlyProcessor(images, tokenizer, CHAT_TEMPLATE)
