"""tiny-llava: a real `LlavaForConditionalGeneration` of about 2.5 million parameters, trained on `eosdsl.tasks`.

144 visual tokens (12 x 12 patches of 8 pixels), eight decoder layers, a CLIP tower with a CLS token whose last layer
goes unused, as in LLaVA-1.5. Everything is loaded back by path through `from_pretrained`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eosdsl.zoo.train_tokens import BOS, EOS, IMAGE, PAD, SPECIALS, TOKEN_IDS
from eosdsl.zoo.untrained import untrained
from eosdsl.zoo.word_tokenizer import word_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

WIDTH = 128
LAYERS = 8
READ_LAYERS = 5
"""The first stage learns to read with so many layers."""
TOWER_LAYERS, USED_LAYERS = 4, 3
"""As in LLaVA-1.5 the features are taken before the tower's last layer."""
PATCH, SIDE = 8, 96
ROPE_THETA = 1e6
"""Half of the frequencies then hardly turn within a sequence: content is looked up there wherever it stands."""
MEAN, STD = (0.3, 0.3, 0.3), (0.3, 0.3, 0.3)
CHAT_TEMPLATE = (
    "{% set images = namespace(seen=0) %}"
    "{% for message in messages %}"
    "{{ bos_token if message['role'] == 'user' and loop.first else ' ' }}{{ message['role'] }}"
    "{% if message['content'] is string %}{{ ' ' + message['content'] }}{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}"
    "{% set images.seen = images.seen + 1 %}{{ ' image ' ~ images.seen ~ ' <image>' }}"
    "{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ ' ' + part['text'] }}{% endfor %}"
    "{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ ' assistant' }}{% endif %}"
)
"""<s>user image 1 <image> question assistant: an image is announced by its number, which questions can name."""


def text_config(layers: int = LAYERS) -> LlamaConfig:
    """The decoder's configuration."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(TOKEN_IDS),
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        tie_word_embeddings=False,
    )


def config() -> LlavaConfig:
    """The whole model's configuration."""
    from transformers import CLIPVisionConfig, LlavaConfig

    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=TOWER_LAYERS,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text_config(),
        image_token_index=IMAGE,
        vision_feature_layer=USED_LAYERS - TOWER_LAYERS - 1,
        vision_feature_select_strategy="default",
        image_seq_length=(SIDE // PATCH) ** 2,
        tie_word_embeddings=False,
    )


def fresh_model(seed: int) -> LlavaForConditionalGeneration:
    """The model before training, the same for the same seed."""
    from transformers import LlavaForConditionalGeneration

    return untrained(LlavaForConditionalGeneration, config(), seed)


def processor() -> LlavaProcessor:
    """Image processor (resize, centre crop, normalise; its PIL form needs no torchvision), tokenizer, chat template."""
    from transformers import CLIPImageProcessorPil, LlavaProcessor

    tokenizer = word_tokenizer(TOKEN_IDS, {"image_token": "<image>"})
    assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIALS] == list(range(len(SPECIALS)))
    images = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        image_mean=list(MEAN),
        image_std=list(STD),
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )
