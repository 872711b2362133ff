"""How much is a position code worth to a small vision transformer?"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import (
    LearnedPositions2d,
    RelativePositionBias2d,
    RotaryPositions2d,
    sinusoidal_positions,
)
from attncourse.models import VisionTransformer
from attncourse.models.vision_transformer import SinusoidalPositions2d
from attncourse.scenes import Scenes, digits
from attncourse.trials.claim import Budget, Claim, Prediction, Profile
from attncourse.trials.loop import evaluate, fit
from attncourse.trials.runs import Arm

PATCH = 2  # pixels
ROWS = 8 // PATCH  # patches in a row of a digit
DIM = 32
HEADS = 4


class RasterPositions(nn.Module):
    """Add the sinusoidal code of a place's number, counted row by row.

    Notes
    -----
    No parameters. The end of a row and the beginning of the next get codes
    as close as two neighbours within a row.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add to each place the code of its number."""
        codes = sinusoidal_positions(x.shape[2] * x.shape[3], x.shape[1])
        placed: Tensor = codes.to(x).mT.unflatten(1, x.shape[2:])
        return x + placed


def transformer(
    positions: Callable[[], nn.Module] | None = None,
    *,
    rotary: bool = False,
    relative: bool = False,
) -> VisionTransformer:
    """Build a transformer for digits with one kind of positions."""
    return VisionTransformer(
        positions=None if positions is None else positions(),
        rotary=RotaryPositions2d(DIM // HEADS) if rotary else None,
        relative=(
            RelativePositionBias2d(HEADS, ROWS, ROWS) if relative else None
        ),
        patch_size=PATCH,
        in_channels=1,
        dim=DIM,
        depth=2,
        heads=HEADS,
    )


def convolutions() -> nn.Sequential:
    """Build a network without attention, of about as many parameters."""
    return nn.Sequential(
        *_convolution(1, 16),
        *_convolution(16, 32),
        nn.MaxPool2d(2),
        *_convolution(32, 64),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    ]


def with_shuffled_patches(scenes: Scenes, seed: int = 0) -> Scenes:
    """Put the patches of all images into one other order."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(ROWS**2, generator=generator)
    cut = scenes.images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
    moved = cut.flatten(2, 3)[:, :, order].unflatten(2, (ROWS, ROWS))
    images = moved.transpose(3, 4).reshape(scenes.images.shape)
    return Scenes(images, scenes.labels, scenes.masks)


ARMS = {
    "none": Arm("no positions", transformer),
    "raster": Arm(
        "sinusoidal, 1-D in raster order",
        partial(transformer, RasterPositions),
    ),
    "sinusoidal": Arm(
        "sinusoidal, 2-D", partial(transformer, SinusoidalPositions2d)
    ),
    "learned": Arm(
        "learned",
        partial(transformer, partial(LearnedPositions2d, DIM, ROWS, ROWS)),
    ),
    "relative": Arm("relative bias", partial(transformer, relative=True)),
    "rotary": Arm("rotary", partial(transformer, rotary=True)),
    "convolution": Arm("convolutions, no attention", convolutions),
}


def run(arm: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one arm on real digits; test it also on shuffled patches."""
    torch.manual_seed(seed)
    model = ARMS[arm].build()
    fit(
        model,
        digits("train"),
        epochs=budget.epochs,
        batch_size=budget.batch_size,
        lr=budget.lr,
        seed=seed,
        progress=False,
    )
    test = digits("test")
    metrics = evaluate(model, test)
    shuffled = evaluate(model, with_shuffled_patches(test))["accuracy"]
    metrics["drop_shuffled"] = metrics["accuracy"] - shuffled
    return metrics


def _worth(statement: str, arm: str, against: str, above: float) -> Prediction:
    return Prediction(
        statement, metric="accuracy", arm=arm, against=against, above=above
    )


CLAIM = Claim(
    question=(
        "What is a position code worth to a small vision transformer, which "
        "kind is best, and is attention needed at all?"
    ),
    source=(
        "A public article on attention in image recognition: positional "
        "encoding helps self-attention on feature maps."
    ),
    arms=ARMS,
    control="none",
    run=run,
    example=(1, 1, 8, 8),
    metrics=("accuracy", "drop_shuffled"),
    predictions=(
        _worth(
            "Codes of row and column are worth more than ten points of "
            "accuracy over none.",
            "sinusoidal",
            "none",
            0.1,
        ),
        _worth(
            "Codes of row and column beat codes in raster order by more "
            "than a point.",
            "sinusoidal",
            "raster",
            0.01,
        ),
        _worth(
            "Learned codes lose less than two points to them.",
            "learned",
            "sinusoidal",
            -0.02,
        ),
        _worth(
            "Relative positions lose less than two points to them.",
            "relative",
            "sinusoidal",
            -0.02,
        ),
        _worth(
            "So do rotary ones.",
            "rotary",
            "sinusoidal",
            -0.02,
        ),
        _worth(
            "The best of these transformers is more accurate than "
            "convolutions with as many parameters: the one with codes of row "
            "and column.",
            "sinusoidal",
            "convolution",
            0.0,
        ),
        Prediction(
            "The codes are a cause: on shuffled patches the network that has "
            "them loses more than thirty points.",
            metric="drop_shuffled",
            arm="sinusoidal",
            against=None,
            above=0.3,
        ),
    ),
    quick=Profile(seeds=5, budget=Budget(scenes=1297, epochs=30, lr=3e-3)),
    full=Profile(seeds=10, budget=Budget(scenes=1297, epochs=30, lr=3e-3)),
)
