"""Qwen-VL's processor where there is no torchvision: its video half needs that, its image half does not."""

from __future__ import annotations

import importlib.util
from typing import Any

from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor

_IMAGES = "Qwen2VLImageProcessor"
"""What processors of Qwen2-VL, Qwen2.5-VL and Qwen3-VL do with images; they differ in what they do with videos."""


class ImagesOnlyProcessor(Qwen2VLProcessor):
    """`Qwen2VLProcessor` for images and text. Saved, it is an ordinary one, for who has torchvision."""

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **kwargs: Any
    ) -> None:
        self.image_token = str(getattr(tokenizer, "image_token", "<|image_pad|>"))
        self.video_token = str(getattr(tokenizer, "video_token", "<|video_pad|>"))
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        # past the parent, which asks for a video processor, to what it extends
        super(Qwen2VLProcessor, self).__init__(image_processor, tokenizer, chat_template=chat_template)

    def save_pretrained(self, save_directory: Any, push_to_hub: bool = False, **kwargs: Any) -> list[str]:
        """Write the parts, none of which names this class."""
        written = super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)
        self.tokenizer._set_processor_class(Qwen2VLProcessor.__name__)
        self.tokenizer.save_pretrained(save_directory)
        return written

    def to_dict(self) -> dict[str, Any]:
        """What is saved."""
        values = super().to_dict()
        values["processor_class"] = Qwen2VLProcessor.__name__
        images = values["image_processor"]
        same = ("image_mean", "image_std", "merge_size", "patch_size", "temporal_patch_size", "size")
        values["video_processor"] = {
            "video_processor_type": "Qwen2VLVideoProcessor",
            **{key: images[key] for key in same},
        }
        return values


def load_images_only(name: str) -> ImagesOnlyProcessor | None:
    """The image half of the processor of a folder or hub id; None where torchvision is here, or it is no such one."""
    if importlib.util.find_spec("torchvision") is not None:
        return None
    processor = ImagesOnlyProcessor.from_pretrained(name)
    return processor if type(processor.image_processor).__name__.startswith(_IMAGES) else None
