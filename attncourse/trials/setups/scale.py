"""Does a wide attention need its scale, and would a small start do?"""

from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.attention import scaled_dot_product_attention
from attncourse.data import ColourLookup, Scenes
from attncourse.data.colour_lookup import CUE, GRID, PALETTE, SIDE
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate, fit
from attncourse.trials.runs import Variant

RATES = (1 / 16, 1 / 4, 1, 4, 16)


class DigitLookup(nn.Module):
    """Answer a :class:`ColourLookup` by one attention and nothing else.

    The query is the digit in the middle, the keys are the eight around it,
    the values are their colours. All that is learnt are the projections of
    query and key. The answer is the colour of the palette that is nearest
    to the mixed one.

    Parameters
    ----------
    dim
        Width of query and key.
    scaled
        False leaves the division by the root of the width out.
    start
        Standard deviation of the entries of query and key before training.
    """

    palette: Tensor
    around: Tensor

    def __init__(
        self, dim: int, *, scaled: bool = True, start: float = 1.0
    ) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        super().__init__()
        self.query = nn.Linear(SIDE**2, dim, bias=False)
        self.key = nn.Linear(SIDE**2, dim, bias=False)
        for projection in (self.query, self.key):
            nn.init.normal_(projection.weight, std=start / SIDE)
        self.undo = 1.0 if scaled else dim**0.5
        self.register_buffer("palette", torch.tensor(PALETTE).float())
        self.register_buffer("around", torch.arange(GRID**2) != CUE)

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch classes"]
        | tuple[
            Float[Tensor, "batch classes"],
            Float[Tensor, "batch 1 rows columns"],
        ]
    ):
        """Negative squared distance of the mixed colour to each other one."""
        tokens, colours = split_cells(images)
        mixed, weights = scaled_dot_product_attention(
            self.query(tokens[:, [CUE]]) * self.undo,  # (batch, 1, dim)
            self.key(tokens),  # (batch, 9, dim)
            colours,
            self.around,
            return_weights=True,
        )
        logits = -(mixed - self.palette).square().sum(-1)
        if not return_weights:
            return logits
        return logits, weights.unflatten(-1, (GRID, GRID))


def split_cells(
    images: Float[Tensor, "batch 3 height width"],
) -> tuple[Float[Tensor, "batch 9 64"], Float[Tensor, "batch 9 3"]]:
    """Cut a scene into digits: standardised pixels, and the colour of each."""
    cells = F.unfold(images, SIDE, stride=SIDE).mT.unflatten(-1, (3, -1))
    ink = cells.amax(2)
    colours = cells.sum(-1) / ink.sum(-1, keepdim=True)
    return F.layer_norm(ink, (SIDE**2,)), colours


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
def effective_keys(model: nn.Module, scenes: Scenes) -> float:
    """Return e to the mean entropy of the weights: 8 if all are equal."""
    _, weights = model(scenes.images, return_weights=True)
    entropy = torch.special.entr(weights).sum((1, 2, 3))
    return float(entropy.mean().exp())


def _variants(dim: int) -> dict[str, Variant]:
    plain = partial(DigitLookup, dim)
    return {
        f"scaled-{dim}": Variant(f"{dim} numbers, scaled", plain),
        f"unscaled-{dim}": Variant(
            f"{dim} numbers, not scaled", partial(plain, scaled=False)
        ),
    }


VARIANTS = {
    **_variants(8),
    **_variants(64),
    **_variants(512),
    "small-start-512": Variant(
        "512 numbers, not scaled, small start",
        partial(DigitLookup, 512, scaled=False, start=512**-0.25),
    ),
}
