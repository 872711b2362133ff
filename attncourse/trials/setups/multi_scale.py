"""Does the scale that a position chooses follow the size of the object?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import MultiScaleAttention
from attncourse.data import Scenes, SizedDigits, sizes_of
from attncourse.metrics import mass_inside, rank_correlation
from attncourse.models.scales import (
    CHANNELS,
    FixedFusion,
    ScaleNetwork,
    attention,
)
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import drops
from attncourse.trials.runs import Variant

SCALES = (1.0, 0.5)


def network(fusion: Callable[[], nn.Module]) -> ScaleNetwork:
    """Build a network around a fusion."""
    return ScaleNetwork(fusion())


def mean_of_views(views: Tensor) -> Tensor:
    """Every scale has the same share."""
    return views.mean(0)


def largest_of_views(views: Tensor) -> Tensor:
    """Each value is the largest of all scales."""
    return views.amax(0)


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
        _, weights = self.layer.attend(x)
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
    """Share of the coarse view, averaged over the positions on the digit."""
    assert scenes.masks is not None
    coarse = model.shares(scenes.images)[:, 1:]
    positions = coarse.shape[2] * coarse.shape[3]
    inside = mass_inside(coarse, scenes.masks) * coarse.sum((1, 2, 3))
    area = scenes.masks.float().mean((1, 2, 3)) * positions
    return inside / area


def equal_shares(shares: Tensor) -> Tensor:
    """Give every scale the same share at every position."""
    return torch.full_like(shares, 1 / shares.shape[1])


def where_the_scales_go(
    model: ScaleNetwork, test: Scenes, accuracy: float
) -> dict[str, float]:
    """What the shares do with the size, and what they are worth."""
    sizes = sizes_of(test)
    coarse = coarse_on_the_digit(model, test)
    changed = {
        "flat": with_shares_replaced(model, equal_shares),
        "exchanged": with_shares_replaced(model, exchanged),
    }
    return {
        "follows_size": rank_correlation(coarse, sizes),
        "coarse_small": coarse[sizes <= 16].mean().item(),
        "coarse_large": coarse[sizes >= 28].mean().item(),
    } | drops(accuracy, test, changed)


def _fixed(
    label: str,
    scales: tuple[float, ...],
    fuse: Callable[[Tensor], Tensor],
    width: int = CHANNELS,
) -> Variant:
    fusion = partial(FixedFusion, scales, fuse, width)
    return Variant(label, partial(network, fusion))


VARIANTS = {
    "fine": _fixed("scale 1 alone", (1.0,), mean_of_views),
    "coarse": _fixed("scale 1/2 alone", (0.5,), mean_of_views),
    "mean": _fixed("mean of both", SCALES, mean_of_views),
    "wider_mean": _fixed("mean of both, wider", SCALES, mean_of_views, 23),
    "max": _fixed("maximum of both", SCALES, largest_of_views),
    "attention": Variant(
        "attention over scales",
        partial(network, attention),
        score=where_the_scales_go,
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it by size, and where its scales go."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    budget.fit(model, SizedDigits(budget.scenes, seed=seed), seed=seed)
    test = SizedDigits(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test)
    sizes = sizes_of(test)
    for name, of_size in {"small": sizes <= 16, "large": sizes >= 28}.items():
        part = Scenes(test.images[of_size], test.labels[of_size], None)
        metrics[f"accuracy_{name}"] = evaluate(model, part)["accuracy"]
    return metrics | chosen.score(model, test, metrics["accuracy"])
