"""Do gates on the channels move what a network sees onto the digit?

A gate of squeeze-and-excitation is one number for a whole channel. It can
still change where the energy of a map lies, by closing the channels that
answer to the clutter and leaving those that answer to the digit open. The
energy of a position is the sum of its squared features over the channels.

The comparison that decides is made within one network: the share of the
energy on the digit behind the gates, minus the share in front of them. All
else is then equal, and what the gates find must show in that one step. The
features in front learn to live with the gates, though, so that a further
comparison, with the energy of a wider network without gates, asks what
adding them does in all.

Behind the last map, gates of squeeze-and-excitation tend to end wide open,
since larger features make surer logits. An open gate finds nothing and says
little about the idea. The variant that decides therefore normalises the pooled
vector, which makes its size free; then the gates stay between the extremes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention import (
    CBAM,
    AdditivePooling2d,
    Attended,
    CBAMWeights,
    ChannelGate,
    SpatialGate,
    SqueezeExcitation,
)
from attncourse.data import ClutteredDigits, Scenes
from attncourse.metrics import mass_inside
from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import ClassActivation, activation_scores
from attncourse.trials.runs import Variant

CHANNELS = 32
REDUCTION = 4
CANVAS = 48

scenes = partial(ClutteredDigits, size=CANVAS, fragments=6)


def energy(
    maps: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch 1 height width"]:
    """Sum of the squared features of each position."""
    return maps.square().sum(1, keepdim=True)


class EnergyMap(nn.Module):
    """The network with the energy of its last map instead of its map.

    The gates belong to `features`, so this is the energy behind them.
    """

    def __init__(self, model: AttentionCNN) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.model(images)

    def attend(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the energy of each position."""
        maps = self.model.features(images)
        logits = self.model.classifier(self.model.pooling(maps))
        return Attended(logits, energy(maps))


def network(
    pooling: Callable[[], nn.Module] = AveragePooling2d,
    *,
    last: int = CHANNELS,
    gate: Callable[[], nn.Module] | None = None,
) -> AttentionCNN:
    """Build the network, with a gate behind its last map if one is given.

    All variants with as many channels start from the same convolutions.
    """
    model = AttentionCNN(widths=(8, 16, 32, last))
    model.pooling = pooling()
    if gate is not None:
        model.features.append(gate())
    return model


class NormalisedAverage(nn.Sequential):
    """Average pooling whose output is normalised over the batch."""

    def __init__(self) -> None:
        super().__init__(AveragePooling2d(), nn.BatchNorm1d(CHANNELS))


def gated_everywhere() -> AttentionCNN:
    """Build the network with squeeze-and-excitation behind each ReLU."""
    model = network()
    layers: list[nn.Module] = []
    for layer in model.features:
        layers.append(layer)
        if isinstance(layer, nn.BatchNorm2d):
            channels = layer.num_features
        if isinstance(layer, nn.ReLU):
            layers.append(SqueezeExcitation(channels, REDUCTION))
    model.features = nn.Sequential(*layers)
    return model


@torch.no_grad()
def around_the_gates(model: AttentionCNN, shown: Scenes) -> dict[str, float]:
    """Share of the energy on the digit, in front of the last gates and so on.

    `mass_fixed` has each channel gate replaced by its mean over all scenes,
    and `mass_best` is the most that gates on the channels could reach in
    each scene if they knew the mask. `gate_mean` and `gate_spread`,
    the standard deviation over the scenes, tell whether the channel gates
    move at all. `mass_gate` is the mass of the spatial gate itself.
    """
    assert shown.masks is not None
    trunk: nn.Module = model.features[:-1]
    gate: Any = model.features[-1]
    maps = torch.cat([trunk(part) for part in shown.images.split(250)])
    _, weights = gate.attend(maps)
    found = {"mass_before": energy(maps)}
    metrics = {"mass_best": best_channel(maps, shown.masks)}
    if isinstance(weights, CBAMWeights):
        weights = weights.spatial
    if weights.ndim == 4:
        found["mass_gate"] = weights
    else:
        found["mass_fixed"] = energy(maps * weights.mean(0)[:, None, None])
        metrics["gate_mean"] = weights.mean().item()
        metrics["gate_spread"] = weights.std(0).mean().item()
    for name, each in found.items():
        metrics[name] = mass_inside(each, shown.masks).mean().item()
    return metrics


def best_channel(
    maps: Float[Tensor, "count channels rows columns"],
    masks: Bool[Tensor, "count 1 height width"],
) -> float:
    """Mass of the energy of the best channel, mean over the scenes.

    Gates weigh the channels, and a weighted mean of their shares is at most
    the largest share. Channels without energy do not count.
    """
    shares = []
    for channel in maps.split(1, dim=1):
        alive = energy(channel).sum((1, 2, 3)) > 0
        share = torch.zeros(len(maps))
        share[alive] = mass_inside(energy(channel[alive]), masks[alive])
        shares.append(share)
    return torch.stack(shares).amax(0).mean().item()


Judge = Callable[[AttentionCNN], nn.Module]


@dataclass(frozen=True)
class JudgedVariant(Variant):
    """A variant, and what gives the network the map it is judged by."""

    judge: Judge = EnergyMap


def activation(
    model: AttentionCNN, shown: Scenes, _: float
) -> dict[str, float]:
    """Score the class activation map."""
    return activation_scores(model, shown)


def gain(model: AttentionCNN, shown: Scenes, mass: float) -> dict[str, float]:
    """What the gates do, and what mass they add to that in front of them."""
    found = around_the_gates(model, shown)
    return found | {"gained_mass": mass - found["mass_before"]}


def gain_and_activation(
    model: AttentionCNN, shown: Scenes, mass: float
) -> dict[str, float]:
    """Both of the above."""
    return gain(model, shown, mass) | activation_scores(model, shown)


def _gated(label: str, build: Callable[[], AttentionCNN]) -> JudgedVariant:
    return JudgedVariant(label, build, score=gain_and_activation)


squeeze = partial(SqueezeExcitation, CHANNELS, REDUCTION)
VARIANTS = {
    "wider": JudgedVariant(
        "global average, two channels more",
        partial(network, last=CHANNELS + 2),
        score=activation,
    ),
    "max": JudgedVariant(
        "global max",
        partial(network, MaxPooling2d),
        score=activation,
        judge=ClassActivation,
    ),
    "se": _gated("squeeze-and-excitation", partial(network, gate=squeeze)),
    "se+norm": JudgedVariant(
        "squeeze-and-excitation, normalised average",
        partial(network, NormalisedAverage, gate=squeeze),
        score=gain,
    ),
    "se-everywhere": _gated(
        "squeeze-and-excitation behind each convolution", gated_everywhere
    ),
    "channel": _gated(
        "CBAM's channel gate alone",
        partial(network, gate=partial(ChannelGate, CHANNELS, REDUCTION)),
    ),
    "spatial": _gated(
        "CBAM's spatial gate alone", partial(network, gate=SpatialGate)
    ),
    "cbam": _gated(
        "CBAM: channels, then positions",
        partial(network, gate=partial(CBAM, CHANNELS, REDUCTION)),
    ),
    "additive": JudgedVariant(
        "additive attention",
        partial(network, partial(AdditivePooling2d, CHANNELS)),
        judge=lambda model: model,
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score its map, and what its gates do to it."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    assert isinstance(model, AttentionCNN)
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    test = scenes(budget.test_scenes, split="test").draw()
    metrics = evaluate(chosen.judge(model), test)
    return metrics | chosen.score(model, test, metrics["mass"])
