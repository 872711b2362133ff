"""Dynamic capacity: look closely only where it matters for the answer."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map


class Refined(NamedTuple):
    """What a :class:`DynamicCapacity` network saw in one batch.

    Attributes
    ----------
    logits
        Prediction from the refined map, (batch, classes).
    coarse_logits
        Prediction from the coarse map alone.
    hint
        Mean squared distance between coarse and fine vectors where both are
        known, (batch,). Its gradient reaches the coarse network only.
    saliency
        Norm of the gradient of the entropy, (batch, 1, rows, columns).
    chosen
        Positions that were looked at closely, row by row, (batch, patches).
    """

    logits: Float[Tensor, "batch classes"]
    coarse_logits: Float[Tensor, "batch classes"]
    hint: Float[Tensor, " batch"]
    saliency: Float[Tensor, "batch 1 rows columns"]
    chosen: Int64[Tensor, "batch patches"]


class DynamicCapacity(nn.Module):
    r"""A coarse network everywhere, a fine one at a few positions.

    .. math::

       c = f_c(x), \quad M_{ij} = \Big\lVert \frac{\partial H(g(c))}
       {\partial c_{ij}} \Big\rVert_2, \quad
       r_{ij} = \begin{cases} f_f(x_{ij}) & M_{ij} \text{ in the top } k \\
       c_{ij} & \text{else} \end{cases}, \quad o = g(r)

    H is the entropy of the prediction: positions where a small change of the
    coarse map would change it most are looked at again. No label is needed.
    The choice itself is not differentiated.

    One position stands for 8 x 8 pixels. Images whose sides are no multiples
    of 8 get zeros at the lower and right edge.

    Not to be confused with deformable convolution, which shares the
    abbreviation DCN.

    Parameters
    ----------
    channels, classes
        Channels of the images, number of classes.
    patches
        k, how many positions are refined. 0 gives the coarse network, and at
        least as many as there are positions gives the fine one.
    width
        Channels D of the coarse and the fine map.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    Cost: the coarse network, k runs of the fine one on 24 x 24 pixels, the
    top g three times and its slope. The top must not be linear over space:
    behind an average the gradient is the same at every position. Here it is a
    1 x 1 convolution, ReLU, the maximum over all positions, and one layer.

    References
    ----------
    Almahairi et al., "Dynamic Capacity Networks", ICML 2016.

    Examples
    --------
    >>> logits, weights = DynamicCapacity(1, 10).eval().attend(
    ...     torch.rand(2, 1, 64, 64)
    ... )
    >>> logits.shape, weights.shape
    (torch.Size([2, 10]), torch.Size([2, 1, 8, 8]))
    """

    PATCH = 24
    STRIDE = 8

    def __init__(
        self, channels: int, classes: int, *, patches: int = 8, width: int = 32
    ) -> None:
        super().__init__()
        if min(channels, classes, width) < 1 or patches < 0:
            raise ValueError(
                f"channels, classes and width must be at least 1 and patches "
                f"at least 0, got {channels}, {classes}, {width} and {patches}"
            )
        self.patches = patches
        self.coarse = nn.Sequential(
            nn.AvgPool2d(2),
            *_convolution(channels, 8, 5, stride=2, padding=2),
            *_convolution(8, width, 3, stride=2, padding=1),
        )
        # On 24 x 24 pixels without padding: 10, 8, 4, 2, 1.
        self.fine = nn.Sequential(
            *_convolution(channels, 8, 5, stride=2),
            *_convolution(8, 16, 3),
            nn.MaxPool2d(2),
            *_convolution(16, width, 3),
            nn.MaxPool2d(2),
        )
        self.hidden = nn.Conv2d(width, width, 1)
        self.classifier = nn.Linear(width, classes)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Classify."""
        return self.look(x).logits

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with weights (batch, 1, rows, columns).

        They are the saliency, as shares of its sum; all equal where the
        saliency is zero.
        """
        seen = self.look(x)
        total = seen.saliency.sum((2, 3), keepdim=True)
        equal = 1 / (seen.saliency.shape[2] * seen.saliency.shape[3])
        shares = (seen.saliency / total).where(total > 0, equal)
        return Attended(seen.logits, shares)

    def look(self, x: Float[Tensor, "batch channels height width"]) -> Refined:
        """Classify, and give all that a loss or a figure needs."""
        check_map(x)
        coarse = self.coarse(self._whole_strides(x))
        saliency = self.saliency(coarse)
        positions = coarse.shape[2] * coarse.shape[3]
        count = min(self.patches, positions)
        chosen = saliency.flatten(1).topk(count).indices
        vectors = self._fine_vectors(x, chosen, coarse.shape[3])
        index = chosen.unsqueeze(1).expand(-1, coarse.shape[1], -1)
        guesses = coarse.flatten(2).gather(2, index)
        hint = (guesses - vectors.detach()).square().sum(1)
        refined = coarse.flatten(2).scatter(2, index, vectors)
        return Refined(
            self.top(refined.unflatten(2, coarse.shape[2:])),
            self.top(coarse),
            hint.sum(1) / max(count, 1),
            saliency,
            chosen,
        )

    def top(
        self, maps: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits from a coarse, fine or mixed map."""
        strongest = self.hidden(maps).relu().amax((2, 3))
        return self.classifier(strongest)

    def saliency(
        self, coarse: Float[Tensor, "batch dim rows columns"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """Norm of the gradient of the entropy at each position.

        Written out for the top of this network: a maximum passes its slope
        on to the one position that holds it.
        """
        with torch.no_grad():
            hidden = self.hidden(coarse).flatten(2)
            strongest, position = hidden.max(-1)  # (batch, dim)
            log_p = self.classifier(strongest.relu()).log_softmax(-1)
            p = log_p.exp()
            entropy = -(p * log_p).sum(-1, keepdim=True)
            slope = -(p * (log_p + entropy)) @ self.classifier.weight
            slope = slope * (strongest > 0)
            spread = torch.zeros_like(hidden.mT).scatter(
                1, position.unsqueeze(1), slope.unsqueeze(1)
            )  # (batch, positions, dim)
            norms = (spread @ self.hidden.weight[:, :, 0, 0]).norm(dim=-1)
            return norms.unsqueeze(1).unflatten(-1, coarse.shape[2:])

    def fine_map(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch dim rows columns"]:
        """The fine network at every position, as one convolution."""
        return self.fine(self._padded(x))

    def _whole_strides(self, x: Tensor) -> Tensor:
        """Zeros at the lower and right edge, up to a multiple of 8."""
        return F.pad(
            x, (0, -x.shape[3] % self.STRIDE, 0, -x.shape[2] % self.STRIDE)
        )

    def _padded(self, x: Tensor) -> Tensor:
        margin = (self.PATCH - self.STRIDE) // 2
        return F.pad(self._whole_strides(x), [margin] * 4)

    def _fine_vectors(
        self,
        x: Float[Tensor, "batch channels height width"],
        chosen: Int64[Tensor, "batch patches"],
        columns: int,
    ) -> Float[Tensor, "batch dim patches"]:
        batch, count = chosen.shape
        if count == 0:
            return x.new_zeros(batch, self.classifier.in_features, 0)
        inside = torch.arange(self.PATCH, device=x.device)
        row, column = (
            (self.STRIDE * position).unsqueeze(-1) + inside
            for position in (chosen // columns, chosen % columns)
        )  # of every pixel of the patch, (batch, patches, 24)
        sample = torch.arange(batch, device=x.device)[:, None, None, None]
        pixels = self._padded(x).movedim(1, -1)[
            sample, row.unsqueeze(-1), column.unsqueeze(-2)
        ]  # (batch, patches, 24, 24, channels)
        looked_at = pixels.movedim(-1, 2).flatten(0, 1)
        vectors = self.fine(looked_at).flatten(1)
        return vectors.unflatten(0, (batch, count)).mT


def _convolution(
    channels: int,
    width: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(
        channels, width, kernel_size, stride, padding, bias=False
    )
    return convolution, nn.BatchNorm2d(width), nn.ReLU()
