"""Does the larger kernel gain weight when the object grows?"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import SelectiveKernel
from attncourse.bugs.branches import SoftmaxOverChannels
from attncourse.data import GrowingDigits, Scenes, digits
from attncourse.metrics import rank_correlation
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate

CHANNELS, GROUPS, HIDDEN = 16, 4, 23
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


class Summed(nn.Module):
    """The branches in equal parts: no weights, no attention."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.branches = SelectiveKernel(
            CHANNELS, (3, 7), groups=groups
        ).branches

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Average the branches."""
        return torch.stack([branch(x) for branch in self.branches]).mean(0)


class SelectiveCNN(nn.Module):
    """A convolution, the unit under test, a convolution, and max pooling."""

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        self.stem = _convolution(1, 2)
        self.unit = unit
        self.last = _convolution(CHANNELS, 2)
        self.classifier = nn.Linear(CHANNELS, 10)

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch 10"]:
        """Logits of each image."""
        maps = self.last(self.unit(self.stem(images)))
        logits: Tensor = self.classifier(maps.amax((2, 3)))
        return logits


def _convolution(channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, CHANNELS, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(),
    )


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
    found = [model.unit(part, return_weights=True)[1] for part in maps]
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


UNITS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "sum": (
        "sum of kernels 3 and 7, fewer groups",
        partial(Summed, GROUPS // 2),
    ),
    "plain": (
        "sum of the same branches, 1,150 parameters fewer",
        partial(Summed, GROUPS),
    ),
    "small": ("selective, kernels 3 and 3", partial(unit, (3, 3))),
    "large": ("selective, kernels 7 and 7", partial(unit, (7, 7))),
    "selective": ("selective, kernels 3 and 7", partial(unit, (3, 7))),
    "wrong": (
        "softmax over the channels",
        partial(unit, (3, 7), SoftmaxOverChannels),
    ),
}


def network(build: Callable[[], nn.Module]) -> SelectiveCNN:
    """Build the network of a variant."""
    return SelectiveCNN(build())


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; hold its weights against the sizes, and replace them."""
    torch.manual_seed(seed)
    model = network(UNITS[variant][1])
    test = GrowingDigits(budget.test_scenes, split="test")
    drawn, sizes = test.draw(), test.sizes()
    selects = variant in ("small", "large", "selective")
    metrics = {}
    if selects:
        before = branches_against_size(model, drawn.images, sizes)
        metrics = {f"untrained_{name}": v for name, v in before.items()}
    budget.fit(model, GrowingDigits(budget.scenes, seed=seed), seed=seed)
    metrics |= evaluate(model, drawn)
    for size in (GrowingDigits.SIZES[0], GrowingDigits.SIZES[-1]):
        of_size = Scenes(
            drawn.images[sizes == size], drawn.labels[sizes == size], None
        )
        metrics[f"accuracy_{size}"] = evaluate(model, of_size)["accuracy"]
    if selects:
        metrics |= branches_against_size(model, drawn.images, sizes)
        for replace in (uniform, averaged, shuffled):
            changed = with_weights_replaced(model, replace)
            left = evaluate(changed, drawn, batch_size=500)["accuracy"]
            metrics[f"drop_{replace.__name__}"] = metrics["accuracy"] - left
    return metrics
