"""Does the larger kernel gain weight when the object grows?"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import SelectiveKernel
from attncourse.bugs.branches import SoftmaxOverChannels
from attncourse.data import GrowingDigits, Scenes, digits
from attncourse.metrics import rank_correlation
from attncourse.models.branches import CHANNELS, SelectiveCNN, SummedBranches
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.runs import Variant, nothing_more

GROUPS, HIDDEN = 4, 23
Replace = Callable[[Tensor], Tensor]


def centred(
    size: int, *, split: str = "test"
) -> Float[Tensor, "count 1 height width"]:
    """All digits of a split, this large, in the middle of an empty canvas."""
    small = digits(split).images
    large = F.interpolate(
        small, size=(size, size), mode="bilinear", align_corners=False
    )
    before = (GrowingDigits.CANVAS - size) // 2
    after = GrowingDigits.CANVAS - size - before
    return F.pad(large, (before, after, before, after))


class ReplacedWeights(nn.Module):
    """A selective kernel whose weights are replaced before they are used."""

    def __init__(self, unit: SelectiveKernel, replace: Replace) -> None:
        super().__init__()
        self.unit = unit
        self.replace = replace

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Mix the branches with the replaced weights."""
        maps = [branch(x) for branch in self.unit.branches]
        weights = self.replace(self.unit.scores(maps).softmax(1))
        return torch.einsum("mbchw,bmc->bchw", torch.stack(maps), weights)


def with_weights_replaced(
    model: SelectiveCNN, replace: Replace
) -> SelectiveCNN:
    """Return the network with other weights; its parts are shared."""
    assert isinstance(model.unit, SelectiveKernel)
    changed = SelectiveCNN(ReplacedWeights(model.unit, replace))
    changed.stem, changed.last = model.stem, model.last
    changed.classifier = model.classifier
    return changed.eval()


def uniform(
    weights: Float[Tensor, "batch branches channels"],
) -> Float[Tensor, "batch branches channels"]:
    """Equal parts of all branches."""
    return torch.full_like(weights, 1 / weights.shape[1])


def averaged(
    weights: Float[Tensor, "batch branches channels"],
) -> Float[Tensor, "batch branches channels"]:
    """The mean weights of the batch, for every scene."""
    return weights.mean(0, keepdim=True).expand_as(weights)


def shuffled(
    weights: Float[Tensor, "batch branches channels"],
) -> Float[Tensor, "batch branches channels"]:
    """The weights of another scene of the batch."""
    generator = torch.Generator().manual_seed(0)
    return weights[torch.randperm(len(weights), generator=generator)]


@torch.no_grad()
def branch_weights(
    model: SelectiveCNN, images: Float[Tensor, "count 1 height width"]
) -> Float[Tensor, "count branches channels"]:
    """Weights of the unit, in evaluation mode."""
    model.eval()
    maps = [model.stem(part) for part in images.split(500)]
    unit: Any = model.unit
    found = [unit.attend(part).weights for part in maps]
    return torch.cat(found)


def branches_against_size(
    model: SelectiveCNN,
    images: Float[Tensor, "count 1 height width"],
    sizes: Int64[Tensor, " count"],
) -> dict[str, float]:
    """How the weight of the second branch goes with the size of the digit."""
    second = branch_weights(model, images)[:, 1]
    small, large = (
        branch_weights(model, centred(size))[:, 1] for size in (12, 24)
    )
    return {
        "rank": rank_correlation(second.mean(1), sizes),
        "growth": (large - small).double().mean().item(),
        "varies": second.double().std(0).mean().item(),
    }


def unit(
    kernel_sizes: tuple[int, ...],
    kind: type[SelectiveKernel] = SelectiveKernel,
) -> SelectiveKernel:
    """A selective kernel of the width of the trial."""
    return kind(CHANNELS, kernel_sizes, groups=GROUPS, hidden_dim=HIDDEN)


def network(build: Callable[[], nn.Module]) -> SelectiveCNN:
    """Build the network around a unit."""
    return SelectiveCNN(build())


def without_its_weights(
    model: SelectiveCNN, shown: Scenes, accuracy: float
) -> dict[str, float]:
    """Accuracy lost with other weights; shuffled among 500 scenes."""
    return {
        f"drop_{name}": accuracy
        - evaluate(
            with_weights_replaced(model, replace), shown, batch_size=500
        )["accuracy"]
        for name, replace in {
            "uniform": uniform,
            "averaged": averaged,
            "shuffled": shuffled,
        }.items()
    }


@dataclass(frozen=True)
class SizedVariant(Variant):
    """A variant, and how its weights are held against the sizes."""

    against_size: Callable[..., dict[str, float]] = nothing_more


def _selective(label: str, kernel_sizes: tuple[int, int]) -> SizedVariant:
    return SizedVariant(
        label,
        partial(network, partial(unit, kernel_sizes)),
        score=without_its_weights,
        against_size=branches_against_size,
    )


VARIANTS = {
    "sum": SizedVariant(
        "sum of kernels 3 and 7, fewer groups",
        partial(network, partial(SummedBranches, GROUPS // 2)),
    ),
    "plain": SizedVariant(
        "sum of the same branches, 1,150 parameters fewer",
        partial(network, partial(SummedBranches, GROUPS)),
    ),
    "small": _selective("selective, kernels 3 and 3", (3, 3)),
    "large": _selective("selective, kernels 7 and 7", (7, 7)),
    "selective": _selective("selective, kernels 3 and 7", (3, 7)),
    "wrong": SizedVariant(
        "softmax over the channels (wrong)",
        partial(network, partial(unit, (3, 7), SoftmaxOverChannels)),
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; hold its weights against the sizes, replace them."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    test = GrowingDigits(budget.test_scenes, split="test")
    drawn, sizes = test.draw(), test.sizes()
    before = chosen.against_size(model, drawn.images, sizes)
    budget.fit(model, GrowingDigits(budget.scenes, seed=seed), seed=seed)
    metrics = evaluate(model, drawn)
    for size in (GrowingDigits.SIZES[0], GrowingDigits.SIZES[-1]):
        of_size = Scenes(
            drawn.images[sizes == size], drawn.labels[sizes == size], None
        )
        metrics[f"accuracy_{size}"] = evaluate(model, of_size)["accuracy"]
    return (
        {f"untrained_{name}": value for name, value in before.items()}
        | metrics
        | chosen.against_size(model, drawn.images, sizes)
        | chosen.score(model, drawn, metrics["accuracy"])
    )
