r"""Multi-scale attention: every position chooses how coarsely it is seen.

.. math::

   f^s = \operatorname{up}(F(\operatorname{down}_s(x))), \qquad
   w^s_i = \operatorname{softmax}_s\, h(f^1, \dots, f^S)_i, \qquad
   y_i = \sum_s w^s_i f^s_i
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention._kernels import mixture
from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map
from attncourse.attention.masking import softmax


class MultiScaleAttention(nn.Module):
    r"""Mix the views of a map at several scales, position by position.

    .. math:: y_i = \sum_s w^s_i f^s_i, \qquad \sum_s w^s_i = 1

    One network F sees the map at every scale, with the same weights; here
    it is a 3x3 convolution with ReLU, which at scale 1/2 covers 6x6 positions.
    Its results are brought back to full size, and a second network h (3x3
    convolution, ReLU, 1x1 convolution) scores all scales at every position.
    The scales compete; positions do not.

    The last layer of h starts at zero, so that training starts from the
    mean over the scales.

    Parameters
    ----------
    channels
        Channels C of the map, in and out.
    scales
        Size of each view relative to the map, above 0 and at most 1. The
        paper uses 1 and 0.5, and 0.75 between them.
    hidden_dim
        Width a of the hidden layer of h; C by default, 512 in the paper.

    Raises
    ------
    ValueError
        If there are fewer than two scales, a scale is out of range, or a
        width is below one.

    Notes
    -----
    Cost for N positions and S scales: :math:`9NC^2 \sum_s s^2` multiply-adds
    for F, :math:`9NSCa + NSa` for h, NSC to mix. The map is made smaller
    by averages over areas and larger again bilinearly. Any map size.

    References
    ----------
    Chen, Yang, Wang, Xu and Yuille, "Attention to Scale: Scale-aware
    Semantic Image Segmentation", CVPR 2016.

    Examples
    --------
    >>> output, weights = MultiScaleAttention(16).attend(
    ...     torch.randn(2, 16, 9, 9)
    ... )
    >>> output.shape, weights.shape
    (torch.Size([2, 16, 9, 9]), torch.Size([2, 2, 9, 9]))
    """

    def __init__(
        self,
        channels: int,
        scales: tuple[float, ...] = (1.0, 0.5),
        *,
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__()
        if len(scales) < 2 or not all(0 < scale <= 1 for scale in scales):
            raise ValueError(
                f"scales must be two or more numbers above 0 and at most 1, "
                f"got {scales}"
            )
        hidden_dim = channels if hidden_dim is None else hidden_dim
        if channels < 1 or hidden_dim < 1:
            raise ValueError(
                f"channels and hidden_dim must be at least 1, got {channels} "
                f"and {hidden_dim}"
            )
        self.scales = scales
        self.channels = channels
        self.features = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1), nn.ReLU()
        )
        self.hidden = nn.Conv2d(
            len(scales) * channels, hidden_dim, kernel_size=3, padding=1
        )
        self.score = nn.Conv2d(hidden_dim, len(scales), kernel_size=1)
        for parameter in self.score.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """See the map at every scale and mix what was seen."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the weights, (batch, scales, height, width).

        They sum to one over the scales at every position.
        """
        check_map(x, self.channels)
        views = [self.view(x, scale) for scale in self.scales]
        scores = self.score(F.relu(self.hidden(torch.cat(views, dim=1))))
        weights = self.share(scores)
        return Attended(mixture(weights.split(1, dim=1), views), weights)

    def view(
        self, x: Float[Tensor, "batch channels height width"], scale: float
    ) -> Float[Tensor, "batch channels height width"]:
        """What the shared network sees at one scale, at full size."""
        height, width = (max(1, round(scale * side)) for side in x.shape[2:])
        smaller = F.adaptive_avg_pool2d(x, (height, width))
        return F.interpolate(
            self.features(smaller),
            size=x.shape[2:],
            mode="bilinear",
            align_corners=False,
        )

    def share(
        self, scores: Float[Tensor, "batch scales height width"]
    ) -> Float[Tensor, "batch scales height width"]:
        """Share out every position among the scales."""
        return softmax(scores, dim=1)
