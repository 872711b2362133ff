"""Networks built from the mechanisms, and their controls."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from attncourse.models.attention_cnn import AttentionCNN
from attncourse.models.faces import FaceNetwork
from attncourse.models.pooling import AveragePooling2d, MaxPooling2d
from attncourse.models.retrieval_network import (
    GalleryAttention,
    RetrievalNetwork,
)
from attncourse.models.sagan import (
    ConditionalBatchNorm2d,
    SAGANDiscriminator,
    SAGANGenerator,
)
from attncourse.models.vision_transformer import (
    SinusoidalPositions2d,
    TransformerBlock,
    VisionTransformer,
)

if TYPE_CHECKING:
    from attncourse.models.residual import (
        AttentionBlock,
        attention_resnet,
        load_backbone,
    )

__all__ = [
    "AttentionBlock",
    "AttentionCNN",
    "AveragePooling2d",
    "ConditionalBatchNorm2d",
    "FaceNetwork",
    "GalleryAttention",
    "MaxPooling2d",
    "RetrievalNetwork",
    "SAGANDiscriminator",
    "SAGANGenerator",
    "SinusoidalPositions2d",
    "TransformerBlock",
    "VisionTransformer",
    "attention_resnet",
    "load_backbone",
]


def __getattr__(name: str) -> Any:
    # Only the residual networks need torchvision, which takes seconds.
    if name in ("AttentionBlock", "attention_resnet", "load_backbone"):
        return getattr(import_module("attncourse.models.residual"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
