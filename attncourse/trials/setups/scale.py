"""Does a wide attention need its scale, and would a small start do?"""

from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.data import ColourLookup, Scenes
from attncourse.models.digit_lookup import DigitLookup
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate, fit
from attncourse.trials.runs import Variant

RATES = (1 / 16, 1 / 4, 1, 4, 16)


def colour_distance(
    model: nn.Module,
    images: Float[Tensor, "batch 3 height width"],
    labels: Int64[Tensor, " batch"],
    masks: Tensor | None,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Mean squared distance to the right colour, and the logits."""
    logits = model(images)
    return -logits.gather(1, labels[:, None]).mean(), logits


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train a variant at five learning rates and score the best of them.

    The best is the one with the highest accuracy on validation scenes.
    """
    held_out = ColourLookup(budget.test_scenes, split="validation").draw()
    test = ColourLookup(budget.test_scenes, split="test").draw()
    metrics: dict[str, float] = {}
    best = -1.0
    for rate in (factor * budget.lr for factor in RATES):
        torch.manual_seed(seed)
        model = VARIANTS[variant].build()
        assert isinstance(model, DigitLookup)
        keys_at_start = effective_keys(model, held_out)
        fit(
            model,
            ColourLookup(budget.scenes, seed=seed),
            epochs=budget.epochs,
            batch_size=budget.batch_size,
            lr=rate,
            seed=seed,
            progress=False,
            loss=colour_distance,
        )
        validated = evaluate(model, held_out)["accuracy"]
        scores = evaluate(model, test)
        metrics[f"accuracy_at_{rate:g}"] = scores["accuracy"]
        if validated > best:
            best = validated
            metrics |= {**scores, "rate": rate}
            metrics["keys_at_start"] = keys_at_start
    return metrics


@torch.no_grad()
def effective_keys(model: DigitLookup, scenes: Scenes) -> float:
    """Return e to the mean entropy of the weights: 8 if all are equal."""
    _, weights = model.attend(scenes.images)
    entropy = torch.special.entr(weights).sum((1, 2, 3))
    return float(entropy.mean().exp())


def _variants(dim: int) -> dict[str, Variant]:
    plain = partial(DigitLookup, dim)
    return {
        f"scaled-{dim}": Variant(f"{dim} dimensions, scaled", plain),
        f"unscaled-{dim}": Variant(
            f"{dim} dimensions, not scaled", partial(plain, scaled=False)
        ),
    }


VARIANTS = {
    **_variants(8),
    **_variants(64),
    **_variants(512),
    "small-start-512": Variant(
        "512 dimensions, not scaled, small start",
        partial(DigitLookup, 512, scaled=False, start=512**-0.25),
    ),
}
