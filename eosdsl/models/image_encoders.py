"""Facts of image encoders that stand alone: no language model behind them, so a decoder of no layers.

`encoder layer n`, `after attention` and `encoder output` (the rows of the last layer, in front of its norm or head) are
all the sites there are. A classifier is not counted: it is below a thousandth of the whole.
"""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import DecoderFacts, EncoderFacts, ModelFacts
from eosdsl.models.vision_models import patch_grid


def alone(config: Config, name: str, family: str, encoder: EncoderFacts, grid: tuple[int, int]) -> ModelFacts:
    """The facts of a model that is nothing but this encoder."""
    return ModelFacts(
        name=name,
        family=family,
        decoder=DecoderFacts(
            layers=0,
            width=encoder.width,
            heads=encoder.heads,
            kv_heads=encoder.heads,
            head_width=encoder.width // encoder.heads,
            mlp_width=encoder.mlp_width,
            mlp_matrices=encoder.mlp_matrices,
            vocabulary=0,
        ),
        encoder=encoder,
        projector=None,
        grid=grid,
        visual_tokens=grid[0] * grid[1],
        image_token_id=None,
        dtype_bytes=config.bytes_per_value(),
    )


def read_vision(config: Config, name: str, family: str, vision: Config, *, has_cls: bool) -> ModelFacts:
    """Facts of an encoder whose config calls its sizes as ViT, CLIP and SigLIP do."""
    rows, columns = patch_grid(vision)
    layers = vision.count("num_hidden_layers")
    encoder = EncoderFacts(
        layers=layers,
        layers_run=layers,
        width=vision.count("hidden_size"),
        heads=vision.count("num_attention_heads"),
        mlp_width=vision.count("intermediate_size"),
        has_cls=has_cls,
        patch_size=vision.side("patch_size")[0],
        channels=vision.count("num_channels"),
        patches=rows * columns,
    )
    return alone(config, name, family, encoder, (rows, columns))
