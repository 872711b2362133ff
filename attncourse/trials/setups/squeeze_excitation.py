"""Do channel gates help, do they follow the cue, and which gates do?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import (
    EfficientChannelAttention,
    SoftmaxChannelAttention,
    SqueezeExcitation,
)
from attncourse.data import CuedTextures, Scenes
from attncourse.models import AttentionCNN, AveragePooling2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.runs import Variant

CHANNELS = 24


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
