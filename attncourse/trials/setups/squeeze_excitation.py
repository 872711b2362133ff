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
from attncourse.models.gating import (
    ConstantGate,
    GatedAverage,
    HiddenAverage,
    LinearGate,
)
from attncourse.trials.budget import Budget
from attncourse.trials.runs import Variant
from attncourse.trials.scores import Scores, score

CHANNELS = 24


def frozen(channels: int, reduction: int) -> SqueezeExcitation:
    """Squeeze-and-excitation whose two layers stay as they were drawn."""
    gate = SqueezeExcitation(channels, reduction)
    return gate.requires_grad_(False)


def network(
    pooling: Callable[[], nn.Module],
    width: int = CHANNELS,
    *,
    first: tuple[int, int] = (12, 24),
) -> AttentionCNN:
    """Build the network; all variants of a seed start from the same trunk.

    A unit of its last map sees 15 x 15 pixels: never a dot and the texture.
    Its layers have the widths `first` and `width`.
    """
    model = AttentionCNN(3, in_channels=3, widths=(*first, width))
    model.pooling = pooling()
    return model


def gated(gate: Callable[[], nn.Module]) -> Callable[[], AttentionCNN]:
    """Return what builds the network with gates before its average."""
    return partial(network, lambda: GatedAverage(gate()))


@torch.no_grad()
def pooled_and_gates(
    model: AttentionCNN, images: Float[Tensor, "count 3 height width"]
) -> tuple[Float[Tensor, "count channels"], Float[Tensor, "count channels"]]:
    """Average of the last map before the gates, and the gates.

    A gate is one number for all positions, so that their product is the
    average of the gated map.
    """
    pooled, gates = [], []
    gate = model.pooling.gate
    for part in images.split(500):
        maps = model.features(part)
        weights = gate.attend(maps).weights
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


def _gated(label: str, gate: Callable[[], nn.Module]) -> Variant:
    return Variant(label, gated(gate), score=intervene)


linear = partial(LinearGate, CHANNELS)
softmax = partial(SoftmaxChannelAttention, CHANNELS)
VARIANTS = {
    "plain": Variant("no gates", partial(network, AveragePooling2d)),
    "wider": Variant(
        "no gates, wider", partial(network, AveragePooling2d, width=27)
    ),
    "double": Variant(
        "no gates, twice the width",
        partial(network, AveragePooling2d, width=48, first=(24, 48)),
    ),
    "hidden": Variant(
        "no gates, a hidden layer",
        partial(network, partial(HiddenAverage, CHANNELS)),
    ),
    "constant": Variant(
        "one trained gate for all images",
        gated(partial(ConstantGate, CHANNELS)),
    ),
    "frozen": _gated(
        "random gates, not trained", partial(frozen, CHANNELS, reduction=2)
    ),
    "se": _gated(
        "squeeze-and-excitation",
        partial(SqueezeExcitation, CHANNELS, reduction=2),
    ),
    "eca": _gated(
        "efficient channel attention",
        partial(EfficientChannelAttention, CHANNELS),
    ),
    "sigmoid": _gated(
        "sigmoid gates, one layer", partial(linear, torch.sigmoid)
    ),
    "softmax-raw": _gated("softmax gates as printed", softmax),
    "softmax": _gated(
        "softmax gates, times C", partial(softmax, rescale=True)
    ),
    "tanh": _gated("tanh gates, one layer", partial(linear, torch.tanh)),
}


def run(variant: str, seed: int, budget: Budget) -> Scores:
    """Train one variant; score it, its gates, and what replaces the gates.

    `gradient` is that of the trunk before the first step.
    """
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    assert isinstance(model, AttentionCNN)
    first = CuedTextures(4 * budget.batch_size, seed=seed).draw()
    gradient = first_gradient(model, first)
    training = CuedTextures(budget.scenes, seed=seed)
    history = budget.fit(model, training, seed=seed)
    scenes = CuedTextures(budget.test_scenes, split=budget.split, seed=seed)
    scores = score(model, scenes.draw(), history=history)
    return scores | {"gradient": gradient} | chosen.score(model, scenes)
