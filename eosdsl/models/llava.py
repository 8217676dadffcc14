"""LLaVA-1.5 and its kin (arXiv 2310.03744): a CLIP or SigLIP tower, a two-layer projector, a plain decoder.

One image is one square of patches; a placeholder token stands for every visual token. With a Pixtral tower
(Pixtral-12B, arXiv 2410.07073) images keep their size and shape: one placeholder for every patch, and a token of the
text behind every row of them. The usual image is then the largest square that the tower takes.
"""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts, ProjectorFacts
from eosdsl.models.profile import Profile, Shipped
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

PACKED = "the Pixtral tower packs all images into one sequence and rotates patches by row and column"
LAYERS = "the features of several layers lie side by side, those of a row that is no patch among them"


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a LLaVA from its config."""
    vision = vision_section(config, kinds=("clip_vision_model", "siglip_vision_model", "pixtral"))
    encoder = encoder_facts(config, vision)
    decoder = decoder_facts(config.section("text_config", "llama"))
    rows, columns = patch_grid(vision)
    any_size = vision.get("model_type") == "pixtral"
    visual = rows * columns if any_size else visual_tokens(config, rows * columns, encoder.has_cls)
    chosen = config.get("vision_feature_layer", -2)
    several = isinstance(chosen, list) and len(chosen) > 1
    return ModelFacts(
        name=name,
        family="llava",
        decoder=decoder,
        encoder=encoder,
        projector=projector_facts(encoder.width * (len(chosen) if isinstance(chosen, list) else 1), decoder.width),
        grid=(rows, columns) if visual == rows * columns and not any_size else None,
        visual_tokens=visual,
        image_token_id=config.token("image_token_id", "image_token_index") or 32000,
        dtype_bytes=config.bytes_per_value(),
        tower_refused=PACKED if any_size else LAYERS if several and visual > rows * columns else "",
    )


def projector_facts(encoder_width: int, decoder_width: int) -> ProjectorFacts:
    """Two linear maps with a nonlinearity between them."""
    return ProjectorFacts(linears=((encoder_width, decoder_width), (decoder_width, decoder_width)))


def visual_tokens(config: Config, patches: int, has_cls: bool) -> int:
    """`default` drops the tower's first row (the CLS where it has one, else a patch); `full` keeps every row."""
    strategy = config.word("vision_feature_select_strategy", ("default", "full"), "default")
    return patches + has_cls - (strategy == "default")


PROFILE = Profile(
    family="llava",
    model_types=("llava",),
    architecture="LlavaForConditionalGeneration",
    read=read,
    shipped=(
        Shipped("llava-1.5-7b", "llava-1.5-7b.json", ("llava",), "Vicuna-7B with CLIP ViT-L/14 at 336 pixels"),
        Shipped("llava-1.5-13b", "llava-1.5-13b.json", (), "Vicuna-13B with CLIP ViT-L/14 at 336 pixels"),
        Shipped("pixtral-12b", "pixtral-12b.json", ("pixtral",), "Mistral-Nemo with the Pixtral tower, any size"),
    ),
    summary="one square image, CLIP or SigLIP tower, two-layer projector",
    exports="pixels",
)
