"""Do both gates of CBAM help, does their order, and do they find the digit?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import CBAM, ChannelGate, SpatialGate
from attncourse.bugs.cbam import SpatialGateOfTheInput
from attncourse.data import ClutteredDigits, Scenes
from attncourse.metrics import mass_inside
from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d
from attncourse.models.gating import GatedAverage
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import drops, shuffled_map, uniform_map
from attncourse.trials.runs import Variant

CHANNELS = 32
REDUCTION = 4

scenes = partial(ClutteredDigits, size=48, fragments=6)

Replace = Callable[[Tensor], Tensor]


class ReplacedGates(nn.Module):
    """A gated average that uses other gates than those it computes.

    Parameters
    ----------
    pooling
        The trained pooling.
    channel, spatial
        Functions from a gate to the gate used instead.
    """

    def __init__(
        self,
        pooling: GatedAverage,
        *,
        channel: Replace | None = None,
        spatial: Replace | None = None,
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.channel = channel
        self.spatial = spatial

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Average the map behind the replaced gates."""
        channel, spatial = self.pooling.both(x)
        if self.channel is not None:
            channel = self.channel(channel)
        if self.spatial is not None:
            spatial = self.spatial(spatial)
        return (x * channel[..., None, None] * spatial).mean((2, 3))


def batch_mean(gates: Tensor) -> Tensor:
    """Give every image the mean gate of the batch."""
    return gates.mean(0, keepdim=True).expand_as(gates)


def shuffled_channels(
    gates: Float[Tensor, "batch channels"],
) -> Float[Tensor, "batch channels"]:
    """Put the gates of each image on other channels, by a fixed seed."""
    return shuffled_map(gates[:, None, None])[:, 0, 0]


def with_gates_replaced(
    model: AttentionCNN,
    *,
    channel: Replace | None = None,
    spatial: Replace | None = None,
) -> AttentionCNN:
    """Return a copy of the model that averages behind the replaced gates."""
    changed = deepcopy(model)
    assert isinstance(changed.pooling, GatedAverage)
    changed.pooling = ReplacedGates(
        changed.pooling, channel=channel, spatial=spatial
    )
    return changed


@torch.no_grad()
def mass_of_the_signal(
    model: AttentionCNN, shown: Scenes
) -> tuple[float, float]:
    """Share of the features on the digit, before and behind the gates.

    The size of the features of a position is the sum over its channels; they
    come from a ReLU and are not negative. This asks what reaches the
    average, so a gate that is open where there is nothing does no harm.
    """
    assert shown.masks is not None
    assert isinstance(model.pooling, GatedAverage)
    maps = model.features(shown.images)
    channel, spatial = model.pooling.both(maps)
    gated = maps * channel[..., None, None] * spatial
    before, behind = (
        mass_inside(each.sum(1, keepdim=True), shown.masks).mean().item()
        for each in (maps, gated)
    )
    return before, behind


def network(
    pooling: Callable[[], nn.Module], last: int = CHANNELS
) -> AttentionCNN:
    """Build the network; variants of one width start from the same trunk."""
    model = AttentionCNN(widths=(8, 16, 32, last))
    model.pooling = pooling()
    return model


def gated(gate: Callable[[], nn.Module]) -> Callable[[], AttentionCNN]:
    """Return what builds the network with a gate before its average."""
    return partial(network, lambda: GatedAverage(gate()))


def around_the_gates(
    model: AttentionCNN, shown: Scenes, accuracy: float
) -> dict[str, float]:
    """Score the signal on the digit, and what each gate is worth."""
    before, behind = mass_of_the_signal(model, shown)
    changed: dict[str, dict[str, Replace]] = {
        "channel_shuffled": {"channel": shuffled_channels},
        "channel_constant": {"channel": batch_mean},
        "spatial_shuffled": {"spatial": shuffled_map},
        "spatial_flat": {"spatial": uniform_map},
    }
    models = {
        name: with_gates_replaced(model, **replace)
        for name, replace in changed.items()
    }
    signal = {"signal_before": before, "signal": behind}
    return signal | drops(accuracy, shown, models)


def _gated(label: str, gate: Callable[[], nn.Module]) -> Variant:
    return Variant(label, gated(gate), score=around_the_gates)


VARIANTS = {
    "average": Variant("global average", partial(network, AveragePooling2d)),
    "wider": Variant(
        "global average, two channels more",
        partial(network, AveragePooling2d, CHANNELS + 2),
    ),
    "max": Variant("global max", partial(network, MaxPooling2d)),
    "channel": _gated(
        "channel gate alone", partial(ChannelGate, CHANNELS, REDUCTION)
    ),
    "spatial": _gated("spatial gate alone", SpatialGate),
    "cbam": _gated(
        "CBAM: channels, then positions", partial(CBAM, CHANNELS, REDUCTION)
    ),
    "spatial_first": _gated(
        "positions, then channels",
        partial(CBAM, CHANNELS, REDUCTION, spatial_first=True),
    ),
    "parallel": _gated(
        "both gates of the input (wrong)",
        partial(SpatialGateOfTheInput, CHANNELS, REDUCTION),
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant and score it, its map, and what replaces its gates."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    test = scenes(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test)
    return metrics | chosen.score(model, test, metrics["accuracy"])
