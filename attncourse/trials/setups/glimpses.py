"""Does REINFORCE learn where to look, and does a gradient do it better?"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention.recurrent_attention import (
    GlimpseReader,
    Reader,
    RecurrentAttention,
    reinforce_loss,
)
from attncourse.data import ClutteredDigits
from attncourse.metrics import mass_inside
from attncourse.trials.budget import Budget
from attncourse.trials.loop import Loss

CANVAS, DIGIT = 40, 16
GLIMPSES = 5
REACH = (CANVAS - DIGIT) / CANVAS  # centres of digits lie in [-0.6, 0.6]


class DifferentiableReader(GlimpseReader):
    """The same patches, at places that are not drawn but computed.

    The bilinear crop has a gradient by its place, so back-propagation
    reaches what chose it.
    """

    drawn: ClassVar[bool] = False


class CentreGlimpses(RecurrentAttention):
    """Every glimpse at the centre of the image."""

    def _choose(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return state.new_zeros(len(state), 2), state.new_zeros(len(state))


class RandomGlimpses(RecurrentAttention):
    """Every glimpse but the first anywhere that a digit may be centred."""

    def _choose(self, state: Tensor) -> tuple[Tensor, Tensor]:
        place = torch.rand(len(state), 2, device=state.device)
        return REACH * (2 * place - 1), state.new_zeros(len(state))


class InkGlimpses(RecurrentAttention):
    """Every glimpse but the first at the centre of mass of the ink."""

    def _run(self, x: Tensor):  # type: ignore[no-untyped-def]
        self._place = centre_of_mass(x)
        return super()._run(x)

    def _choose(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return self._place, state.new_zeros(len(state))


def centre_of_mass(
    images: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, "batch 2"]:
    """Mean place (x, y) of the ink, in [-1, 1]."""
    ink = images / images.sum((2, 3), keepdim=True).clamp_min(1e-6)
    height, width = images.shape[2:]
    x = (2 * torch.arange(width, device=images.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=images.device) + 1) / height - 1
    across = (ink.sum(2) * x).sum(-1)
    down = (ink.sum(3) * y).sum(-1)
    return torch.cat([across, down], 1)


def glimpser(
    kind: type[RecurrentAttention] = RecurrentAttention,
    reader: Reader | None = None,
) -> RecurrentAttention:
    """Five glimpses; all kinds start from the same weights."""
    return kind(
        1,
        10,
        glimpses=GLIMPSES,
        reader=GlimpseReader(patch=8, scales=2) if reader is None else reader,
        hidden_dim=96,
        std=0.12,
    )


def supervised(
    model: nn.Module,
    images: Float[Tensor, "batch 1 height width"],
    labels: Int64[Tensor, " batch"],
    masks: Bool[Tensor, "batch 1 height width"] | None,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch 10"]]:
    """Cross-entropy alone."""
    logits = model(images)
    return F.cross_entropy(logits, labels), logits


def reinforced(
    model: nn.Module,
    images: Float[Tensor, "batch 1 height width"],
    labels: Int64[Tensor, " batch"],
    masks: Bool[Tensor, "batch 1 height width"] | None,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch 10"]]:
    """Cross-entropy, baseline and REINFORCE."""
    assert isinstance(model, RecurrentAttention)
    episode = model.play(images)
    return reinforce_loss(episode, labels), episode.logits


VARIANTS: dict[str, tuple[str, Callable[[], RecurrentAttention], Loss]] = {
    "centre": (
        "glimpses at the centre",
        partial(glimpser, CentreGlimpses),
        supervised,
    ),
    "random": (
        "glimpses at random",
        partial(glimpser, RandomGlimpses),
        supervised,
    ),
    "reinforce": ("REINFORCE with a baseline", glimpser, reinforced),
    "differentiable": (
        "the same glimpses, differentiable",
        partial(glimpser, reader=DifferentiableReader(patch=8, scales=2)),
        supervised,
    ),
    "ink": (
        "glimpses at the centre of the ink",
        partial(glimpser, InkGlimpses),
        supervised,
    ),
}


@torch.no_grad()
def replay(
    model: RecurrentAttention,
    images: Float[Tensor, "batch 1 height width"],
    places: Float[Tensor, "batch glimpses numbers"],
) -> Float[Tensor, "batch classes"]:
    """Logits when the glimpses are taken at these places."""
    state = images.new_zeros(len(images), model.core.hidden_size)
    for told in places.unbind(1):
        seen = model.what(model.reader.read(images, told).flatten(1))
        state = model.core((seen + model.where(told)).relu(), state)
    logits: Tensor = model.classifier(state)
    return logits


def inside(
    places: Float[Tensor, "batch glimpses 2"],
    masks: Bool[Tensor, "batch 1 height width"],
) -> Bool[Tensor, "batch glimpses"]:
    """Whether each place lies on the answer key."""
    height, width = masks.shape[2:]
    size = torch.tensor([width, height], device=places.device)
    pixel = ((places + 1) * size / 2).floor().long()
    within = ((pixel >= 0) & (pixel < size)).all(-1)
    column = pixel[..., 0].clamp(0, width - 1)
    row = pixel[..., 1].clamp(0, height - 1)
    scene = torch.arange(len(masks), device=places.device)[:, None]
    found: Tensor = masks[scene, 0, row, column] & within
    return found


def scenes(
    count: int, *, split: str = "train", seed: int = 0
) -> ClutteredDigits:
    """One digit on a black canvas, no clutter."""
    return ClutteredDigits(
        count,
        size=CANVAS,
        digit_size=DIGIT,
        fragments=0,
        split=split,
        seed=seed,
    )


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score its accuracy and its places."""
    torch.manual_seed(seed)
    _, build, loss = VARIANTS[variant]
    model = build()
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed, loss=loss)
    test = scenes(budget.test_scenes, split="test").draw()
    masks = test.masks
    assert masks is not None
    with torch.no_grad():
        torch.manual_seed(seed)
        episode = model.play(test.images)
        torch.manual_seed(seed)
        _, maps = model(test.images, return_weights=True)
    right = (episode.logits.argmax(1) == test.labels).float().mean().item()
    hits = inside(episode.locations, masks).float().mean(0)
    metrics = {
        "accuracy": right,
        "hit": hits[-1].item(),
        "mass": mass_inside(maps[:, -1:], masks).mean().item(),
    }
    metrics |= {
        f"hit_{step}": hit.item() for step, hit in enumerate(hits, start=1)
    }
    if variant in ("reinforce", "differentiable"):
        for name, places in {
            "drop_others": episode.locations.roll(1, 0),
            "drop_centre": torch.zeros_like(episode.locations),
        }.items():
            logits = replay(model, test.images, places)
            left = (logits.argmax(1) == test.labels).float().mean().item()
            metrics[name] = right - left
    return metrics
