"""Can a network compare two places of an image, and does it need attention?"""

from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import MultiHeadAttention
from attncourse.data import Scenes, TwoDigits, digits
from attncourse.data.two_digits import CELLS, GRID, SIDE
from attncourse.models.vision_transformer import (
    SinusoidalPositions2d,
    TransformerBlock,
)
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate, fit
from attncourse.watching import watch

DIM = 32
HEADS = 4
FAR = 3  # cells apart, along the longer of the two directions

Mixer = Callable[[Tensor], Tensor]


class CellEncoder(nn.Sequential):
    """Turn each cell of the grid into a token of 32 numbers."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 64, SIDE, SIDE), nn.ReLU(), nn.Conv2d(64, DIM, 1)
        )


@cache
def trained_encoder(seed: int) -> CellEncoder:
    """Train the encoder to name single digits; every variant gets it, frozen."""
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


class AttentionMixer(nn.Module):
    """Two transformer blocks over the cells.

    Parameters
    ----------
    see
        ``"all"``, ``"mean"`` (the query is fixed at zero, so that every
        cell gets the same weight) or ``"self"`` (a cell attends to itself
        alone).
    positions
        Add sinusoidal codes of row and column.
    """

    def __init__(self, see: str = "all", *, positions: bool = False) -> None:
        super().__init__()
        self.positions = SinusoidalPositions2d() if positions else None
        self.blocks = nn.ModuleList(
            TransformerBlock(DIM, HEADS) for _ in range(2)
        )
        if see == "mean":
            for attention in attentions(self):
                attention.query.requires_grad_(False)
                nn.init.zeros_(attention.query.weight)
        others = ~torch.eye(CELLS, dtype=torch.bool)
        bias = torch.zeros(CELLS, CELLS).masked_fill(others, -torch.inf)
        self.register_buffer("score_bias", bias if see == "self" else None)

    def forward(
        self, x: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch dim rows columns"]:
        """Let the cells attend to each other, twice."""
        size = x.shape[2:]
        if self.positions is not None:
            x = self.positions(x)
        tokens = x.flatten(2).mT
        for block in self.blocks:
            tokens = block(tokens, score_bias=self.score_bias)
        mixed: Tensor = tokens.mT.unflatten(2, size)
        return mixed


def attentions(mixer: nn.Module) -> list[MultiHeadAttention]:
    """Return the attention of each block."""
    parts = mixer.modules()
    return [part for part in parts if isinstance(part, MultiHeadAttention)]


class ResidualConvolutions(nn.Module):
    """Four 3 x 3 convolutions in two residual blocks: 9 x 9 cells in sight."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(DIM, DIM, 3, padding=1, bias=False),
                nn.BatchNorm2d(DIM),
                nn.ReLU(),
                nn.Conv2d(DIM, DIM, 3, padding=1, bias=False),
                nn.BatchNorm2d(DIM),
            )
            for _ in range(2)
        )

    def forward(
        self, x: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch dim rows columns"]:
        """Mix neighbours, four times."""
        for block in self.blocks:
            x = F.relu(x + block(x))
        return x


class WideConvolutions(nn.Module):
    """The transformer's blocks with a 9 x 9 convolution for the attention.

    Each channel has 81 weights, so that every cell sees every other one in
    one step; a 1 x 1 convolution mixes the channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            TransformerBlock(DIM, HEADS) for _ in range(2)
        )
        for block in self.blocks:
            block.attention = _WideConvolution()

    def forward(
        self, x: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch dim rows columns"]:
        """Mix all cells by their offsets, twice."""
        size = x.shape[2:]
        tokens = x.flatten(2).mT
        for block in self.blocks:
            tokens = block(tokens)
        mixed: Tensor = tokens.mT.unflatten(2, size)
        return mixed


class _WideConvolution(nn.Module):
    """On tokens in a square; the arguments of attention have no effect."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(DIM, DIM, 2 * GRID - 1, padding=GRID - 1, groups=DIM),
            nn.Conv2d(DIM, DIM, 1),
        )

    def forward(self, tokens: Tensor, **_: Tensor | None) -> Tensor:
        mixed: Tensor = self.mix(tokens.mT.unflatten(2, (GRID, GRID)))
        return mixed.flatten(2).mT


class Comparison(nn.Module):
    """Encode the cells, mix them, add them up, and decide.

    The sum is halved, because two cells hold digits. A mean over all cells
    would drown the two in what the empty ones say.

    Parameters
    ----------
    mixer
        Builds the part that may compare cells.
    encoder
        Turns each cell into a token.
    """

    def __init__(
        self, mixer: Callable[[], nn.Module], encoder: nn.Module
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.mixer = mixer()
        self.decide = nn.Sequential(
            nn.Linear(DIM, 64), nn.ReLU(), nn.Linear(64, 2)
        )

    def forward(
        self, images: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch 2"]:
        """Logits of "different" and "same"."""
        mixed = self.mixer(self.encoder(images))
        logits: Tensor = self.decide(mixed.sum((2, 3)) / 2)
        return logits


MIXERS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "alone": ("no mixing at all", partial(AttentionMixer, "self")),
    "uniform": (
        "attention, all weights equal",
        partial(AttentionMixer, "mean"),
    ),
    "convolution": ("3 x 3 convolutions", ResidualConvolutions),
    "wide": ("9 x 9 convolutions", WideConvolutions),
    "attention": ("attention", AttentionMixer),
    "attention+positions": (
        "attention with positions",
        partial(AttentionMixer, positions=True),
    ),
}


def build(variant: str, encoder: nn.Module | None = None) -> Comparison:
    """Build the network of a variant around an encoder."""
    return Comparison(MIXERS[variant][1], encoder or CellEncoder())


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


@torch.no_grad()
def with_shuffled_keys(model: Comparison, scenes: Scenes) -> float:
    """Accuracy when every row of weights is shuffled over the cells."""
    changed = deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    for attention in attentions(changed.mixer):
        attention.key.register_forward_hook(
            lambda _, __, keys: keys[
                :, torch.randperm(keys.shape[1], generator=generator)
            ]
        )
    return evaluate(changed, scenes)["accuracy"]


@torch.no_grad()
def with_equal_weights(model: Comparison, scenes: Scenes) -> float:
    """Accuracy of the trained network when all its weights are equal."""
    changed = deepcopy(model)
    for attention in attentions(changed.mixer):
        nn.init.zeros_(attention.query.weight)
        nn.init.zeros_(attention.query.bias)
    return evaluate(changed, scenes)["accuracy"]


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant and score it, near and far, and where it looks."""
    encoder = deepcopy(trained_encoder(seed))
    torch.manual_seed(seed)
    model = build(variant, encoder)
    budget.fit(model, TwoDigits(budget.scenes, seed=seed), seed=seed)
    test = TwoDigits(budget.test_scenes, split="test").draw()
    metrics = evaluate(model, test)
    metrics |= near_and_far(model, test)
    if variant.startswith("attention"):
        metrics |= partner_scores(partner_weights(model, test), test)
        for name, accuracy in {
            "drop_uniform": with_equal_weights(model, test),
            "drop_shuffled": with_shuffled_keys(model, test),
        }.items():
            metrics[name] = metrics["accuracy"] - accuracy
    return metrics
