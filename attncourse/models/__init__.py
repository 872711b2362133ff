"""Networks built from the mechanisms, and their controls."""

from attncourse.models.attention_cnn import AttentionCNN
from attncourse.models.faces import FaceNetwork
from attncourse.models.pooling import AveragePooling2d, MaxPooling2d
from attncourse.models.residual import (
    AttentionBlock,
    attention_resnet,
    load_backbone,
)
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
