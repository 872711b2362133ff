"""Does looking closely only where it matters save work, or accuracy too?"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import DynamicCapacity
from attncourse.data import ClutteredDigits, Scenes
from attncourse.models.patches import (
    CentrePatches,
    ChangedSaliency,
    InkPatches,
    RandomPatches,
    WholeImage,
    coarse_trunk,
    fine_trunk,
)
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate, fit
from attncourse.trials.maps import drops
from attncourse.trials.runs import Variant

CANVAS, FRAGMENTS = 80, 16
PATCHES = 3
COARSE_SHARE, HINT_SHARE = 0.5, 0.1  # of the loss, beside the answer
COUNTS = (0, 1, 2, 4, 8)  # patches tried on the trained network


def coarse_everywhere(first: int = 8, width: int = 32) -> WholeImage:
    """Build the coarse network alone."""
    return WholeImage(coarse_trunk(first, width), width, 0)


def fine_everywhere(
    first: int = 8, second: int = 16, width: int = 32
) -> WholeImage:
    """Build the fine network alone, convolved over the whole image."""
    margin = (DynamicCapacity.PATCH - DynamicCapacity.STRIDE) // 2
    return WholeImage(fine_trunk(first, second, width), width, margin)


def dynamic(kind: type[DynamicCapacity] = DynamicCapacity) -> DynamicCapacity:
    """Build the dynamic network; all kinds start from the same weights."""
    return kind(1, 10, patches=PATCHES)


def coarse_loss(
    model: nn.Module,
    images: Float[Tensor, "batch 1 height width"],
    labels: Int64[Tensor, " batch"],
    masks: Bool[Tensor, "batch 1 height width"] | None,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch 10"]]:
    """Cross-entropy of the coarse answer, for the warm-up."""
    assert isinstance(model, DynamicCapacity)
    logits = model.top(model.coarse(images))
    return F.cross_entropy(logits, labels), logits


def dynamic_loss(
    model: nn.Module,
    images: Float[Tensor, "batch 1 height width"],
    labels: Int64[Tensor, " batch"],
    masks: Bool[Tensor, "batch 1 height width"] | None,
    *,
    hint: float = HINT_SHARE,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch 10"]]:
    """Cross-entropy of both answers, and the hint."""
    assert isinstance(model, DynamicCapacity)
    seen = model.look(images)
    answer = F.cross_entropy(seen.logits, labels)
    coarse = F.cross_entropy(seen.coarse_logits, labels)
    total = answer + COARSE_SHARE * coarse + hint * seen.hint.mean()
    return total, seen.logits


def scenes(
    count: int, *, split: str = "train", seed: int = 0
) -> ClutteredDigits:
    """80 x 80 pixels, a digit of 16 and sixteen fragments."""
    return ClutteredDigits(
        count, size=CANVAS, fragments=FRAGMENTS, split=split, seed=seed
    )


Train = Callable[[nn.Module, int, Budget], None]


def train(model: nn.Module, seed: int, budget: Budget) -> None:
    """Train a network in one go."""
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)


def train_in_two(
    model: nn.Module,
    seed: int,
    budget: Budget,
    *,
    hint: float = HINT_SHARE,
    progress: bool = False,
) -> None:
    """Train a dynamic network, its coarse half first.

    It sees as many scenes as the others: the warm-up counts.
    """
    again = partial(
        fit,
        model,
        batch_size=budget.batch_size,
        lr=budget.lr,
        seed=seed,
        progress=progress,
    )
    warm_up = max(1, budget.epochs // 3)
    again(
        scenes(budget.scenes, seed=seed + 1000),
        epochs=warm_up,
        loss=coarse_loss,
    )
    again(
        scenes(budget.scenes, seed=seed),
        epochs=budget.epochs - warm_up,
        loss=partial(dynamic_loss, hint=hint),
    )


def on_digit(
    chosen: Int64[Tensor, "batch patches"],
    masks: Bool[Tensor, "batch 1 height width"],
) -> Bool[Tensor, "batch patches"]:
    """Whether the middle of each chosen patch lies on the mask."""
    stride = DynamicCapacity.STRIDE
    middle = masks[:, 0, stride // 2 :: stride, stride // 2 :: stride]
    return middle.flatten(1).gather(1, chosen)


def half_way(
    saliency: Float[Tensor, "batch 1 rows columns"],
) -> Float[Tensor, "batch 1 rows columns"]:
    """Move the map by half the image, down and to the right, around."""
    rows, columns = saliency.shape[2:]
    return saliency.roll((rows // 2, columns // 2), (2, 3))


def of_another_scene(
    saliency: Float[Tensor, "batch 1 rows columns"],
) -> Float[Tensor, "batch 1 rows columns"]:
    """Give each image the map of the next one."""
    return saliency.roll(1, 0)


class Finest(nn.Module):
    """The fine half of a trained dynamic network, everywhere."""

    def __init__(self, model: DynamicCapacity) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, x: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch 10"]:
        """Logits of the fine map."""
        return self.model.top(self.model.fine_map(x))


def with_patches(model: DynamicCapacity, count: int) -> DynamicCapacity:
    """Return a copy of the model that looks at as many patches."""
    changed = deepcopy(model)
    changed.patches = count
    return changed


@torch.no_grad()
def patch_hits(model: DynamicCapacity, test: Scenes) -> dict[str, float]:
    """Share of scenes where the first patch, or any, is on the digit."""
    assert test.masks is not None
    hits = torch.cat(
        [
            on_digit(model.look(images).chosen, masks)
            for images, masks in zip(
                test.images.split(256), test.masks.split(256), strict=True
            )
        ]
    ).float()
    return {
        "hit": hits[:, 0].mean().item(),
        "hit_any": hits.amax(1).mean().item(),
    }


def hits(model: DynamicCapacity, test: Scenes, _: float) -> dict[str, float]:
    """Where the patches are."""
    return patch_hits(model, test)


def hits_and_drops(
    model: DynamicCapacity, test: Scenes, accuracy: float
) -> dict[str, float]:
    """Where the patches are, and what other patches would give."""
    changed = {
        "moved": ChangedSaliency(model, half_way),
        "others": ChangedSaliency(model, of_another_scene),
    }
    return patch_hits(model, test) | drops(accuracy, test, changed)


def with_other_counts(
    model: DynamicCapacity, test: Scenes, accuracy: float
) -> dict[str, float]:
    """The same, and the accuracy with more patches and with fewer."""
    tried: dict[str, nn.Module] = {
        str(count): with_patches(model, count) for count in COUNTS
    }
    tried["all"] = Finest(model)
    return hits_and_drops(model, test, accuracy) | {
        f"accuracy_at_{count}": evaluate(each, test)["accuracy"]
        for count, each in tried.items()
    }


@dataclass(frozen=True)
class TrainedVariant(Variant):
    """A variant, and how it is trained."""

    train: Train = train


def _dynamic(
    label: str,
    kind: type[DynamicCapacity] = DynamicCapacity,
    score: Callable[..., dict[str, float]] = hits,
    train: Train = train_in_two,
) -> TrainedVariant:
    return TrainedVariant(
        label, partial(dynamic, kind), score=score, train=train
    )


VARIANTS = {
    "coarse": TrainedVariant("coarse everywhere", coarse_everywhere),
    "coarse-wide": TrainedVariant(
        "coarse everywhere, wider", partial(coarse_everywhere, 13, 54)
    ),
    "fine-thin": TrainedVariant(
        "fine everywhere, thinner", partial(fine_everywhere, 4, 7, 14)
    ),
    "fine": TrainedVariant("fine everywhere", fine_everywhere),
    "saliency": _dynamic("3 patches by saliency", score=with_other_counts),
    "random": _dynamic("3 patches at random", RandomPatches),
    "centre": _dynamic("3 patches at the centre", CentrePatches),
    "ink": _dynamic("3 patches with most ink", InkPatches),
    "no-hint": _dynamic(
        "3 by saliency, no hint loss",
        score=hits_and_drops,
        train=partial(train_in_two, hint=0.0),
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it, its patches, and other patches."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    chosen.train(model, seed, budget)
    test = scenes(budget.test_scenes, split="test").draw()
    torch.manual_seed(seed)
    metrics = evaluate(model, test)
    return metrics | chosen.score(model, test, metrics["accuracy"])
