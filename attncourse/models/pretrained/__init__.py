"""Trained networks out of packages of weights; nothing is downloaded."""

from attncourse.models.pretrained.efficientnet import (
    efficientnet_lite0,
    imagenet_names,
    preprocess,
)
from attncourse.models.pretrained.text_detector import (
    Detected,
    TextDetector,
    text_detector,
)
from attncourse.models.pretrained.text_recogniser import (
    Letter,
    TextRecogniser,
    text_recogniser,
)

__all__ = [
    "Detected",
    "Letter",
    "TextDetector",
    "TextRecogniser",
    "efficientnet_lite0",
    "imagenet_names",
    "preprocess",
    "text_detector",
    "text_recogniser",
]
