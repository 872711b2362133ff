"""Networks that compare the cells of a grid, with attention or without."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import MultiHeadAttention, SelfAttention2d
from attncourse.data.two_digits import CELLS, GRID, SIDE
from attncourse.models.vision_transformer import (
    SinusoidalPositions2d,
    TransformerBlock,
)

DIM = 32
HEADS = 4


class CellEncoder(nn.Sequential):
    """Turn each cell of the grid into a token of 32 dimensions."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 64, SIDE, SIDE), nn.ReLU(), nn.Conv2d(64, DIM, 1)
        )


class AttentionMixer(nn.Module):
    """Two transformer blocks over the cells.

    Parameters
    ----------
    positions
        Add sinusoidal codes of row and column.
    """

    def __init__(self, *, positions: bool = False) -> None:
        super().__init__()
        self.positions = SinusoidalPositions2d() if positions else None
        self.blocks = nn.ModuleList(
            TransformerBlock(DIM, HEADS) for _ in range(2)
        )
        self.register_buffer("score_bias", None)

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


class EqualMixer(AttentionMixer):
    """Its queries stay at zero, so that every cell gets the same weight."""

    def __init__(self) -> None:
        super().__init__()
        for attention in attentions(self):
            attention.query.requires_grad_(False)
            nn.init.zeros_(attention.query.weight)


class LoneMixer(AttentionMixer):
    """A cell attends to itself alone."""

    def __init__(self) -> None:
        super().__init__()
        others = ~torch.eye(CELLS, dtype=torch.bool)
        bias = torch.zeros(CELLS, CELLS).masked_fill(others, -torch.inf)
        self.score_bias = bias


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


class EqualWeights2d(SelfAttention2d):
    """The layer of SAGAN, but each position reads the mean of all."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add the mean value to every position, times gamma."""
        value = self.project(x)[:, -x.shape[1] :].flatten(2).mT
        mean = value.mean(1, keepdim=True).expand_as(value)
        return self._add(x, mean.unsqueeze(1))


class ConvolvedValues2d(nn.Module):
    """Values and gamma as in SAGAN's layer, gathered from 3 x 3 neighbours.

    The weights of the neighbours are learned, one set for each channel, and
    are the same for every position and image. The kernels have about as many
    parameters as the query and the key that they replace.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Conv2d(DIM, DIM, 1)
        self.gather = nn.Conv2d(DIM, DIM, 3, padding=1, groups=DIM, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add to every position what its neighbours give, times gamma."""
        gathered: Tensor = self.gather(self.value(x))
        return x + self.gamma * gathered


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
        self,
        trunk: ResidualConvolutions,
        after: Sequence[Callable[[], nn.Module] | None],
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
