"""Networks built from the mechanisms, and their controls."""

from attncourse.models.attention_cnn import AttentionCNN
from attncourse.models.pooling import AveragePooling2d, MaxPooling2d
from attncourse.models.residual import (
    AttentionBlock,
    attention_resnet,
    load_backbone,
)

__all__ = [
    "AttentionBlock",
    "AttentionCNN",
    "AveragePooling2d",
    "MaxPooling2d",
    "attention_resnet",
    "load_backbone",
]
