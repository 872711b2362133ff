"""Do gates on the channels move what a network sees onto the digit?

A gate of squeeze-and-excitation is one number for a whole channel. It can
still change where the energy of a map lies, by closing the channels that
answer to the clutter and leaving those that answer to the digit open. The
energy of a place is the sum of its squared features over the channels.

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
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention import (
    CBAM,
    AdditivePooling2d,
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
from attncourse.trials.maps import ClassActivation
from attncourse.trials.runs import Variant

CHANNELS = 32
REDUCTION = 4
CANVAS = 48

scenes = partial(ClutteredDigits, size=CANVAS, fragments=6)


def energy(
    maps: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch 1 height width"]:
    """Sum of the squared features of each place."""
    return maps.square().sum(1, keepdim=True)


class EnergyMap(nn.Module):
    """The network with the energy of its last map in the place of its map.

    The gates belong to `features`, so this is the energy behind them.
    """

    def __init__(self, model: AttentionCNN) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        images: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch classes"]
        | tuple[
            Float[Tensor, "batch classes"],
            Float[Tensor, "batch 1 map_height map_width"],
        ]
    ):
        """Logits, and the energy of each place."""
        maps = self.model.features(images)
        logits: Tensor = self.model.classifier(self.model.pooling(maps))
        return (logits, energy(maps)) if return_weights else logits


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


squeeze = partial(SqueezeExcitation, CHANNELS, REDUCTION)
VARIANTS = {
    "wider": Variant(
        "global average, two channels more",
        partial(network, last=CHANNELS + 2),
    ),
    "max": Variant("global max", partial(network, MaxPooling2d)),
    "se": Variant("squeeze-and-excitation", partial(network, gate=squeeze)),
    "se+norm": Variant(
        "squeeze-and-excitation, normalised average",
        partial(network, NormalisedAverage, gate=squeeze),
    ),
    "se-everywhere": Variant(
        "squeeze-and-excitation behind each convolution", gated_everywhere
    ),
    "channel": Variant(
        "CBAM's gate of the channels alone",
        partial(network, gate=partial(ChannelGate, CHANNELS, REDUCTION)),
    ),
    "spatial": Variant(
        "CBAM's gate of the places alone",
        partial(network, gate=SpatialGate),
    ),
    "cbam": Variant(
        "CBAM: channels, then places",
        partial(network, gate=partial(CBAM, CHANNELS, REDUCTION)),
    ),
    "additive": Variant(
        "additive attention",
        partial(network, partial(AdditivePooling2d, CHANNELS)),
    ),
}
GATED = ("se", "se+norm", "se-everywhere", "channel", "spatial", "cbam")


def with_its_map(variant: str, model: AttentionCNN) -> nn.Module:
    """Give a variant the map by which it is judged.

    That is the weights of additive attention, the class activation map
    behind max pooling, and the energy of the last map everywhere else.
    """
    if variant == "additive":
        return model
    return ClassActivation(model) if variant == "max" else EnergyMap(model)


@torch.no_grad()
def around_the_gates(model: AttentionCNN, shown: Scenes) -> dict[str, float]:
    """Share of the energy on the digit, in front of the last gates and so on.

    `mass_fixed` has each channel gate replaced by its mean over all scenes,
    and `mass_best` is the most that gates on the channels could reach in
    each scene if they knew the answer key. `gate_mean` and `gate_spread`,
    the standard deviation over the scenes, tell whether the channel gates
    move at all. `mass_gate` is the mass of the gate of the places itself.
    """
    assert shown.masks is not None
    trunk, gate = model.features[:-1], model.features[-1]
    maps = torch.cat([trunk(part) for part in shown.images.split(250)])
    _, weights = gate(maps, return_weights=True)
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


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score its map, and what its gates do to the energy."""
    torch.manual_seed(seed)
    model = VARIANTS[variant].build()
    assert isinstance(model, AttentionCNN)
    budget.fit(model, scenes(budget.scenes, seed=seed), seed=seed)
    test = scenes(budget.test_scenes, split="test").draw()
    metrics = evaluate(with_its_map(variant, model), test)
    if variant not in ("se+norm", "additive"):
        activation = evaluate(ClassActivation(model), test)
        metrics["cam_mass"] = activation["mass"]
        metrics["cam_pointing"] = activation["pointing"]
    if variant in GATED:
        metrics |= around_the_gates(model, test)
        metrics["gained_mass"] = metrics["mass"] - metrics["mass_before"]
    return metrics
