"""A learned bias, made where no optimiser sees it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class RelativeBias(nn.Module):
    """Right: one head whose scores get a learned number for each distance."""

    def __init__(self, dim: int, longest: int = 64) -> None:
        super().__init__()
        self.project = nn.Linear(dim, 3 * dim)
        self.table = nn.Parameter(torch.randn(2 * longest - 1))

    def forward(
        self, x: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Attend with scores that know how far apart two tokens are."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        mixed: Tensor = (scores + self.bias(x.shape[1])).softmax(-1) @ value
        return mixed

    def bias(self, length: int) -> Float[Tensor, "tokens tokens"]:
        """One number for each pair, by how far apart the two are."""
        where = torch.arange(length)
        middle = self.table.shape[0] // 2
        return self.table[where[:, None] - where + middle]


class TableOfTheCall(RelativeBias):
    """Wrong: the table is made anew in every call.

    No optimiser has it, no checkpoint holds it, and its numbers are others
    the next time.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        del self.table

    def bias(self, length: int) -> Float[Tensor, "tokens tokens"]:
        """One number for each pair, by how far apart the two are."""
        where = torch.arange(length)
        table = nn.Parameter(torch.randn(2 * length - 1))
        return table[where[:, None] - where + length - 1]
