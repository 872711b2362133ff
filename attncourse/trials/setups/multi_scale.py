"""Does the scale that a place chooses follow the size of the object?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import MultiScaleAttention
from attncourse.data import Scenes, SizedDigits, sizes_of
from attncourse.metrics import mass_inside, rank_correlation
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.runs import Variant

CHANNELS = 16
SCALES = (1.0, 0.5)


class FixedFusion(nn.Module):
    """The same views of a map, mixed by a rule without parameters.

    Parameters
    ----------
    scales
        Size of each view relative to the map.
    fuse
        Function from the stacked views (scales, batch, channels, height,
        width) to one map.
    width
        Channels inside the shared network.
    """

    def __init__(
        self,
        scales: tuple[float, ...],
        fuse: Callable[[Tensor], Tensor],
        width: int = CHANNELS,
    ) -> None:
        super().__init__()
        self.scales = scales
        self.fuse = fuse
        self.attention = attention(width)
        del self.attention.hidden, self.attention.score

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """See the map at every scale and mix what was seen."""
        views = [self.attention.view(x, scale) for scale in self.scales]
        return self.fuse(torch.stack(views))


def attention(width: int = CHANNELS) -> MultiScaleAttention:
    """Build attention over scales whose shared network is three layers."""
    layer = MultiScaleAttention(CHANNELS, SCALES)
    layer.features = nn.Sequential(
        *convolution(CHANNELS, width),
        *convolution(width, width),
        *convolution(width, CHANNELS),
    )
    return layer


def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """Return a convolution, its normalisation and its ReLU."""
    return [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


class ScaleNetwork(nn.Module):
    """Two convolutions, several views fused to one map, its maximum.

    Parameters
    ----------
    fusion
        Module from a map to a map of the same shape.
    classes
        Number of classes.
    """

    def __init__(self, fusion: nn.Module, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *convolution(1, 8, stride=2), *convolution(8, CHANNELS, stride=2)
        )
        self.fusion = fusion
        self.classifier = nn.Linear(CHANNELS, classes)

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of each image."""
        maps = self.fusion(self.stem(images))
        logits: Tensor = self.classifier(maps.amax((2, 3)))
        return logits

    @torch.no_grad()
    def shares(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch scales rows columns"]:
        """Share of each scale at each place."""
        _, weights = self.fusion(self.stem(images), return_weights=True)
        shares: Tensor = weights
        return shares


def network(fusion: Callable[[], nn.Module]) -> ScaleNetwork:
    """Build a network around a fusion."""
    return ScaleNetwork(fusion())


def mean_of_views(views: Tensor) -> Tensor:
    """Every scale has the same share."""
    return views.mean(0)


def largest_of_views(views: Tensor) -> Tensor:
    """Each value is the largest of all scales."""
    return views.amax(0)


FUSIONS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "fine": ("scale 1 alone", partial(FixedFusion, (1.0,), mean_of_views)),
    "coarse": (
        "scale 1/2 alone",
        partial(FixedFusion, (0.5,), mean_of_views),
    ),
    "mean": ("mean of both", partial(FixedFusion, SCALES, mean_of_views)),
    "wider_mean": (
        "mean of both, wider",
        partial(FixedFusion, SCALES, mean_of_views, 23),
    ),
    "max": ("maximum of both", partial(FixedFusion, SCALES, largest_of_views)),
    "attention": ("attention over scales", attention),
}
VARIANTS = {
    name: Variant(label, partial(network, fusion))
    for name, (label, fusion) in FUSIONS.items()
}


class ReplacedShares(nn.Module):
    """Attention over scales whose shares are changed before use.

    Parameters
    ----------
    layer
        The trained layer.
    replace
        Function from the shares (batch, scales, height, width) to those that
        are used instead.
    """

    def __init__(
        self, layer: MultiScaleAttention, replace: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.layer = layer
        self.replace = replace

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Mix the views by the replaced shares."""
        _, weights = self.layer(x, return_weights=True)
        views = [self.layer.view(x, scale) for scale in self.layer.scales]
        shares = self.replace(weights).unsqueeze(2)
        mixed: Tensor = (torch.stack(views, dim=1) * shares).sum(1)
        return mixed


def with_shares_replaced(
    model: ScaleNetwork, replace: Callable[[Tensor], Tensor]
) -> ScaleNetwork:
    """Return a copy of the model that mixes by the replaced shares."""
    changed = deepcopy(model)
    assert isinstance(changed.fusion, MultiScaleAttention)
    changed.fusion = ReplacedShares(changed.fusion, replace)
    return changed


def exchanged(shares: Tensor) -> Tensor:
    """Give each scale the share of the other."""
    return shares.flip(1)


def coarse_on_the_digit(
    model: ScaleNetwork, scenes: Scenes
) -> Float[Tensor, " count"]:
    """Share of the coarse view, averaged over the places on the digit."""
    assert scenes.masks is not None
    coarse = model.shares(scenes.images)[:, 1:]
    places = coarse.shape[2] * coarse.shape[3]
    inside = mass_inside(coarse, scenes.masks) * coarse.sum((1, 2, 3))
    area = scenes.masks.float().mean((1, 2, 3)) * places
    return inside / area


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it by size, and where its scales go."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    assert isinstance(model, ScaleNetwork)
    budget.fit(model, SizedDigits(budget.scenes, seed=seed), seed=seed)
    test = SizedDigits(budget.test_scenes, split="test").draw()
    return scores(model, test)


def scores(model: ScaleNetwork, test: Scenes) -> dict[str, float]:
    """Accuracy of all, small and large digits, and what the shares do."""
    sizes = sizes_of(test)
    metrics = evaluate(model, test)
    for name, chosen in {"small": sizes <= 16, "large": sizes >= 28}.items():
        part = Scenes(test.images[chosen], test.labels[chosen], None)
        metrics[f"accuracy_{name}"] = evaluate(model, part)["accuracy"]
    if isinstance(model.fusion, MultiScaleAttention):
        coarse = coarse_on_the_digit(model, test)
        metrics["follows_size"] = rank_correlation(coarse, sizes)
        metrics["coarse_small"] = coarse[sizes <= 16].mean().item()
        metrics["coarse_large"] = coarse[sizes >= 28].mean().item()
        for name, replace in {
            "drop_flat": equal_shares,
            "drop_exchanged": exchanged,
        }.items():
            changed = with_shares_replaced(model, replace)
            left = evaluate(changed, test)["accuracy"]
            metrics[name] = metrics["accuracy"] - left
    return metrics


def equal_shares(shares: Tensor) -> Tensor:
    """Give every scale the same share at every place."""
    return torch.full_like(shares, 1 / shares.shape[1])
