"""Does (1 + M) T train where M T does not, and does its mask help at all?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import ResidualAttention
from attncourse.data import ClutteredDigits, Scenes
from attncourse.metrics import mass_inside, pointing_game
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import shuffled_map
from attncourse.trials.runs import Variant

CHANNELS = 16
SHALLOW, DEEP = 1, 4
LEVELS = 1
scenes = partial(ClutteredDigits, size=32, fragments=2)


class TrunkAlone(ResidualAttention):
    """The trunk of residual attention; its mask is there but not used."""

    def __init__(self, channels: int, levels: int = 2) -> None:
        super().__init__(channels, levels)
        self.mask = nn.Sequential()

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Run the trunk."""
        trunk: Tensor = self.trunk(x)
        return trunk


class ReplacedMask(nn.Module):
    """A module of residual attention whose mask is changed before use.

    Parameters
    ----------
    module
        The trained module.
    replace
        Function from the mask (batch, channels, height, width) to the mask
        that is used instead.
    """

    def __init__(
        self, module: ResidualAttention, replace: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.module = module
        self.replace = replace

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Run trunk and mask, and multiply by the replaced mask."""
        trunk: Tensor = self.module.trunk(x)
        mask = self.replace(self.module.mask(x))
        return mask * trunk if self.module.naive else (1 + mask) * trunk


class ResidualAttentionNetwork(nn.Module):
    """Two convolutions, modules of attention, an average, a classifier.

    As in the paper, normalisation and ReLU stand before each convolution,
    and once more before the average.

    Parameters
    ----------
    module
        Called with a number of channels, returns a module from a map to a
        map of the same shape.
    depth
        Number of modules, one behind the other.
    classes
        Number of classes.
    """

    def __init__(
        self,
        module: Callable[[int], nn.Module],
        depth: int,
        *,
        channels: int = CHANNELS,
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 5, 2, padding=2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 2, padding=1, bias=False),
        )
        self.modules_in_a_row = nn.Sequential(
            *(module(channels) for _ in range(depth))
        )
        self.head = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of each image."""
        maps = self.head(self.modules_in_a_row(self.stem(images)))
        logits: Tensor = self.classifier(maps.mean((2, 3)))
        return logits

    @torch.no_grad()
    def masks(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> list[Float[Tensor, "batch channels rows columns"]]:
        """Masks of all modules, the first one first."""
        x, found = self.stem(images), []
        for module in self.modules_in_a_row:
            x, mask = module(x, return_weights=True)
            found.append(mask)
        return found

    @torch.no_grad()
    def growth(self, images: Float[Tensor, "batch 1 height width"]) -> float:
        """Size of the last map over that of the first, root mean square."""
        first = self.stem(images)
        last = self.modules_in_a_row(first)
        return float(
            last.square().mean().sqrt() / first.square().mean().sqrt()
        )


def network(
    module: Callable[[int], nn.Module], depth: int
) -> ResidualAttentionNetwork:
    """Build a network of some depth."""
    return ResidualAttentionNetwork(module, depth)


MODULES: dict[str, tuple[str, Callable[[int], nn.Module]]] = {
    "trunk": ("trunk alone", TrunkAlone),
    "naive": (
        "M T",
        partial(ResidualAttention, levels=LEVELS, naive=True),
    ),
    "residual": ("(1 + M) T", partial(ResidualAttention, levels=LEVELS)),
}

VARIANTS = {
    f"{name}_x{depth}": Variant(
        f"{label}, {depth} module{'s' if depth > 1 else ''}",
        partial(network, module, depth),
    )
    for depth in (SHALLOW, DEEP)
    for name, (label, module) in MODULES.items()
}
# A trunk of as many multiply-adds as four modules with their masks.
LONGER = 9
VARIANTS["longer_trunk"] = Variant(
    f"trunk alone, {LONGER} modules", partial(network, TrunkAlone, LONGER)
)


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant, score its last mask, and shuffle all its masks."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    assert isinstance(model, ResidualAttentionNetwork)
    test = scenes(budget.test_scenes, split="test").draw()
    first = model.train().growth(test.images[:64])
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    metrics = evaluate(model, test)
    metrics["growth_at_start"] = first
    metrics["growth"] = model.growth(test.images[:256])
    if "trunk" not in variant:
        metrics |= scores_of_the_mask(model, test)
        left = evaluate(with_masks_replaced(model, shuffled_places), test)
        metrics["drop_shuffled"] = metrics["accuracy"] - left["accuracy"]
    return metrics


def with_masks_replaced(
    model: ResidualAttentionNetwork, replace: Callable[[Tensor], Tensor]
) -> ResidualAttentionNetwork:
    """Return a copy of the model with other masks in all its modules."""
    changed = deepcopy(model)
    row = changed.modules_in_a_row
    for index, module in enumerate(row):
        assert isinstance(module, ResidualAttention)
        row[index] = ReplacedMask(module, replace)
    return changed


def shuffled_places(
    mask: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels height width"]:
    """Put each channel's mask on other places, drawn by a fixed seed."""
    return shuffled_map(mask.flatten(0, 1)[:, None])[:, 0].view_as(mask)


def scores_of_the_mask(
    model: ResidualAttentionNetwork, shown: Scenes
) -> dict[str, float]:
    """Score the mean over the channels of the last mask."""
    assert shown.masks is not None
    mask = model.masks(shown.images)[-1].mean(1, keepdim=True)
    game = pointing_game(mask, shown.masks)
    return {
        "mass": mass_inside(mask, shown.masks).mean().item(),
        "area": shown.masks.float().mean().item(),
        "pointing": game.hits.mean().item(),
    }
