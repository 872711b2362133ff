"""Does a block of self-attention help convolutions to compare two cells?"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import NonLocal2d, SelfAttention2d
from attncourse.bugs.pairwise_maps import SoftmaxOverQueries2d
from attncourse.data import Scenes, TwoDigits
from attncourse.metrics import cost
from attncourse.models.comparison import (
    DIM,
    CellEncoder,
    Comparison,
    ConvolutionsWith,
    ConvolvedValues2d,
    EqualWeights2d,
    ResidualConvolutions,
)
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate
from attncourse.trials.maps import drops
from attncourse.trials.runs import Variant
from attncourse.trials.setups.same_different import (
    digit_cells,
    near_and_far,
    partner_scores,
    partner_weights,
    trained_encoder,
)
from attncourse.watching import watch

OnMap = Callable[[], nn.Module]


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


def network(
    *after: OnMap | None, encoder: nn.Module | None = None
) -> Comparison:
    """Build the network; all variants of a seed share their trunk.

    Parameters
    ----------
    after
        What stands behind each of the three stages.
    encoder
        The trained one; by default one that is not trained.
    """
    encoder = encoder or CellEncoder()
    trunk = three_stages()
    model = Comparison(lambda: trunk, encoder)
    model.mixer = ConvolutionsWith(trunk, after)
    return model


def pairwise_layers(model: nn.Module) -> list[SelfAttention2d | NonLocal2d]:
    """Return all layers that attend from position to position."""
    kinds = SelfAttention2d | NonLocal2d
    return [layer for layer in model.modules() if isinstance(layer, kinds)]


Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def equal_weights(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Give every pair the same score."""
    return torch.zeros_like(query), key


def shuffled_keys(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Put the keys of a map on other positions, drawn by a fixed seed."""
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


def opened(
    model: Comparison, _scenes: Scenes, _accuracy: float
) -> dict[str, float]:
    """How far the widest open layer has opened."""
    return {"gate": max(gates(model), key=abs)}


def where_it_looks(
    model: Comparison, scenes: Scenes, accuracy: float
) -> dict[str, float]:
    """The same, where the first map points, and what all are worth."""
    changed = {
        "uniform": with_changed(model, equal_weights),
        "shuffled": with_changed(model, shuffled_keys),
    }
    found = opened(model, scenes, accuracy)
    found |= partner_scores(rows_of_partners(model, scenes), scenes)
    found["own_weight"] = own_weight(model, scenes)
    return found | drops(accuracy, scenes, changed)


def _attending(label: str, *after: OnMap | None) -> Variant:
    return Variant(label, partial(network, *after), score=where_it_looks)


SAGAN = partial(SelfAttention2d, DIM)
NON_LOCAL = partial(NonLocal2d, DIM)
VARIANTS = {
    "none": Variant("convolutions alone", partial(network, None, None, None)),
    "convolution": Variant(
        "one more convolution instead",
        partial(network, ConvolvedValues2d, None, None),
        score=opened,
    ),
    "uniform": Variant(
        "equal weights",
        partial(network, partial(EqualWeights2d, DIM), None, None),
        score=opened,
    ),
    "sagan": _attending("SAGAN block after stage 1", SAGAN, None, None),
    "sagan-2": _attending("after stage 2", None, SAGAN, None),
    "sagan-3": _attending("after stage 3", None, None, SAGAN),
    "sagan-every": _attending("after every stage", SAGAN, SAGAN, SAGAN),
    "sagan-open": _attending(
        "after stage 1, gamma starts at 1", open_from_the_start, None, None
    ),
    "non-local": _attending(
        "non-local block after stage 1", NON_LOCAL, None, None
    ),
    "non-local-every": _attending(
        "non-local after every stage", NON_LOCAL, NON_LOCAL, NON_LOCAL
    ),
    "queries": _attending(
        "softmax over the queries (wrong)",
        partial(SoftmaxOverQueries2d, DIM),
        None,
        None,
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant and score it, and what its first map is worth.

    `peak_mib` is the most memory that a step of training holds at once,
    beyond the parameters; `gate` is that of the widest open layer.
    """
    chosen = VARIANTS[variant]
    encoder = deepcopy(trained_encoder(seed))
    torch.manual_seed(seed)
    model = chosen.build(encoder=encoder)
    budget.fit(model, TwoDigits(budget.scenes, seed=seed), seed=seed)
    test = TwoDigits(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test) | near_and_far(model, test)
    batch = test.images[: budget.batch_size]
    spent = cost(model, batch, backward=True, repeats=1)
    metrics["peak_mib"] = spent.peak_mib
    return metrics | chosen.score(model, test, metrics["accuracy"])
