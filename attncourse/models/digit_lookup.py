"""A network that is one attention and nothing else."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import Attended, attention_weights
from attncourse.data.colour_lookup import CUE, GRID, PALETTE, SIDE


class DigitLookup(nn.Module):
    """Answer a :class:`ColourLookup` by one attention and nothing else.

    The query is the digit in the middle, the keys are the eight around it,
    the values are their colours. All that is learnt are the projections of
    query and key. The answer is the colour of the palette that is nearest
    to the mixed one.

    Parameters
    ----------
    dim
        Width of query and key.
    scaled
        False leaves the division by the root of the width out.
    start
        Standard deviation of the entries of query and key before training.
    """

    palette: Tensor
    around: Tensor

    def __init__(
        self, dim: int, *, scaled: bool = True, start: float = 1.0
    ) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        super().__init__()
        self.query = nn.Linear(SIDE**2, dim, bias=False)
        self.key = nn.Linear(SIDE**2, dim, bias=False)
        for projection in (self.query, self.key):
            nn.init.normal_(projection.weight, std=start / SIDE)
        self.undo = 1.0 if scaled else dim**0.5
        self.register_buffer("palette", torch.tensor(PALETTE).float())
        self.register_buffer("around", torch.arange(GRID**2) != CUE)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Negative squared distance of the mixed colour to each other one."""
        return self.attend(images).output

    def attend(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Attended:
        """The same with the weights over the grid."""
        tokens, colours = split_cells(images)
        weights = attention_weights(
            self.query(tokens[:, [CUE]]) * self.undo,  # (batch, 1, dim)
            self.key(tokens),  # (batch, 9, dim)
            self.around,
        )
        mixed = weights @ colours
        logits = -(mixed - self.palette).square().sum(-1)
        return Attended(logits, weights.unflatten(-1, (GRID, GRID)))


def split_cells(
    images: Float[Tensor, "batch 3 height width"],
) -> tuple[Float[Tensor, "batch 9 64"], Float[Tensor, "batch 9 3"]]:
    """Cut a scene into digits: standardised pixels, and the colour of each."""
    cells = F.unfold(images, SIDE, stride=SIDE).mT.unflatten(-1, (3, -1))
    ink = cells.amax(2)
    colours = cells.sum(-1) / ink.sum(-1, keepdim=True)
    return F.layer_norm(ink, (SIDE**2,)), colours
