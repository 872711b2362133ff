"""Which models of looking beat a map that always says "the middle"?"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse import metrics
from attncourse.data import Scenes, Viewed, ViewedDigits
from attncourse.models.saliency import (
    Centre,
    Contrast,
    SaliencyNetwork,
    TimesCentre,
)
from attncourse.trials.budget import Budget
from attncourse.trials.loop import Loss
from attncourse.trials.runs import Variant

SIGMA = 3.0  # pixels of blur of the fixations of the other observers


def contrast_times_centre() -> TimesCentre:
    """Build the product of contrast and centre."""
    return TimesCentre(Contrast())


def likelihood(seen: Viewed) -> Loss:
    """Negative log-likelihood of a look; `labels` are numbers of scenes."""
    looks = seen.fixations.sum(1).flatten(1).float()

    def loss(
        model: nn.Module, images: Tensor, labels: Tensor, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        assert isinstance(model, SaliencyNetwork)
        logits = model.logits(images).flatten(1)
        surprise = -(looks[labels] * logits.log_softmax(1)).sum(1)
        return (surprise / looks[labels].sum(1)).mean(), logits

    return loss


Prepare = Callable[[nn.Module, Viewed, Budget, int], None]


def find_centre(
    model: nn.Module, seen: Viewed, budget: Budget, seed: int
) -> None:
    """Give a map of the middle the mean density of the training scenes."""
    looks = seen.fixations.sum((0, 1))[None, None]
    for module in model.modules():
        if isinstance(module, Centre):
            module.prior = metrics.fixation_density(looks, SIGMA).float()
    model.eval()


def train(model: nn.Module, seen: Viewed, budget: Budget, seed: int) -> None:
    """Train a network on images and looks."""
    numbers = torch.arange(seen.images.shape[0])
    scenes = Scenes(seen.images, numbers, None)
    budget.fit(model, scenes, seed=seed, loss=likelihood(seen))


def train_blindly(
    model: nn.Module, seen: Viewed, budget: Budget, seed: int
) -> None:
    """Train a network that is shown the image of another scene."""
    train(model, seen._replace(images=seen.images.roll(1, 0)), budget, seed)


@torch.no_grad()
def scores(
    maps: Float[Tensor, "batch 1 height width"], seen: Viewed
) -> dict[str, float]:
    """All metrics of maps, on the second half of the observers."""
    looks = seen.fixations[:, 1:]
    density = metrics.fixation_density(looks, SIGMA)
    found = {
        "auc": metrics.auc_judd(maps, looks),
        "shuffled_auc": metrics.shuffled_auc(maps, looks),
        "nss": metrics.nss(maps, looks),
        "cc": metrics.correlation(maps, density),
        "kl": metrics.kl_divergence(maps, density),
        "sim": metrics.similarity(maps, density),
        "mass": metrics.mass_inside(maps, seen.masks),
        "mass_blobs": metrics.mass_inside(maps, seen.blobs),
    }
    return {name: values.mean().item() for name, values in found.items()}


def shuffled(
    model: nn.Module, test: Viewed, found: dict[str, float]
) -> dict[str, float]:
    """What the maps of other images lose."""
    with torch.no_grad():
        others = model(test.images.roll(1, 0))
    return {"drop_shuffled": found["nss"] - scores(others, test)["nss"]}


@dataclass(frozen=True)
class PreparedVariant(Variant):
    """A variant, and how it is made ready."""

    prepare: Prepare = find_centre


VARIANTS = {
    "centre": PreparedVariant("the middle, whatever the image", Centre),
    "contrast": PreparedVariant("contrast, nothing learnt", Contrast),
    "contrast+centre": PreparedVariant(
        "contrast times the middle", contrast_times_centre
    ),
    "network": PreparedVariant(
        "convolutional network",
        SaliencyNetwork,
        score=shuffled,
        prepare=train,
    ),
    "network+centre": PreparedVariant(
        "network with a learnt centre",
        partial(SaliencyNetwork, bias=True),
        prepare=train,
    ),
    "blind": PreparedVariant(
        "network trained on wrong images",
        SaliencyNetwork,
        prepare=train_blindly,
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Prepare one model and score it on test scenes."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    seen = ViewedDigits(budget.scenes, seed=seed).draw()
    test = ViewedDigits(budget.test_scenes, split="test").draw()
    model = chosen.build()
    chosen.prepare(model, seen, budget, seed)
    with torch.no_grad():
        found = scores(model(test.images), test)
    return found | chosen.score(model, test, found)
