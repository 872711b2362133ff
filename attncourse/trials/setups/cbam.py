"""Do both gates of CBAM help, does their order, and do they find the digit?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import CBAM, CBAMWeights, ChannelGate, SpatialGate
from attncourse.bugs.cbam import SpatialGateOfTheInput
from attncourse.data import ClutteredDigits, Scenes
from attncourse.metrics import mass_inside
from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import shuffled_map, uniform_map
from attncourse.trials.runs import Variant

CHANNELS = 32
REDUCTION = 4

scenes = partial(ClutteredDigits, size=48, fragments=6)

Replace = Callable[[Tensor], Tensor]


class GatedAverage(nn.Module):
    r"""Gate the map, then average its places.

    .. math:: y_c = \frac{1}{hw} \sum_i M_c \, M_i \, x_{ci}

    Its map is the gate of the places; without one it is flat.

    Parameters
    ----------
    gates
        Module from a map to a map of the same shape that multiplies it by
        gates and takes ``return_weights``.
    """

    def __init__(self, gates: nn.Module) -> None:
        super().__init__()
        self.gates = gates

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels"]
        | tuple[
            Float[Tensor, "batch channels"],
            Float[Tensor, "batch 1 height width"],
        ]
    ):
        """Pool; the weights are the gate of the places."""
        pooled: Tensor = self.gates(x).mean((2, 3))
        return (pooled, self.both(x).spatial) if return_weights else pooled

    def both(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> CBAMWeights:
        """Both gates; one that is not there is one everywhere."""
        if isinstance(self.gates, SpatialGateOfTheInput):
            _, channel = self.gates.channel(x, return_weights=True)
            _, spatial = self.gates.spatial(x, return_weights=True)
            return CBAMWeights(channel, spatial)
        _, weights = self.gates(x, return_weights=True)
        if isinstance(weights, CBAMWeights):
            return weights
        if weights.ndim == 2:
            return CBAMWeights(weights, torch.ones_like(x[:, :1]))
        return CBAMWeights(torch.ones_like(x[:, :, 0, 0]), weights)


class ReplacedGates(nn.Module):
    """A gated average that uses other gates than those it computes.

    Parameters
    ----------
    pooling
        The trained pooling.
    channel, spatial
        Functions from a gate to the gate used in its place.
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

    The size of the features of a place is the sum over its channels; they
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


def gated(gates: Callable[[], nn.Module]) -> Callable[[], AttentionCNN]:
    """Return what builds the network with gates before its average."""
    return partial(network, partial(_gated_average, gates))


def _gated_average(gates: Callable[[], nn.Module]) -> GatedAverage:
    return GatedAverage(gates())


VARIANTS = {
    "average": Variant("global average", partial(network, AveragePooling2d)),
    "wider": Variant(
        "global average, two channels more",
        partial(network, AveragePooling2d, CHANNELS + 2),
    ),
    "max": Variant("global max", partial(network, MaxPooling2d)),
    "channel": Variant(
        "channel gate alone", gated(partial(ChannelGate, CHANNELS, REDUCTION))
    ),
    "spatial": Variant("spatial gate alone", gated(SpatialGate)),
    "cbam": Variant(
        "CBAM: channels, then places",
        gated(partial(CBAM, CHANNELS, REDUCTION)),
    ),
    "spatial_first": Variant(
        "places, then channels",
        gated(partial(CBAM, CHANNELS, REDUCTION, spatial_first=True)),
    ),
    "parallel": Variant(
        "both gates of the input (wrong)",
        gated(partial(SpatialGateOfTheInput, CHANNELS, REDUCTION)),
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant and score it, its map, and what replaces its gates."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    assert isinstance(model, AttentionCNN)
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    test = scenes(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test)
    if isinstance(model.pooling, GatedAverage):
        metrics["signal_before"], metrics["signal"] = mass_of_the_signal(
            model, test
        )
        metrics |= drops(model, test, metrics["accuracy"])
    return metrics


def drops(
    model: AttentionCNN, shown: Scenes, accuracy: float
) -> dict[str, float]:
    """Accuracy lost when one gate is replaced and all else stays."""
    changed: dict[str, dict[str, Replace]] = {
        "channel_shuffled": {"channel": shuffled_channels},
        "channel_constant": {"channel": batch_mean},
        "spatial_shuffled": {"spatial": shuffled_map},
        "spatial_flat": {"spatial": uniform_map},
    }
    unmasked = shown._replace(masks=None)
    found = {}
    for name, replace in changed.items():
        other = with_gates_replaced(model, **replace)
        left = evaluate(other, unmasked)["accuracy"]
        found[f"drop_{name}"] = accuracy - left
    return found
