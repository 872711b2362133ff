"""What one run may spend, and training within it."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from attncourse.data import Scenes
from attncourse.trials.loop import (
    History,
    Loss,
    SceneSource,
    classification,
    fit,
)


@dataclass(frozen=True)
class Budget:
    """What one run may spend: scenes per epoch, epochs and so on.

    Attributes
    ----------
    scenes, epochs, batch_size, lr
        Of the training; see :func:`fit`.
    test_scenes
        Scenes that the trained network is scored on.
    split
        Where they come from: a pilot never sees the test images.
    """

    scenes: int = 4000
    epochs: int = 6
    test_scenes: int = 2000
    batch_size: int = 64
    lr: float = 4e-3
    split: Literal["validation", "test"] = "test"

    def fit(
        self,
        model: nn.Module,
        scenes: Scenes | SceneSource,
        *,
        seed: int,
        loss: Loss = classification,
    ) -> History:
        """Train fast, with these numbers and no bar; see :func:`fit`."""
        return fit(
            model,
            scenes,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            seed=seed,
            progress=False,
            loss=loss,
            fast=True,
        )
