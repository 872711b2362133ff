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
from attncourse.models.residual_attention_network import (
    ResidualAttentionNetwork,
    TrunkAlone,
)
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import drops, shuffled_map
from attncourse.trials.runs import Variant, nothing_more

SHALLOW, DEEP = 1, 4
LEVELS = 1
scenes = partial(ClutteredDigits, size=32, fragments=2)


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


def shuffled_positions(
    mask: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels height width"]:
    """Put each channel's mask on other positions, drawn by a fixed seed."""
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


def mask_and_drop(
    model: ResidualAttentionNetwork, shown: Scenes, accuracy: float
) -> dict[str, float]:
    """Score the last mask, and what the positions of all are worth."""
    changed = {"shuffled": with_masks_replaced(model, shuffled_positions)}
    return scores_of_the_mask(model, shown) | drops(accuracy, shown, changed)


def network(
    module: Callable[[int], nn.Module], depth: int
) -> ResidualAttentionNetwork:
    """Build a network of some depth."""
    return ResidualAttentionNetwork(module, depth)


def _stack(
    label: str,
    module: Callable[[int], nn.Module],
    depth: int,
    score: Callable[..., dict[str, float]] = nothing_more,
) -> Variant:
    modules = f"{depth} module{'s' if depth > 1 else ''}"
    return Variant(
        f"{label}, {modules}", partial(network, module, depth), score=score
    )


naive = partial(ResidualAttention, levels=LEVELS, naive=True)
residual = partial(ResidualAttention, levels=LEVELS)
LONGER = 9  # as many multiply-adds as four modules with their masks
VARIANTS = {
    "trunk_x1": _stack("trunk alone", TrunkAlone, SHALLOW),
    "naive_x1": _stack("M T", naive, SHALLOW, mask_and_drop),
    "residual_x1": _stack("(1 + M) T", residual, SHALLOW, mask_and_drop),
    "trunk_x4": _stack("trunk alone", TrunkAlone, DEEP),
    "naive_x4": _stack("M T", naive, DEEP, mask_and_drop),
    "residual_x4": _stack("(1 + M) T", residual, DEEP, mask_and_drop),
    "longer_trunk": _stack("trunk alone", TrunkAlone, LONGER),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant, score its last mask, and shuffle all its masks."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    assert isinstance(model, ResidualAttentionNetwork)
    test = scenes(budget.test_scenes, split="test").draw()
    first = model.train().growth(test.images[:64])
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    metrics = evaluate(model, test)
    metrics["growth_at_start"] = first
    metrics["growth"] = model.growth(test.images[:256])
    return metrics | chosen.score(model, test, metrics["accuracy"])
