"""Does looking closely only where it matters save work, or accuracy too?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import DynamicCapacity
from attncourse.data import ClutteredDigits, Scenes
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate, fit

CANVAS, FRAGMENTS = 80, 16
PATCHES = 3
COARSE_SHARE, HINT_SHARE = 0.5, 0.1  # of the loss, beside the answer
COUNTS = (0, 1, 2, 4, 8)  # patches tried on the trained network


class WholeImage(nn.Module):
    """One trunk over the whole image, then the top of the dynamic network.

    Parameters
    ----------
    trunk
        From the image to a map of 10 x 10 places.
    width
        Channels of that map.
    margin
        Zeros around the image.
    """

    def __init__(self, trunk: nn.Module, width: int, margin: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.margin = margin
        self.hidden = nn.Conv2d(width, width, 1)
        self.classifier = nn.Linear(width, 10)

    def forward(
        self, x: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch 10"]:
        """Logits."""
        maps = self.trunk(F.pad(x, [self.margin] * 4))
        strongest = self.hidden(maps).relu().amax((2, 3))
        logits: Tensor = self.classifier(strongest)
        return logits


class RandomPatches(DynamicCapacity):
    """Patches anywhere, drawn anew in every call."""

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Noise."""
        return torch.rand_like(coarse[:, :1])


class CentrePatches(DynamicCapacity):
    """Patches at the centre of the image, the same in every image."""

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Falls with the distance from the middle."""
        row, column = (
            torch.arange(size, device=coarse.device) - (size - 1) / 2
            for size in coarse.shape[2:]
        )
        distance = row[:, None] ** 2 + column**2
        # Several places are as near; the first in reading order wins.
        order = torch.arange(distance.numel(), device=coarse.device)
        distance = distance + 1e-3 * order.view_as(distance)
        return (1 / (1 + distance)).expand(len(coarse), 1, -1, -1)


class InkPatches(DynamicCapacity):
    """The patches with the most ink: no network is asked."""

    def look(self, x: Tensor):  # type: ignore[no-untyped-def]
        self._ink = F.avg_pool2d(self._padded(x), self.PATCH, self.STRIDE)
        return super().look(x)

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Mean brightness of each patch."""
        return self._ink


def coarse_trunk(first: int, width: int) -> nn.Sequential:
    """Build the coarse layers of the dynamic network, in other widths."""
    return nn.Sequential(
        nn.AvgPool2d(2),
        *_convolution(1, first, 5, stride=2, padding=2),
        *_convolution(first, width, 3, stride=2, padding=1),
    )


def fine_trunk(first: int, second: int, width: int) -> nn.Sequential:
    """Build the fine layers of the dynamic network, in other widths."""
    return nn.Sequential(
        *_convolution(1, first, 5, stride=2),
        *_convolution(first, second, 3),
        nn.MaxPool2d(2),
        *_convolution(second, width, 3),
        nn.MaxPool2d(2),
    )


def _convolution(
    channels: int, width: int, kernel: int, stride: int = 1, padding: int = 0
) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels, width, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


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


VARIANTS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "coarse": ("coarse everywhere", coarse_everywhere),
    "coarse-wide": (
        "coarse everywhere, wider",
        partial(coarse_everywhere, 13, 54),
    ),
    "fine-thin": (
        "fine everywhere, thinner",
        partial(fine_everywhere, 4, 7, 14),
    ),
    "fine": ("fine everywhere", fine_everywhere),
    "saliency": ("3 patches by saliency", dynamic),
    "random": ("3 patches at random", partial(dynamic, RandomPatches)),
    "centre": ("3 patches at the centre", partial(dynamic, CentrePatches)),
    "ink": ("3 patches with most ink", partial(dynamic, InkPatches)),
    "no-hint": ("3 by saliency, no hint loss", dynamic),
}


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


def train(
    model: nn.Module,
    seed: int,
    budget: Budget,
    *,
    hint: float = HINT_SHARE,
    progress: bool = False,
) -> None:
    """Train in place; a dynamic network starts with its coarse half.

    All networks see as many scenes: the warm-up counts.
    """
    again = partial(
        fit,
        model,
        batch_size=budget.batch_size,
        lr=budget.lr,
        seed=seed,
        progress=progress,
    )
    if not isinstance(model, DynamicCapacity):
        again(scenes(budget.scenes, seed=seed), epochs=budget.epochs)
        return
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
    """Whether the middle of each chosen place lies on the answer key."""
    stride = DynamicCapacity.STRIDE
    middle = masks[:, 0, stride // 2 :: stride, stride // 2 :: stride]
    return middle.flatten(1).gather(1, chosen)


class Moved(DynamicCapacity):
    """Stands for a trained network, with its patches moved elsewhere.

    ``change`` maps the saliency to the one that is used.
    """

    change: Callable[[Tensor], Tensor]

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Return the changed map."""
        return self.change(super().saliency(coarse))


def half_way(
    saliency: Float[Tensor, "batch 1 rows columns"],
) -> Float[Tensor, "batch 1 rows columns"]:
    """Move the map by half the image, down and to the right, around."""
    rows, columns = saliency.shape[2:]
    return saliency.roll((rows // 2, columns // 2), (2, 3))


def others(
    saliency: Float[Tensor, "batch 1 rows columns"],
) -> Float[Tensor, "batch 1 rows columns"]:
    """Give each image the map of the next one."""
    return saliency.roll(1, 0)


def moved(
    model: DynamicCapacity, change: Callable[[Tensor], Tensor]
) -> DynamicCapacity:
    """Return a copy of the model that looks elsewhere."""
    changed = deepcopy(model)
    changed.__class__ = Moved
    assert isinstance(changed, Moved)
    changed.change = change
    return changed


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
    """Return a copy of the model that looks at as many places."""
    changed = deepcopy(model)
    changed.patches = count
    return changed


@torch.no_grad()
def places(model: DynamicCapacity, test: Scenes) -> dict[str, float]:
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


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it, its patches, and other patches."""
    torch.manual_seed(seed)
    model = VARIANTS[variant][1]()
    hint = 0.0 if variant == "no-hint" else HINT_SHARE
    train(model, seed, budget, hint=hint)
    test = scenes(budget.test_scenes, split="test").draw()
    torch.manual_seed(seed)
    metrics = evaluate(model, test)
    if not isinstance(model, DynamicCapacity):
        return metrics
    metrics |= places(model, test)
    if variant not in ("saliency", "no-hint"):
        return metrics
    for name, change in ("moved", half_way), ("others", others):
        changed = evaluate(moved(model, change), test)
        metrics[f"drop_{name}"] = metrics["accuracy"] - changed["accuracy"]
    if variant == "saliency":
        for count in COUNTS:
            tried = evaluate(with_patches(model, count), test)
            metrics[f"accuracy_at_{count}"] = tried["accuracy"]
        metrics["accuracy_at_all"] = evaluate(Finest(model), test)["accuracy"]
    return metrics
