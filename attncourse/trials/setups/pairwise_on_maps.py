"""Does a block of self-attention help convolutions to compare two places?"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import NonLocal2d, SelfAttention2d
from attncourse.bugs.pairwise_maps import SoftmaxOverQueries2d
from attncourse.data import Scenes, TwoDigits
from attncourse.metrics import cost
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.setups.same_different import (
    DIM,
    CellEncoder,
    Comparison,
    ResidualConvolutions,
    digit_cells,
    near_and_far,
    partner_scores,
    partner_weights,
    trained_encoder,
)
from attncourse.watching import watch

OnMap = Callable[[], nn.Module]


class EqualWeights2d(SelfAttention2d):
    """The layer of SAGAN, but each place reads the mean of all places."""

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        **_: bool,
    ) -> Float[Tensor, "batch channels height width"]:
        """Add the mean value to every place, times gamma."""
        value = self.project(x)[:, -x.shape[1] :].flatten(2).mT
        mean = value.mean(1, keepdim=True).expand_as(value)
        return self._add(x, mean.unsqueeze(1))


class ConvolvedValues2d(nn.Module):
    """Values and gamma as in SAGAN's layer, gathered from 3 x 3 neighbours.

    The weights of the neighbours are learned, one set for each channel, and
    are the same for every place and image. The kernels have about as many
    numbers as the query and the key that they replace.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Conv2d(DIM, DIM, 1)
        self.gather = nn.Conv2d(DIM, DIM, 3, padding=1, groups=DIM, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add to every place what its neighbours give, times gamma."""
        gathered: Tensor = self.gather(self.value(x))
        return x + self.gamma * gathered


def open_from_the_start() -> SelfAttention2d:
    """Build the layer with gamma at one."""
    layer = SelfAttention2d(DIM)
    nn.init.ones_(layer.gamma)
    return layer


def three_stages() -> ResidualConvolutions:
    """Build six 3 x 3 convolutions in three residual blocks."""
    trunk = ResidualConvolutions()
    trunk.blocks.append(ResidualConvolutions().blocks[0])
    return trunk


class ConvolutionsWith(nn.Module):
    """Residual convolutions with a layer behind each of their stages.

    Parameters
    ----------
    trunk
        The convolutions.
    after
        One layer for each stage, or None.
    """

    def __init__(
        self, trunk: ResidualConvolutions, after: Sequence[OnMap | None]
    ) -> None:
        super().__init__()
        self.blocks = trunk.blocks
        self.attention = nn.ModuleList(
            nn.Identity() if layer is None else layer() for layer in after
        )

    def forward(
        self, x: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch dim rows columns"]:
        """Convolve, then attend, stage by stage."""
        for block, attention in zip(self.blocks, self.attention, strict=True):
            x = attention(F.relu(x + block(x)))
        return x


SAGAN = partial(SelfAttention2d, DIM)
NON_LOCAL = partial(NonLocal2d, DIM)
LAYERS: dict[str, tuple[str, Sequence[OnMap | None]]] = {
    "none": ("convolutions alone", (None, None, None)),
    "convolution": (
        "one more convolution instead",
        (ConvolvedValues2d, None, None),
    ),
    "uniform": ("equal weights", (partial(EqualWeights2d, DIM), None, None)),
    "sagan": ("SAGAN block after stage 1", (SAGAN, None, None)),
    "sagan-2": ("after stage 2", (None, SAGAN, None)),
    "sagan-3": ("after stage 3", (None, None, SAGAN)),
    "sagan-every": ("after every stage", (SAGAN, SAGAN, SAGAN)),
    "sagan-open": (
        "after stage 1, gamma starts at 1",
        (open_from_the_start, None, None),
    ),
    "non-local": ("non-local block after stage 1", (NON_LOCAL, None, None)),
    "non-local-every": (
        "non-local after every stage",
        (NON_LOCAL, NON_LOCAL, NON_LOCAL),
    ),
    "queries": (
        "softmax over the queries (wrong)",
        (partial(SoftmaxOverQueries2d, DIM), None, None),
    ),
}


def build(variant: str, encoder: nn.Module | None = None) -> Comparison:
    """Build the network of a variant; all variants of a seed share their trunk."""
    encoder = encoder or CellEncoder()
    trunk = three_stages()
    model = Comparison(lambda: trunk, encoder)
    model.mixer = ConvolutionsWith(trunk, LAYERS[variant][1])
    return model


def pairwise_layers(model: nn.Module) -> list[SelfAttention2d | NonLocal2d]:
    """Return all layers that attend from place to place."""
    kinds = SelfAttention2d | NonLocal2d
    return [layer for layer in model.modules() if isinstance(layer, kinds)]


Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def equal_weights(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Give every pair the same score."""
    return torch.zeros_like(query), key


def shuffled_keys(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Put the keys of a map on other places, drawn by a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(key[0, 0].numel(), generator=generator)
    return query, key.flatten(2)[..., order].view_as(key)


def with_changed(model: Comparison, change: Change) -> Comparison:
    """Copy a model and change query and key of all its pairwise layers."""
    changed = deepcopy(model)
    for layer in pairwise_layers(changed):
        hook = partial(_change, change, _width(layer))
        layer.project.register_forward_hook(hook)
    return changed


def _width(layer: SelfAttention2d | NonLocal2d) -> int:
    """Channels of the query and of the key."""
    if isinstance(layer, SelfAttention2d):
        return layer.widths[0]
    return layer.project.out_channels // 3


def _change(
    change: Change,
    width: int,
    _module: nn.Module,
    _given: object,
    projected: Tensor,
) -> Tensor:
    query, key, value = projected.tensor_split([width, 2 * width], 1)
    return torch.cat([*change(query, key), value], 1)


def gates(model: nn.Module) -> list[float]:
    """How far each added layer has opened.

    That is gamma, or the mean size of the normalisation's scale.
    """
    added = NonLocal2d | SelfAttention2d | ConvolvedValues2d
    return [
        layer.norm.weight.abs().mean().item()
        if isinstance(layer, NonLocal2d)
        else layer.gamma.item()
        for layer in model.modules()
        if isinstance(layer, added)
    ]


def rows_of_partners(
    model: Comparison, scenes: Scenes
) -> Float[Tensor, "scenes 2 cells"]:
    """Where the digits look; zeros where a digit looks at itself alone."""
    return partner_weights(model, scenes).nan_to_num(0)


@torch.no_grad()
def own_weight(model: Comparison, scenes: Scenes) -> float:
    """Share of its weight that a digit's cell gives to itself."""
    with watch(model) as maps:
        model(scenes.images)
    weights = next(iter(maps.values())).mean(1)
    shares = (weights / weights.sum(2, keepdim=True)).diagonal(0, 1, 2)
    return shares.gather(1, digit_cells(scenes)).mean().item()


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant and score it, and what its first map is worth.

    `peak_mib` is the most memory that a step of training holds at once,
    beyond the parameters; `gate` is that of the widest open layer.
    """
    encoder = deepcopy(trained_encoder(seed))
    torch.manual_seed(seed)
    model = build(variant, encoder)
    budget.fit(model, TwoDigits(budget.scenes, seed=seed), seed=seed)
    test = TwoDigits(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test) | near_and_far(model, test)
    batch = test.images[: budget.batch_size]
    spent = cost(model, batch, backward=True, repeats=1)
    metrics["peak_mib"] = spent.peak_mib
    if variant != "none":
        metrics["gate"] = max(gates(model), key=abs)
    if variant not in ("none", "convolution", "uniform"):
        metrics |= partner_scores(rows_of_partners(model, test), test)
        metrics["own_weight"] = own_weight(model, test)
        for name, change in {
            "drop_uniform": equal_weights,
            "drop_shuffled": shuffled_keys,
        }.items():
            left = evaluate(with_changed(model, change), test)["accuracy"]
            metrics[name] = metrics["accuracy"] - left
    return metrics
