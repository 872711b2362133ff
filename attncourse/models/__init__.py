"""Networks built from the mechanisms, and their controls."""

from attncourse.models.attention_cnn import AttentionCNN
from attncourse.models.pooling import AveragePooling2d, MaxPooling2d

__all__ = ["AttentionCNN", "AveragePooling2d", "MaxPooling2d"]
