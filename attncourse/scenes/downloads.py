"""MNIST, FashionMNIST and CIFAR10, for those who have the network."""

from pathlib import Path

from attncourse.scenes.scenes import Scenes


def mnist(split: str, root: str | Path, download: bool = False) -> Scenes:
    raise NotImplementedError


def fashion_mnist(
    split: str, root: str | Path, download: bool = False
) -> Scenes:
    raise NotImplementedError


def cifar10(split: str, root: str | Path, download: bool = False) -> Scenes:
    raise NotImplementedError
