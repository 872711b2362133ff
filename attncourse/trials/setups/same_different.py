"""Can a network compare two cells of an image, and does it need attention?"""

from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.data import Scenes, TwoDigits, digits
from attncourse.data.two_digits import CELLS, GRID, SIDE
from attncourse.models.comparison import (
    DIM,
    AttentionMixer,
    CellEncoder,
    Comparison,
    EqualMixer,
    LoneMixer,
    ResidualConvolutions,
    WideConvolutions,
    attentions,
)
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate, fit
from attncourse.trials.maps import drops
from attncourse.trials.runs import Variant
from attncourse.watching import watch

FAR = 3  # cells apart, along the longer of the two directions


@cache
def trained_encoder(seed: int) -> CellEncoder:
    """Train the encoder to name single digits; all variants get it, frozen."""
    torch.manual_seed(seed)
    encoder = CellEncoder()
    head = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(DIM, 10))
    fit(
        nn.Sequential(encoder, head),
        digits("train"),
        epochs=40,
        lr=3e-3,
        seed=seed,
        progress=False,
    )
    return encoder.requires_grad_(False)


def network(
    mixer: Callable[[], nn.Module], encoder: nn.Module | None = None
) -> Comparison:
    """Build the network, around a trained encoder if one is given."""
    return Comparison(mixer, encoder or CellEncoder())


@torch.no_grad()
def partner_weights(
    model: Comparison, scenes: Scenes
) -> Float[Tensor, "scenes 2 cells"]:
    """Where the two digits of each scene look in the first block.

    Weights of the heads, averaged, without the digit's own cell and made to
    sum to one again.
    """
    with watch(model) as maps:
        model(scenes.images)
    return rows_of_digits(next(iter(maps.values())), scenes)


def rows_of_digits(
    weights: Float[Tensor, "scenes heads cells cells"], scenes: Scenes
) -> Float[Tensor, "scenes 2 cells"]:
    """Take the rows of both digits, without their own cells, sum one."""
    pairs = digit_cells(scenes)
    chosen = pairs[..., None].expand(-1, -1, CELLS)
    rows = weights.mean(1).gather(1, chosen)
    rows = rows.scatter(2, pairs[..., None], 0)
    return rows / rows.sum(2, keepdim=True)


def digit_cells(scenes: Scenes) -> Tensor:
    """Numbers of the two cells with digits, row by row: (scenes, 2)."""
    if scenes.masks is None:
        raise ValueError("scenes must have masks")
    cells = scenes.masks[:, 0, ::SIDE, ::SIDE].flatten(1)
    return cells.nonzero()[:, 1].view(-1, 2)


def distances(scenes: Scenes) -> Tensor:
    """Cells between the two digits, along the longer direction: (scenes)."""
    pairs = digit_cells(scenes)
    rows, columns = pairs // GRID, pairs % GRID
    apart = torch.stack([rows.diff(dim=1), columns.diff(dim=1)]).abs()
    return apart.amax(0).squeeze(1)


def partner_scores(
    rows: Float[Tensor, "scenes 2 cells"], scenes: Scenes
) -> dict[str, float]:
    """Share of a digit's row on the other digit, and how often it leads."""
    partners = digit_cells(scenes).flip(1)
    mass = rows.gather(2, partners[..., None]).mean()
    pointing = (rows.argmax(2) == partners).double().mean()
    return {"mass": mass.item(), "pointing": pointing.item()}


def near_and_far(model: nn.Module, scenes: Scenes) -> dict[str, float]:
    """Accuracy on close pairs and on distant ones."""
    far = distances(scenes) >= FAR
    found = {}
    for name, chosen in {"near": ~far, "far": far}.items():
        part = Scenes(scenes.images[chosen], scenes.labels[chosen], None)
        found[name] = evaluate(model, part)["accuracy"]
    return found


def with_shuffled_keys(model: Comparison) -> Comparison:
    """Return a copy whose keys are shuffled over the cells."""
    changed = deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    for attention in attentions(changed.mixer):
        attention.key.register_forward_hook(
            lambda _, __, keys: keys[
                :, torch.randperm(keys.shape[1], generator=generator)
            ]
        )
    return changed


@torch.no_grad()
def with_equal_weights(model: Comparison) -> Comparison:
    """Return a copy whose weights are all equal."""
    changed = deepcopy(model)
    for attention in attentions(changed.mixer):
        nn.init.zeros_(attention.query.weight)
        nn.init.zeros_(attention.query.bias)
    return changed


def where_it_looks(
    model: Comparison, scenes: Scenes, accuracy: float
) -> dict[str, float]:
    """How much the digits look at each other, and what that is worth."""
    changed = {
        "uniform": with_equal_weights(model),
        "shuffled": with_shuffled_keys(model),
    }
    found = partner_scores(partner_weights(model, scenes), scenes)
    return found | drops(accuracy, scenes, changed)


VARIANTS = {
    "alone": Variant("no mixing at all", partial(network, LoneMixer)),
    "uniform": Variant(
        "attention, all weights equal", partial(network, EqualMixer)
    ),
    "convolution": Variant(
        "3 x 3 convolutions", partial(network, ResidualConvolutions)
    ),
    "wide": Variant("9 x 9 convolutions", partial(network, WideConvolutions)),
    "attention": Variant(
        "attention", partial(network, AttentionMixer), score=where_it_looks
    ),
    "attention+positions": Variant(
        "attention with positions",
        partial(network, partial(AttentionMixer, positions=True)),
        score=where_it_looks,
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant and score it, near and far, and where it looks."""
    chosen = VARIANTS[variant]
    encoder = deepcopy(trained_encoder(seed))
    torch.manual_seed(seed)
    model = chosen.build(encoder)
    budget.fit(model, TwoDigits(budget.scenes, seed=seed), seed=seed)
    test = TwoDigits(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test) | near_and_far(model, test)
    return metrics | chosen.score(model, test, metrics["accuracy"])
