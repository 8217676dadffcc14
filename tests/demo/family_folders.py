"""Tiny models of every family as folders, with the processor of their kind: what a stranger's download looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from eosdsl.zoo.words import BEGIN, END, PAD, small_tokenizer

TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "pad_token_id": PAD,
    "bos_token_id": BEGIN,
    "eos_token_id": END,
}
VISION: dict[str, Any] = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": 14,
}
_PINPOINTS = [[56, 112], [112, 56], [112, 112]]
Build = Callable[[], tuple[Any, Any]]


def tokenizer_with(**named: str) -> Any:
    """A tokenizer whose special tokens are known by name too, as `image_token` and their like."""
    plain: Any = small_tokenizer()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=named,
        padding_side="left",
    )


def _model(kind: str, config: Any) -> Any:
    torch.manual_seed(0)
    return getattr(transformers, f"{kind}ForConditionalGeneration")(config).eval()


def _text(kind: str, tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {**TEXT, "model_type": kind, "vocab_size": len(tokenizer), **more}


def _tower(kind: str, **more: Any) -> dict[str, Any]:
    return {**VISION, "model_type": kind, **more}


def vipllava() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(image_token="<image>")
    pixels = transformers.CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    processor = transformers.LlavaProcessor(
        pixels, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    layers: dict[str, Any] = {"vision_feature_layers": [-2, 0, 1]}  # their name until 5.22, which later ones take too
    config = transformers.VipLlavaConfig(
        text_config=_text("llama", tokenizer),
        vision_config=_tower("clip_vision_model"),
        **layers,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    return _model("VipLlava", config), processor


def llava_next() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(image_token="<image>")
    pixels = transformers.LlavaNextImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=_PINPOINTS
    )
    processor = transformers.LlavaNextProcessor(
        pixels, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    config = transformers.LlavaNextConfig(
        text_config=_text("mistral", tokenizer, sliding_window=None),
        vision_config=_tower("clip_vision_model"),
        image_grid_pinpoints=_PINPOINTS,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    return _model("LlavaNext", config), processor


def llava_onevision() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(image_token="<image>", video_token="<video>")
    pixels = transformers.LlavaOnevisionImageProcessorPil(
        size={"height": 56, "width": 56}, image_grid_pinpoints=_PINPOINTS
    )
    videos = transformers.LlavaOnevisionVideoProcessor(size={"height": 56, "width": 56})
    processor = transformers.LlavaOnevisionProcessor(
        pixels, tokenizer, videos, num_image_tokens=16, vision_feature_select_strategy="full"
    )
    config = transformers.LlavaOnevisionConfig(
        text_config=_text("qwen2", tokenizer),
        vision_config=_tower("siglip_vision_model"),
        image_grid_pinpoints=_PINPOINTS,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
    )
    return _model("LlavaOnevision", config), processor


def _pixtral_processor(patch: int, merge: int) -> Any:
    tokenizer = tokenizer_with(image_token="[IMG]", image_break_token="[IMG_BREAK]", image_end_token="[IMG_END]")
    side = patch * merge
    pixels = transformers.PixtralImageProcessorPil(
        size={"longest_edge": 8 * side}, patch_size={"height": side, "width": side}
    )
    return transformers.PixtralProcessor(pixels, tokenizer, patch_size=patch, spatial_merge_size=merge)


def pixtral() -> tuple[Any, Any]:
    processor = _pixtral_processor(16, 1)
    config = transformers.LlavaConfig(
        text_config=_text("mistral", processor.tokenizer, sliding_window=None),
        vision_config=_tower("pixtral", hidden_size=32, image_size=128, patch_size=16),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_token_index=processor.tokenizer.convert_tokens_to_ids("[IMG]"),
    )
    return _model("Llava", config), processor


def mistral3() -> tuple[Any, Any]:
    processor = _pixtral_processor(14, 2)
    config = transformers.Mistral3Config(
        text_config=_text("mistral", processor.tokenizer, sliding_window=None),
        vision_config=_tower("pixtral", hidden_size=32, image_size=224),
        image_token_index=processor.tokenizer.convert_tokens_to_ids("[IMG]"),
    )
    return _model("Mistral3", config), processor


_TILE: dict[str, Any] = {"size": {"longest_edge": 112}, "max_image_size": {"longest_edge": 56}}


def _idefics_tokenizer() -> Any:
    tokenizer = tokenizer_with(
        image_token="<image>", fake="<fake_token_around_image>", whole="<global-img>", end="<end_of_utterance>"
    )
    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    tokenizer.add_tokens(places, special_tokens=True)
    return tokenizer


def _idefics(kind: str, tokenizer: Any) -> Any:
    config = getattr(transformers, f"{kind}Config")(
        text_config=_text("llama", tokenizer),
        vision_config=_tower(f"{kind.lower()}_vision"),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    return _model(kind, config)


def idefics3() -> tuple[Any, Any]:
    tokenizer = _idefics_tokenizer()
    processor = transformers.Idefics3Processor(
        transformers.Idefics3ImageProcessorPil(**_TILE), tokenizer, image_seq_len=4
    )
    return _idefics("Idefics3", tokenizer), processor


def smolvlm() -> tuple[Any, Any]:
    tokenizer = _idefics_tokenizer()
    processor = transformers.SmolVLMProcessor(
        transformers.SmolVLMImageProcessorPil(**_TILE),
        tokenizer,
        transformers.SmolVLMVideoProcessor(**_TILE),
        image_seq_len=4,
    )
    return _idefics("SmolVLM", tokenizer), processor


def aya_vision() -> tuple[Any, Any]:
    names = ("<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE", "TILE_GLOBAL")
    tokenizer = tokenizer_with(image_token="<image>")
    tokenizer.add_tokens([*names, *(f"TILE_{number}" for number in range(1, 13))], special_tokens=True)
    pixels = transformers.GotOcr2ImageProcessorPil(
        size={"height": 56, "width": 56}, max_patches=4, crop_to_patches=True
    )
    processor = transformers.AyaVisionProcessor(pixels, tokenizer, patch_size=14, img_size=56, downsample_factor=2)
    config = transformers.AyaVisionConfig(
        text_config=_text("cohere2", tokenizer, sliding_window=16),
        vision_config=_tower("siglip_vision_model"),
        image_token_index=tokenizer.convert_tokens_to_ids("<|IMG_PATCH|>"),
    )
    return _model("AyaVision", config), processor


def paligemma() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(image_token="<image>")
    pixels: Any = transformers.SiglipImageProcessorPil(size={"height": 56, "width": 56})
    pixels.image_seq_length = 16
    processor = transformers.PaliGemmaProcessor(pixels, tokenizer)
    config = transformers.PaliGemmaConfig(
        text_config=_text("gemma", tokenizer, head_dim=8),
        vision_config=_tower("siglip_vision_model", projection_dim=32),
        projection_dim=32,
        hidden_size=32,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    return _model("PaliGemma", config), processor


def gemma3() -> tuple[Any, Any]:
    tokenizer = tokenizer_with(
        image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>"
    )
    pixels = transformers.Gemma3ImageProcessorPil(size={"height": 112, "width": 112})
    processor = transformers.Gemma3Processor(pixels, tokenizer, image_seq_length=16)
    kinds = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    config = transformers.Gemma3Config(
        text_config=_text("gemma3_text", tokenizer, head_dim=8, sliding_window=16, layer_types=kinds),
        vision_config=_tower("siglip_vision_model", image_size=112),
        mm_tokens_per_image=16,
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
    )
    return _model("Gemma3", config), processor


def _qwen(kind: str, vision: dict[str, Any]) -> Build:
    def build() -> tuple[Any, Any]:
        named = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
        tokenizer = tokenizer_with(**named, start="<|vision_start|>", end="<|vision_end|>")
        limits = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
        patch = vision.get("patch_size", 14)
        pixels = transformers.Qwen2VLImageProcessorPil(size=limits, patch_size=patch)
        name = "Qwen3VL" if kind == "Qwen3VL" else "Qwen2VL"
        videos = getattr(transformers, f"{name}VideoProcessor")(patch_size=patch)
        template = (
            "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
            "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
        )
        processor = getattr(transformers, f"{kind}Processor")(pixels, tokenizer, videos, chat_template=template)
        rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
        text = {**TEXT, "vocab_size": len(tokenizer), "rope_parameters": rope, "head_dim": 8}
        ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in named.items()}
        ids["vision_start_token_id"], ids["vision_end_token_id"] = tokenizer.convert_tokens_to_ids(
            ["<|vision_start|>", "<|vision_end|>"]
        )
        config = getattr(transformers, f"{kind}Config")(text_config=text, vision_config=vision, **ids)
        return _model(kind, config), processor

    return build


def internvl() -> tuple[Any, Any]:
    named = {"context_image_token": "<IMG_CONTEXT>", "start_image_token": "<img>", "end_image_token": "</img>"}
    tokenizer = tokenizer_with(**named, video_token="<video>")
    pixels = transformers.GotOcr2ImageProcessorPil(
        size={"height": 56, "width": 56}, max_patches=4, crop_to_patches=True
    )
    videos = transformers.InternVLVideoProcessor(size={"height": 56, "width": 56})
    processor = transformers.InternVLProcessor(pixels, tokenizer, videos, image_seq_length=4)
    config = transformers.InternVLConfig(
        text_config=_text("qwen2", tokenizer),
        vision_config={**VISION, "image_size": [56, 56], "patch_size": [14, 14]},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    return _model("InternVL", config), processor


FOLDERS: dict[str, Build] = {
    "vipllava": vipllava,
    "llava_next": llava_next,
    "idefics3": idefics3,
    "aya_vision": aya_vision,
    "paligemma": paligemma,
    "gemma3": gemma3,
}
"""Families whose processors work with pillow alone."""

_QWEN2_5 = {"depth": 2, "hidden_size": 32, "intermediate_size": 48, "out_hidden_size": 32, "num_heads": 2}
NEED_TORCHVISION: dict[str, Build] = {
    "llava_onevision": llava_onevision,
    "smolvlm": smolvlm,
    "internvl": internvl,
    "pixtral": pixtral,
    "mistral3": mistral3,
    "qwen2_vl": _qwen("Qwen2VL", {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2}),
    "qwen2_5_vl": _qwen("Qwen2_5_VL", {**_QWEN2_5, "fullatt_block_indexes": [1]}),
    "qwen3_vl": _qwen(
        "Qwen3VL", {**_QWEN2_5, "deepstack_visual_indexes": [0], "num_position_embeddings": 16, "patch_size": 16}
    ),
}
"""Families whose processors transformers lets run with torchvision only; SmolVLM's needs num2words too."""


def save(name: str, folder: Path) -> Path:
    """A family's model and processor, in one folder."""
    model, processor = {**FOLDERS, **NEED_TORCHVISION}[name]()
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = PAD, None
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
