"""Do channel gates help, do they follow the cue, and which gates do?"""

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import (
    EfficientChannelAttention,
    SoftmaxChannelAttention,
    SqueezeExcitation,
)
from attncourse.data import Scenes, photo
from attncourse.models import AttentionCNN, AveragePooling2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.runs import Variant

TEXTURES = ("brick", "grass", "gravel")
TINTS = {
    "orange": (0.95, 0.65, 0.2),
    "blue": (0.35, 0.7, 0.95),
    "pink": (0.95, 0.5, 0.75),
}
CUES = ("white", "black")
SIDE, LEFT, DOT = 32, 24, 4
CHANNELS = 24


class Factors(NamedTuple):
    """What a scene was made of; cue 0 asks for the texture, 1 for the tint."""

    cue: Int64[Tensor, " count"]
    texture: Int64[Tensor, " count"]
    tint: Int64[Tensor, " count"]


class CuedTextures:
    """A tinted texture at the right, and a dot at the left that asks.

    A white dot asks for the texture, a black one for the tint; both have
    three classes, so one answer out of three is right. Textures are pieces
    of photographs, training pieces from the upper 60 % and test pieces from
    the lower 40 %. Between dot and texture lie 19 columns of plain grey.

    Parameters
    ----------
    count
        Scenes in one epoch.
    split
        ``"train"`` or ``"test"``.
    seed
        Two seeds give two unrelated sequences of epochs.

    Raises
    ------
    ValueError
        If ``split`` is neither of the two.
    """

    def __init__(
        self, count: int, *, split: str = "train", seed: int = 0
    ) -> None:
        if split not in ("train", "test"):
            raise ValueError(f"split must be train or test, got {split!r}")
        self.count, self.split, self.seed = count, split, seed

    def draw(self, epoch: int = 0, *, other_cue: bool = False) -> Scenes:
        """Draw an epoch; ``other_cue`` swaps the dots and nothing else.

        Returns
        -------
        Scenes
            images (count, 3, 32, 56), labels 0 to 2, no masks.
        """
        cue, texture, tint = self.factors(epoch)
        if other_cue:
            cue = 1 - cue
        rng = self._rng(epoch, 1)
        sources = _textures(self.split)
        shape = sources.shape[1] - SIDE + 1, sources.shape[2] - SIDE + 1
        top = rng.integers(shape[0], size=(self.count, 1, 1))
        left = rng.integers(shape[1], size=(self.count, 1, 1))
        steps = np.arange(SIDE)
        crops = sources[
            texture[:, None, None], top + steps[:, None], left + steps
        ]
        colours = torch.tensor(list(TINTS.values()))[tint]
        light = torch.from_numpy(rng.uniform(0.8, 1.05, self.count)).float()
        tinted = crops[:, None] * (light[:, None] * colours)[..., None, None]
        images = torch.full((self.count, 3, SIDE, LEFT + SIDE), 0.5)
        images[..., LEFT:] = tinted.clamp(0, 1)
        down = torch.from_numpy(rng.integers(SIDE - DOT + 1, size=self.count))
        dot = (torch.arange(SIDE) - down[:, None]).clamp(0, DOT - 1)
        inside = dot == torch.arange(SIDE) - down[:, None]
        colour = (1.0 - cue.float())[:, None, None, None]
        column = torch.where(inside[:, None, :, None], colour, 0.5)
        images[..., 1 : 1 + DOT] = column
        return Scenes(images, torch.where(cue == 0, texture, tint), None)

    def factors(self, epoch: int = 0) -> Factors:
        """What the scenes of an epoch are made of."""
        rng = self._rng(epoch, 0)
        drawn = (rng.integers(n, size=self.count) for n in (2, 3, 3))
        return Factors(*(torch.from_numpy(each) for each in drawn))

    def _rng(self, epoch: int, part: int) -> np.random.Generator:
        split = int(self.split == "test")
        return np.random.default_rng([self.seed, epoch, split, part])


@lru_cache(2)
def _textures(split: str) -> Float[Tensor, "3 height width"]:
    """Photographs at half their size, brought to one mean and contrast."""
    kept = []
    for name in TEXTURES:
        grey = F.avg_pool2d(photo(name)[:1], 2)[0]
        cut = round(0.6 * len(grey))
        part = grey[:cut] if split == "train" else grey[cut:]
        kept.append(0.55 + 0.2 * (part - part.mean()) / part.std())
    return torch.stack(kept).clamp(0, 1)


class GatedAverage(nn.Module):
    """Gates on the channels of a map, then the average of its places."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Gate, then average."""
        gated: Tensor = self.gate(x)
        return gated.mean((2, 3))


class HiddenAverage(nn.Module):
    """The average of the places, then one hidden layer; no gates."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, channels)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Average, then the hidden layer."""
        return F.relu(self.hidden(x.mean((2, 3))))


class LinearGate(nn.Module):
    """Gates from one linear layer, as softmax gates have it.

    Parameters
    ----------
    channels
        Channels of the map.
    squash
        Function from the scores to the gates.
    """

    def __init__(
        self, channels: int, squash: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.score = nn.Linear(channels, channels)
        self.squash = squash

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels height width"]
        | tuple[
            Float[Tensor, "batch channels height width"],
            Float[Tensor, "batch channels"],
        ]
    ):
        """Multiply every channel by its gate."""
        gates = self.squash(self.score(x.mean((2, 3))))
        output = x * gates[..., None, None]
        return (output, gates) if return_weights else output


class ConstantGate(nn.Module):
    """Gates that are learned and are the same for every image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.zeros(channels))

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply every channel by its gate."""
        return x * self.score.sigmoid()[:, None, None]


def frozen(channels: int, reduction: int) -> SqueezeExcitation:
    """Squeeze-and-excitation whose two layers stay as they were drawn."""
    gate = SqueezeExcitation(channels, reduction)
    return gate.requires_grad_(False)


def network(
    pooling: Callable[[], nn.Module], width: int = CHANNELS
) -> AttentionCNN:
    """Build the network; all variants of a seed start from the same trunk.

    A unit of its last map sees 15 x 15 pixels: never a dot and the texture.
    """
    model = AttentionCNN(3, in_channels=3, widths=(12, 24, width))
    model.pooling = pooling()
    return model


def gated(gate: Callable[[], nn.Module]) -> Callable[[], AttentionCNN]:
    """Return what builds the network with gates before its average."""
    return partial(network, partial(_gated_average, gate))


def _gated_average(gate: Callable[[], nn.Module]) -> GatedAverage:
    return GatedAverage(gate())


softmax = partial(SoftmaxChannelAttention, CHANNELS)
VARIANTS = {
    "plain": Variant("no gates", partial(network, AveragePooling2d)),
    "wider": Variant(
        "no gates, wider",
        partial(network, AveragePooling2d, width=27),
    ),
    "hidden": Variant(
        "no gates, a hidden layer",
        partial(network, partial(HiddenAverage, CHANNELS)),
    ),
    "constant": Variant(
        "one trained gate for all images",
        gated(partial(ConstantGate, CHANNELS)),
    ),
    "frozen": Variant(
        "random gates, not trained",
        gated(partial(frozen, CHANNELS, reduction=2)),
    ),
    "se": Variant(
        "squeeze-and-excitation",
        gated(partial(SqueezeExcitation, CHANNELS, reduction=2)),
    ),
    "eca": Variant(
        "efficient channel attention",
        gated(partial(EfficientChannelAttention, CHANNELS)),
    ),
    "sigmoid": Variant(
        "sigmoid gates, one layer",
        gated(partial(LinearGate, CHANNELS, torch.sigmoid)),
    ),
    "softmax-raw": Variant("softmax gates as printed", gated(softmax)),
    "softmax": Variant(
        "softmax gates, times C", gated(partial(softmax, rescale=True))
    ),
    "tanh": Variant(
        "tanh gates, one layer",
        gated(partial(LinearGate, CHANNELS, torch.tanh)),
    ),
}
GATED = ("frozen", "se", "eca", "sigmoid", "softmax-raw", "softmax", "tanh")


@torch.no_grad()
def pooled_and_gates(
    model: AttentionCNN, images: Float[Tensor, "count 3 height width"]
) -> tuple[Float[Tensor, "count channels"], Float[Tensor, "count channels"]]:
    """Average of the last map before the gates, and the gates.

    A gate is one number for all places, so that their product is the
    average of the gated map.
    """
    pooled, gates = [], []
    gate = model.pooling.gate
    assert isinstance(gate, nn.Module)
    for part in images.split(500):
        maps = model.features(part)
        weights = gate(maps, return_weights=True)[1]
        pooled.append(maps.mean((2, 3)))
        gates.append(weights * getattr(gate, "factor", 1))
    return torch.cat(pooled), torch.cat(gates)


def explained(
    gates: Float[Tensor, "count channels"], groups: Int64[Tensor, " count"]
) -> float:
    """Share of the variance of the gates that lies between the groups."""
    centred = gates.double() - gates.double().mean(0)
    members = F.one_hot(groups).double()
    means = members.T @ centred / members.sum(0)[:, None]
    between = (members.sum(0)[:, None] * means.square()).sum()
    return (between / centred.square().sum()).item()


@torch.no_grad()
def intervene(model: AttentionCNN, scenes: CuedTextures) -> dict[str, float]:
    """Score the gates against the cue, and give scenes other gates.

    `kept` is the size of the averages behind the gates, as a share of that
    in front of them.
    """
    test, twins = scenes.draw(), scenes.draw(other_cue=True)
    pooled, gates = pooled_and_gates(model, test.images)
    theirs = pooled_and_gates(model, twins.images)[1]

    def answers(used: Tensor) -> Tensor:
        logits: Tensor = model.classifier(pooled * used)
        return logits.argmax(1)

    def accuracy(used: Tensor) -> float:
        return (answers(used) == test.labels).double().mean().item()

    order = torch.randperm(
        len(gates), generator=torch.Generator().manual_seed(0)
    )
    right = accuracy(gates)
    disputed = test.labels != twins.labels
    swapped = answers(theirs) == twins.labels
    return {
        **{
            f"follows_{name}": explained(gates, groups)
            for name, groups in scenes.factors()._asdict().items()
        },
        "drop_mean": right - accuracy(gates.mean(0)),
        "drop_shuffled": right - accuracy(gates[order]),
        "obeys_twin": swapped[disputed].double().mean().item(),
        "gate_mean": gates.double().mean().item(),
        "kept": ((pooled * gates).norm() / pooled.norm()).item(),
    }


def first_gradient(model: AttentionCNN, shown: Scenes) -> float:
    """Norm of the gradient that the trunk gets from these scenes.

    Taken of a copy in training mode, so that the model stays as it is.
    """
    copy = deepcopy(model).train()
    F.cross_entropy(copy(shown.images), shown.labels).backward()
    gradients = [each.grad for each in copy.features.parameters()]
    return nn.utils.get_total_norm(
        [each for each in gradients if each is not None]
    ).item()


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score it, its gates, and what replaces the gates.

    `gradient` is that of the trunk before the first step.
    """
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    assert isinstance(model, AttentionCNN)
    first = CuedTextures(4 * budget.batch_size, seed=seed).draw()
    gradient = first_gradient(model, first)
    budget.fit(model, CuedTextures(budget.scenes, seed=seed), seed=seed)
    scenes = CuedTextures(budget.test_scenes, split="test")
    metrics = evaluate(model, scenes.draw()) | {"gradient": gradient}
    if variant in GATED:
        metrics |= intervene(model, scenes)
    return metrics
