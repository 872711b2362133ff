"""Gates, branches, shortcuts and losses, put together wrongly."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import Attended, SelectiveKernel, SqueezeExcitation


class BranchesOfTheBatch(SelectiveKernel):
    """Wrong: the softmax runs over the samples, not over the branches.

    The weights of a branch sum to one over the batch. A sample alone gets
    all of every branch.
    """

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """Share out each branch among the samples."""
        maps = [branch(x) for branch in self.branches]
        weights = self.scores(maps).softmax(dim=0)
        output = torch.einsum("mbchw,bmc->bchw", torch.stack(maps), weights)
        return Attended(output, weights)


class ReductionAsWidth(SqueezeExcitation):
    """Wrong: the hidden layer has ``reduction`` units at any width."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__(channels, reduction)
        self.reduce = nn.Linear(channels, reduction, bias=False)
        self.expand = nn.Linear(reduction, channels, bias=False)


class GateAddedTwice(nn.Module):
    """Wrong: the gate 1 + m is multiplied, and the map added once more.

    The map itself counts twice, and the gate can only choose between two
    and three.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Multiply by a number from two to three."""
        gate = 1 + torch.sigmoid(self.score(x))
        return x + x * gate


class InPlaceShortcut(nn.Module):
    """Wrong: the first ReLU changes the map that the shortcut adds.

    What is below zero is lost on the way around the block, too.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add the branch to what is left of the map."""
        output: Tensor = self.branch(x) + x
        return output


class DetachedDistillation(nn.Module):
    """Wrong: the maps of the student are detached before the loss.

    The loss is right, is printed and falls with the others; its gradient is
    zero.
    """

    def forward(
        self,
        student: Float[Tensor, "batch height width"],
        teacher: Float[Tensor, "batch height width"],
    ) -> Float[Tensor, ""]:
        """Compare two maps of attention."""
        return F.mse_loss(student.detach(), teacher)
