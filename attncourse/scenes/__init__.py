"""Images with an answer key, and loaders of real data sets."""

from attncourse.scenes.cluttered import ClutteredDigits
from attncourse.scenes.digits import digits
from attncourse.scenes.downloads import cifar10, fashion_mnist, mnist
from attncourse.scenes.photos import photo, photo_credit, photos
from attncourse.scenes.scenes import Scenes
from attncourse.scenes.viewed import Viewed, ViewedDigits

__all__ = [
    "ClutteredDigits",
    "Scenes",
    "Viewed",
    "ViewedDigits",
    "cifar10",
    "digits",
    "fashion_mnist",
    "mnist",
    "photo",
    "photo_credit",
    "photos",
]
