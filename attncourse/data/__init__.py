"""Images with an answer key, and loaders of real data sets."""

from attncourse.data.cluttered import ClutteredDigits
from attncourse.data.digits import digits
from attncourse.data.downloads import cifar10, fashion_mnist, mnist
from attncourse.data.photos import photo, photo_credit, photos
from attncourse.data.scenes import Scenes
from attncourse.data.viewed import Viewed, ViewedDigits

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
