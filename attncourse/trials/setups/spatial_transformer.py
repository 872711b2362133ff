"""Does a transformer put the digit upright, and do more steps help?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.sampling import affine_sample, compose, reading_map
from attncourse.attention.spatial_transformer import (
    Localization,
    SpatialTransformer,
    Transform,
    rotation,
    similarity,
)
from attncourse.data import PosedDigits, Scenes
from attncourse.data.posed import CANVAS, inverted, pixel_centres
from attncourse.models import AttentionCNN, MaxPooling2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate

CROP = 20  # pixels of the side of a crop


class Crop(nn.Module):
    """A classifier behind a spatial transformer.

    With ``still`` the transformation stays what it is at the start, which
    averages squares of 2 x 2 pixels, whatever the localisation says.
    """

    def __init__(
        self,
        classifier: nn.Module,
        transformer: SpatialTransformer,
        *,
        still: bool = False,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.classifier = classifier
        self.still = still

    def theta(
        self, images: Float[Tensor, "batch 1 40 40"]
    ) -> Float[Tensor, "batch 2 3"]:
        """Matrix from the crop to the image."""
        if self.still:
            return torch.eye(2, 3).to(images).expand(len(images), 2, 3)
        return self.transformer.theta(images)

    def forward(
        self,
        images: Float[Tensor, "batch 1 40 40"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch 10"]
        | tuple[Float[Tensor, "batch 10"], Float[Tensor, "batch 1 40 40"]]
    ):
        """Logits, and how much each pixel counts in the crop."""
        size = (CROP, CROP)
        if self.still:
            crop = affine_sample(images, self.theta(images), size)
        else:
            crop = self.transformer(images)
        logits: Tensor = self.classifier(crop)
        if not return_weights:
            return logits
        return logits, reading_map(self.theta(images), size, (CANVAS, CANVAS))


class ResampledTransformer(SpatialTransformer):
    """Several steps that each sample what the last one left over.

    What one step has moved out of the frame is lost to the next, and every
    step blurs. The mistake is made on purpose.
    """

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Sample once for each step."""
        return self._passes(x)[0]

    def theta(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 2 3"]:
        """Compose the matrices of the steps."""
        return self.frames(x)[-1]

    def frames(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> list[Float[Tensor, "batch 2 3"]]:
        """Matrix from what each step samples to the map."""
        return self._passes(x)[1]

    def _passes(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        size = (x.shape[2], x.shape[3])
        whole = torch.eye(2, 3).to(x).expand(len(x), 2, 3)
        frames = []
        for step in range(self.steps):
            numbers = self.localization(x)
            theta = self.transform.matrix(numbers, size[0] / size[1])
            last = step == self.steps - 1
            x = affine_sample(x, theta, self.size or size if last else size)
            whole = compose(whole, theta)
            frames.append(whole)
        return x, frames


def _upright(p: Tensor, aspect: float) -> Float[Tensor, "batch 2 3"]:
    zoom, place = p[:, :1], p[:, 1:]
    still = torch.zeros_like(zoom)
    return similarity.matrix(torch.cat([zoom, still, place], 1), aspect)


upright = Transform(3, _upright)  # zoom and place, no angle


def wide_localization(width: int) -> Localization:
    """Build the localisation network with more channels; same layers."""
    network = Localization(1, similarity.count)
    network.features = nn.Sequential(
        nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )
    heat_maps, hidden = network.heat.out_channels, network.hidden.out_features
    network.heat = nn.Conv2d(width, heat_maps, 1)
    network.hidden = nn.Linear(width + 2 * heat_maps, hidden)
    return network


def plain_cnn(first: int, widths: tuple[int, int]) -> nn.Sequential:
    """Convolutions, then one weight for each place and channel."""
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
    """Convolutions, then the maximum of each channel over all places."""
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

VARIANTS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "still": (
        "transformer that stays still, CNN",
        partial(transformed, small_cnn, still=True),
    ),
    "cnn": ("CNN on the whole image", wide_cnn),
    "max": ("CNN, global max pooling", max_cnn),
    "stn": ("transformer, CNN", partial(transformed, small_cnn)),
    "stn-upright": (
        "transformer without an angle, CNN",
        partial(transformed, small_cnn, transform=upright),
    ),
    "stn-max": (
        "transformer, CNN with max pooling",
        partial(transformed, max_cnn),
    ),
    "max-clutter": ("in clutter: CNN, global max pooling", max_cnn),
    "stn-clutter": (
        "in clutter: transformer, CNN",
        partial(transformed, small_cnn),
    ),
    "turned-perceptron": (
        "only turned: perceptron",
        partial(perceptron, CANVAS**2, 16),
    ),
    "turned-stn-perceptron": (
        "only turned: transformer, perceptron",
        partial(
            transformed, partial(perceptron, CROP**2, 32), transform=rotation
        ),
    ),
    "turned-max": ("only turned: CNN, global max pooling", max_cnn),
    "turned-stn-max": (
        "only turned: transformer, CNN with max pooling",
        partial(transformed, max_cnn, transform=rotation),
    ),
}
STEPS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "stn": ("one step", VARIANTS["stn"][1]),
    "stn-2": ("two steps", partial(transformed, small_cnn, 2)),
    "stn-4": ("four steps", partial(transformed, small_cnn, 4)),
    "stn-wide": (
        "one step, wider localisation",
        partial(transformed, small_cnn, width=37),
    ),
    "stn-twice": (
        "two steps, sampled twice",
        partial(transformed, small_cnn, 2, kind=ResampledTransformer),
    ),
}
FRAGMENTS = 6


def scenes_of(
    variant: str, count: int, *, split: str = "train", seed: int = 0
) -> PosedDigits:
    """Return the scenes that a variant is trained and tested on.

    They are wandering digits, in clutter, or only turned, as its name says.
    """
    if variant.startswith("turned"):
        return PosedDigits(
            count,
            turn=90.0,
            sides=(28.0, 28.0),
            centred=True,
            split=split,
            seed=seed,
        )
    pieces = FRAGMENTS if variant.endswith("clutter") else 0
    return PosedDigits(count, fragments=pieces, split=split, seed=seed)


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
        zoom and place, ``zoom_r``, ``x_r`` and ``y_r``; ``angle_error``
        and ``angle_before``, mean distance from upright in degrees, with
        the transformation and without; ``hit``, share of crops centred
        inside the digit's box.
    """
    left = angle(compose(pose, theta))
    turned = (left - left.median() + 180) % 360 - 180
    predicted, applied = angle(theta), -angle(pose)
    centre = (pose[:, :, :2] @ theta[:, :, 2:] + pose[:, :, 2:]).abs()
    place = -torch.linalg.solve(pose[:, :, :2], pose[:, :, 2])
    return {
        "angle_r": _correlation(predicted, applied),
        "zoom_r": _correlation(_zoom(theta), 1 / _zoom(pose)),
        "x_r": _correlation(theta[:, 0, 2], place[:, 0]),
        "y_r": _correlation(theta[:, 1, 2], place[:, 1]),
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


class Told(nn.Module):
    """Stands for a transformer, with the transformation changed.

    ``change`` maps the predicted matrices to those that are used.
    """

    def __init__(
        self,
        transformer: SpatialTransformer,
        change: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.change = change

    def theta(
        self, x: Float[Tensor, "batch 1 40 40"]
    ) -> Float[Tensor, "batch 2 3"]:
        """Return the changed matrix."""
        return self.change(self.transformer.theta(x))

    def forward(
        self, x: Float[Tensor, "batch 1 40 40"]
    ) -> Float[Tensor, "batch 1 20 20"]:
        """Crop along the changed matrix."""
        return affine_sample(x, self.theta(x), (CROP, CROP))


def whole_image(
    theta: Float[Tensor, "batch 2 3"],
) -> Float[Tensor, "batch 2 3"]:
    """Replace each transformation by the identity."""
    return torch.eye(2, 3).to(theta).expand_as(theta)


def others(
    theta: Float[Tensor, "batch 2 3"],
) -> Float[Tensor, "batch 2 3"]:
    """Give each image the transformation of the next one."""
    return theta.roll(1, 0)


def not_turned(
    theta: Float[Tensor, "batch 2 3"],
) -> Float[Tensor, "batch 2 3"]:
    """Keep zoom and place, and read upright."""
    zoom = theta[:, :, 0].norm(dim=1)[:, None, None]
    return torch.cat([zoom * whole_image(theta)[:, :, :2], theta[:, :, 2:]], 2)


def told(model: Crop, change: Callable[[Tensor], Tensor]) -> Crop:
    """Return a copy of the model that reads where it is told."""
    changed = deepcopy(model)
    instead = Told(changed.transformer, change)
    changed.transformer = instead  # type: ignore[assignment]
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


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it, its transformation, and changes of that."""
    torch.manual_seed(seed)
    model = (VARIANTS | STEPS)[variant][1]()
    budget.fit(model, scenes_of(variant, budget.scenes, seed=seed), seed=seed)
    test, pose = scenes_of(
        variant, budget.test_scenes, split="test"
    ).draw_posed()
    metrics = evaluate(model, test)
    if not isinstance(model, Crop):
        return {"accuracy": metrics["accuracy"]}
    with torch.no_grad():
        frames = frames_of(model, test.images)
        metrics |= undone(frames[-1], pose)
        metrics["lost"] = lost(frames, test.images)
    if model.still:
        return metrics
    metrics |= by_displacement(model, test, pose)
    for name, change in [
        ("drop_whole", whole_image),
        ("drop_others", others),
        ("drop_not_turned", not_turned),
    ]:
        changed = evaluate(told(model, change), test)
        metrics[name] = metrics["accuracy"] - changed["accuracy"]
    return metrics
