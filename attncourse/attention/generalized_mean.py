"""Generalised-mean pooling: between the average and the maximum."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map


class GeneralizedMeanPooling(nn.Module):
    r"""Average the p-th powers of each channel, then take the p-th root.

    .. math:: y_c = \Big(\frac{1}{N} \sum_i
              \max(x_{ci}, \epsilon)^p\Big)^{1/p}

    :math:`p = 1` is the average of positive values, :math:`p \to \infty`
    their maximum. A fractional power of a negative number is not defined:
    values below ``eps`` count as ``eps``.

    Parameters
    ----------
    power
        Where p starts; it is learned.
    eps
        Floor of the values; it also keeps the root differentiable.

    Raises
    ------
    ValueError
        If ``power`` is below one or ``eps`` is not positive.

    Notes
    -----
    Cost: one parameter and one power for each value; any map size.

    References
    ----------
    Radenovic, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No
    Human Annotation", TPAMI 2018.

    Examples
    --------
    >>> GeneralizedMeanPooling()(torch.rand(2, 64, 7, 7)).shape
    torch.Size([2, 64])
    """

    def __init__(self, power: float = 3.0, *, eps: float = 1e-6) -> None:
        super().__init__()
        if power < 1:
            raise ValueError(f"power must be at least 1, got {power}")
        if eps <= 0:
            raise ValueError(f"eps must be positive, got {eps}")
        self.power = nn.Parameter(torch.tensor(float(power)))
        self.eps = eps

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool each channel."""
        relative, peak = self._relative(x)
        mean = relative.pow(self.power).mean((2, 3))
        return peak.flatten(1) * mean.pow(1 / self.power)

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        r"""The same with weights (batch, 1, height, width).

        They say how far each position moves the result: the share of the
        derivative, :math:`x^{p-1} / \sum x^{p-1}`, averaged over the
        channels. They are uniform at p = 1, as those of average pooling,
        and go to the positions of the maxima as p grows.
        """
        relative, _ = self._relative(x)
        pull = relative.pow(self.power - 1)
        shares = pull / pull.sum((2, 3), keepdim=True)
        return Attended(self.forward(x), shares.mean(1, keepdim=True))

    def _relative(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Values relative to the largest, and the largest.

        So nothing over- or underflows as a whole, whatever p and the type.
        """
        check_map(x)
        floored = x.clamp_min(self.eps)
        peak = floored.amax((2, 3), keepdim=True).detach()
        return floored / peak, peak
