"""What a run of a trial returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.data import Scenes
from attncourse.trials.loop import History, per_scene

BLOCKS = 20


@dataclass(frozen=True)
class Scores:
    """Metrics of one run, and what is kept of it beside them.

    ``scores | {"gradient": 0.5}`` adds metrics.

    Attributes
    ----------
    metrics
        A number each, such as `accuracy`.
    blocks
        The mean of a metric in each block of test images. A block is the
        same images in every run, so that it is a second source of chance
        beside the seeds.
    history
        What the training went through.
    network
        The trained network.
    """

    metrics: dict[str, float]
    blocks: dict[str, list[float]] = field(default_factory=dict)
    history: History | None = None
    network: nn.Module | None = None

    def __or__(self, more: Mapping[str, float]) -> "Scores":
        return replace(self, metrics={**self.metrics, **more})


def score(
    model: nn.Module,
    scenes: Scenes,
    *,
    history: History | None = None,
    network: nn.Module | None = None,
    blocks: int = BLOCKS,
    batch_size: int = 256,
) -> Scores:
    """Score a trained model as :func:`evaluate` does, also in blocks.

    There are blocks where the scenes name their sources.

    Parameters
    ----------
    model
        What is scored.
    scenes
        Test scenes.
    history
        Of its training, to be kept.
    network
        What is to be kept, if `model` only wraps it.
    blocks
        Number of them.
    batch_size
        Images at a time.
    """
    found = per_scene(model, scenes, batch_size=batch_size)
    sources = scenes.sources
    return Scores(
        {name: each.mean().item() for name, each in found.items()},
        {
            name: in_blocks(each, sources, blocks=blocks)
            for name, each in found.items()
        }
        if sources is not None
        else {},
        history,
        model if network is None else network,
    )


def in_blocks(
    values: Float[Tensor, " count"],
    sources: Int64[Tensor, " count"],
    *,
    blocks: int = BLOCKS,
) -> list[float]:
    """Mean of a number per scene in each block of sources.

    A source such as a test digit belongs to the block that is left when its
    index is divided by the number of blocks.

    Raises
    ------
    ValueError
        If a block has no scene.
    """
    block = sources % blocks
    counts = torch.bincount(block, minlength=blocks)
    if counts.min() == 0:
        raise ValueError(
            f"scenes must have a source in each of {blocks} blocks, got none "
            f"in block {int(counts.argmin())}"
        )
    sums = torch.bincount(block, values.double(), minlength=blocks)
    return [float(mean) for mean in sums / counts]
