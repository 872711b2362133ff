r"""Selective kernel: branches of different reach share every channel.

.. math::

   s = \operatorname{mean}_{h,w} \sum_m u_m, \qquad
   z = \operatorname{relu}(\operatorname{BN}(W s)), \qquad
   a_{m,c} = \operatorname{softmax}_m (A_m z)_c, \qquad
   y_c = \sum_m a_{m,c}\, u_{m,c}
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention._kernels import mixture
from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map, check_odd
from attncourse.attention.masking import softmax


class SelectiveKernel(nn.Module):
    r"""Mix branches of several kernel sizes, channel by channel.

    .. math:: a_{m,c} = \operatorname{softmax}_m (A_m z)_c, \qquad
              y_c = \sum_m a_{m,c}\, u_{m,c}

    The branches compete for each channel; channels do not compete. A
    kernel of side k is a 3x3 kernel with dilation (k - 1) / 2: it reaches
    as far and costs the same for every k. Each branch is a grouped
    convolution, batch normalisation and ReLU.

    Parameters
    ----------
    channels
        Channels C of the map, in and out.
    kernel_sizes
        One branch for each; odd and at least 3.
    groups
        Groups of the convolutions; must divide C.
    hidden_dim
        Width d of z; by default max(C / 16, 32), as in the paper.

    Raises
    ------
    ValueError
        If there are fewer than two branches, a kernel size is even or
        below 3, ``groups`` does not divide ``channels``, or ``hidden_dim``
        is below one.

    Notes
    -----
    Cost for N positions, M branches and G groups: :math:`9MNC^2/G + (M+1)Cd`
    multiply-adds, as many weights without the N. In training the batch
    normalisation of z needs at least two samples.

    References
    ----------
    Li, Wang, Hu and Yang, "Selective Kernel Networks", CVPR 2019.

    Examples
    --------
    >>> output, weights = SelectiveKernel(64).attend(torch.randn(2, 64, 9, 9))
    >>> output.shape, weights.shape
    (torch.Size([2, 64, 9, 9]), torch.Size([2, 2, 64]))
    """

    def __init__(
        self,
        channels: int,
        kernel_sizes: tuple[int, ...] = (3, 5),
        *,
        groups: int = 32,
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__()
        if len(kernel_sizes) < 2:
            raise ValueError(
                f"kernel_sizes needs two branches or more, got {kernel_sizes}"
            )
        for size in kernel_sizes:
            check_odd("each of kernel_sizes", size, least=3)
        if groups < 1 or channels < 1 or channels % groups:
            raise ValueError(
                f"groups must be a positive divisor of channels, got "
                f"channels={channels} and groups={groups}"
            )
        if hidden_dim is None:
            hidden_dim = max(channels // 16, 32)
        if hidden_dim < 1:
            raise ValueError(
                f"hidden_dim must be at least 1, got {hidden_dim}"
            )
        self.channels = channels
        self.branches = nn.ModuleList(
            _branch(channels, size // 2, groups) for size in kernel_sizes
        )
        self.reduce = nn.Linear(channels, hidden_dim, bias=False)
        self.norm = nn.BatchNorm1d(hidden_dim)
        self.select = nn.Linear(
            hidden_dim, len(kernel_sizes) * channels, bias=False
        )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Run all branches and take from each its share of every channel."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights, (batch, branches, channels).

        They sum to one over the branches.
        """
        check_map(x, self.channels)
        maps = [branch(x) for branch in self.branches]
        weights = softmax(self.scores(maps), dim=1)
        shares = weights[..., None, None].unbind(1)
        return Attended(mixture(shares, maps), weights)

    def scores(
        self, maps: list[Float[Tensor, "batch channels height width"]]
    ) -> Float[Tensor, "batch branches channels"]:
        """Score every branch for every channel, before the softmax."""
        means = [F.adaptive_avg_pool2d(m, 1).flatten(1) for m in maps]
        squeezed = torch.stack(means).sum(0)
        hidden = F.relu(self.norm(self.reduce(squeezed)))
        return self.select(hidden).unflatten(1, (len(maps), -1))


def _branch(channels: int, dilation: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            channels,
            channels,
            kernel_size=3,
            padding=dilation,
            dilation=dilation,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )
