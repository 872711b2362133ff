"""Does a transformer put the digit upright, and do more steps help?"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.sampling import compose
from attncourse.attention.spatial_transformer import (
    SpatialTransformer,
    Transform,
    rotation,
    similarity,
)
from attncourse.data import PosedDigits, Scenes
from attncourse.data.posed import CANVAS, inverted, pixel_centres
from attncourse.models import AttentionCNN, MaxPooling2d
from attncourse.models.cropping import (
    CROP,
    ChangedTransformer,
    Crop,
    ResampledTransformer,
    upright,
    wide_localization,
)
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import drops
from attncourse.trials.runs import Variant


def plain_cnn(first: int, widths: tuple[int, int]) -> nn.Sequential:
    """Convolutions, then one weight for each position and channel."""
    stem: list[nn.Module] = []
    channels = 1
    if first:
        stem = [
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
        ]
        channels = first
    for width in widths:
        stem += [
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        channels = width
    return nn.Sequential(*stem, nn.Flatten(), nn.Linear(channels * 25, 10))


def max_cnn() -> AttentionCNN:
    """Convolutions, then the maximum of each channel over all positions."""
    return AttentionCNN(pooling=MaxPooling2d())


def perceptron(inputs: int, hidden: int) -> nn.Sequential:
    """One hidden layer, no convolution."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


def transformed(
    classifier: Callable[[], nn.Module],
    steps: int = 1,
    *,
    still: bool = False,
    transform: Transform = similarity,
    kind: type[SpatialTransformer] = SpatialTransformer,
    width: int | None = None,
) -> Crop:
    """Put a transformer in front; classifiers start alike in all variants."""
    behind = classifier()
    finder = None if width is None else wide_localization(width)
    transformer = kind(
        1, transform, steps=steps, size=(CROP, CROP), localization=finder
    )
    return Crop(behind, transformer, still=still)


small_cnn = partial(plain_cnn, 0, (16, 32))
wide_cnn = partial(plain_cnn, 10, (18, 34))


def angle(matrix: Float[Tensor, "batch 2 3"]) -> Float[Tensor, " batch"]:
    """Angle of a similarity, in degrees."""
    return torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))


def undone(
    theta: Float[Tensor, "batch 2 3"], pose: Float[Tensor, "batch 2 3"]
) -> dict[str, float]:
    """How far a predicted transformation undoes the pose of the digit.

    ``pose`` leads from canvas to digit and ``theta`` from crop to canvas;
    the composed matrix leads from crop to digit. If the pose is undone, its
    angle is the same in all scenes; which angle is the network's choice, so
    the median counts as upright.

    Returns
    -------
    dict
        ``angle_r``, correlation of the applied angle and the one undone (1
        where it is always undone; 0 where nothing moves), and the same for
        zoom and location, ``zoom_r``, ``x_r`` and ``y_r``; ``angle_error``
        and ``angle_before``, mean distance from upright in degrees, with
        the transformation and without; ``hit``, share of crops centred
        inside the digit's box.
    """
    left = angle(compose(pose, theta))
    turned = (left - left.median() + 180) % 360 - 180
    predicted, applied = angle(theta), -angle(pose)
    centre = (pose[:, :, :2] @ theta[:, :, 2:] + pose[:, :, 2:]).abs()
    location = -torch.linalg.solve(pose[:, :, :2], pose[:, :, 2])
    return {
        "angle_r": _correlation(predicted, applied),
        "zoom_r": _correlation(_zoom(theta), 1 / _zoom(pose)),
        "x_r": _correlation(theta[:, 0, 2], location[:, 0]),
        "y_r": _correlation(theta[:, 1, 2], location[:, 1]),
        "angle_error": turned.abs().mean().item(),
        "angle_before": (applied - applied.median()).abs().mean().item(),
        "hit": (centre <= 1).all(1).float().mean().item(),
    }


def _zoom(matrix: Float[Tensor, "batch 2 3"]) -> Float[Tensor, " batch"]:
    zoom: Tensor = torch.linalg.vector_norm(matrix[:, :, 0], dim=1)
    return zoom


def _correlation(
    predicted: Float[Tensor, " batch"], applied: Float[Tensor, " batch"]
) -> float:
    """Zero where either does not move."""
    if min(predicted.std(), applied.std()) < 1e-3:
        return 0.0
    return torch.corrcoef(torch.stack([predicted, applied]))[0, 1].item()


def whole_image(
    theta: Float[Tensor, "batch 2 3"],
) -> Float[Tensor, "batch 2 3"]:
    """Replace each transformation by the identity."""
    return torch.eye(2, 3).to(theta).expand_as(theta)


def of_another_image(
    theta: Float[Tensor, "batch 2 3"],
) -> Float[Tensor, "batch 2 3"]:
    """Give each image the transformation of the next one."""
    return theta.roll(1, 0)


def not_turned(
    theta: Float[Tensor, "batch 2 3"],
) -> Float[Tensor, "batch 2 3"]:
    """Keep zoom and location, and read upright."""
    zoom = theta[:, :, 0].norm(dim=1)[:, None, None]
    return torch.cat([zoom * whole_image(theta)[:, :, :2], theta[:, :, 2:]], 2)


def reading_elsewhere(model: Crop, change: Callable[[Tensor], Tensor]) -> Crop:
    """Return a copy of the model with the transformation changed."""
    changed = deepcopy(model)
    changed.transformer = ChangedTransformer(changed.transformer, change)
    return changed


def displacement(
    pose: Float[Tensor, "batch 2 3"],
) -> Float[Tensor, " batch"]:
    """How far the corners of the digit's box are from a mean pose, in pixels.

    Root of the mean square over the four corners; the mean pose is upright,
    in the middle, and of the median size.
    """
    ends = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    placed = inverted(pose)
    corners = ends @ placed[:, :, :2].mT + placed[:, None, :, 2]
    away = corners - _zoom(placed).median() * ends
    return away.square().sum(-1).mean(1).sqrt() * CANVAS / 2


def lost(
    frames: list[Float[Tensor, "batch 2 3"]],
    images: Float[Tensor, "batch 1 40 40"],
) -> float:
    """Share of the ink that lies outside one of the frames."""
    kept = torch.ones(len(images), CANVAS**2, dtype=torch.bool)
    for theta in frames:
        back = inverted(theta)
        seen = pixel_centres() @ back[:, :, :2].mT + back[:, None, :, 2]
        kept &= (seen.abs() <= 1).all(-1)
    ink = images.flatten(1)
    return 1 - ((ink * kept).sum() / ink.sum()).item()


def frames_of(
    model: Crop, images: Float[Tensor, "batch 1 40 40"]
) -> list[Float[Tensor, "batch 2 3"]]:
    """Matrix from what is sampled to the canvas, for each sampling."""
    if isinstance(model.transformer, ResampledTransformer):
        return model.transformer.frames(images)
    return [model.theta(images)]


@torch.no_grad()
def by_displacement(
    model: nn.Module, test: Scenes, pose: Float[Tensor, "batch 2 3"]
) -> dict[str, float]:
    """Accuracy in each third of the scenes, from near to far."""
    logits = torch.cat([model(part) for part in test.images.split(500)])
    right = (logits.argmax(1) == test.labels).float()
    thirds = right[displacement(pose).argsort()].tensor_split(3)
    names = ("accuracy_near", "accuracy_between", "accuracy_far")
    return {
        name: third.mean().item()
        for name, third in zip(names, thirds, strict=True)
    }


def undone_and_lost(
    model: Crop, test: Scenes, pose: Float[Tensor, "count 2 3"], _: float
) -> dict[str, float]:
    """How far the transformation undoes the pose, and what it loses."""
    with torch.no_grad():
        frames = frames_of(model, test.images)
        return {
            **evaluate(model, test),
            **undone(frames[-1], pose),
            "lost": lost(frames, test.images),
        }


def all_of_a_transformer(
    model: Crop,
    test: Scenes,
    pose: Float[Tensor, "count 2 3"],
    accuracy: float,
) -> dict[str, float]:
    """The same, the accuracy near and far, and changes of what is read."""
    changed = {
        "whole": reading_elsewhere(model, whole_image),
        "others": reading_elsewhere(model, of_another_image),
        "not_turned": reading_elsewhere(model, not_turned),
    }
    return {
        **undone_and_lost(model, test, pose, accuracy),
        **by_displacement(model, test, pose),
        **drops(accuracy, test, changed),
    }


FRAGMENTS = 6
in_clutter = partial(PosedDigits, fragments=FRAGMENTS)
only_turned = partial(PosedDigits, turn=90.0, sides=(28.0, 28.0), centred=True)


@dataclass(frozen=True)
class PosedVariant(Variant):
    """A variant, and the scenes that it is trained and tested on."""

    scenes: Callable[..., PosedDigits] = PosedDigits


def _plain(
    label: str,
    build: Callable[[], nn.Module],
    scenes: Callable[..., PosedDigits] = PosedDigits,
) -> PosedVariant:
    return PosedVariant(label, build, scenes=scenes)


def _transformer(
    label: str,
    build: Callable[[], nn.Module],
    scenes: Callable[..., PosedDigits] = PosedDigits,
) -> PosedVariant:
    return PosedVariant(
        label, build, score=all_of_a_transformer, scenes=scenes
    )


VARIANTS = {
    "still": PosedVariant(
        "transformer that stays still, CNN",
        partial(transformed, small_cnn, still=True),
        score=undone_and_lost,
    ),
    "cnn": _plain("CNN on the whole image", wide_cnn),
    "max": _plain("CNN, global max pooling", max_cnn),
    "stn": _transformer("transformer, CNN", partial(transformed, small_cnn)),
    "stn-upright": _transformer(
        "transformer without an angle, CNN",
        partial(transformed, small_cnn, transform=upright),
    ),
    "stn-max": _transformer(
        "transformer, CNN with max pooling", partial(transformed, max_cnn)
    ),
    "max-clutter": _plain(
        "in clutter: CNN, global max pooling", max_cnn, in_clutter
    ),
    "stn-clutter": _transformer(
        "in clutter: transformer, CNN",
        partial(transformed, small_cnn),
        in_clutter,
    ),
    "turned-perceptron": _plain(
        "only turned: perceptron",
        partial(perceptron, CANVAS**2, 16),
        only_turned,
    ),
    "turned-stn-perceptron": _transformer(
        "only turned: transformer, perceptron",
        partial(
            transformed, partial(perceptron, CROP**2, 32), transform=rotation
        ),
        only_turned,
    ),
    "turned-max": _plain(
        "only turned: CNN, global max pooling", max_cnn, only_turned
    ),
    "turned-stn-max": _transformer(
        "only turned: transformer, CNN with max pooling",
        partial(transformed, max_cnn, transform=rotation),
        only_turned,
    ),
}
STEPS = {
    "stn": _transformer("one step", VARIANTS["stn"].build),
    "stn-2": _transformer("two steps", partial(transformed, small_cnn, 2)),
    "stn-4": _transformer("four steps", partial(transformed, small_cnn, 4)),
    "stn-wide": _transformer(
        "one step, wider localisation",
        partial(transformed, small_cnn, width=37),
    ),
    "stn-twice": _transformer(
        "two steps, sampled twice",
        partial(transformed, small_cnn, 2, kind=ResampledTransformer),
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it, its transformation, and changes of that."""
    chosen = (VARIANTS | STEPS)[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    budget.fit(model, chosen.scenes(budget.scenes, seed=seed), seed=seed)
    test, pose = chosen.scenes(budget.test_scenes, split="test").draw_posed()
    metrics = evaluate(model, test._replace(masks=None))
    return metrics | chosen.score(model, test, pose, metrics["accuracy"])
