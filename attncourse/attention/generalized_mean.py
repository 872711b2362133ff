"""Generalised-mean pooling: between the average and the maximum."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention.attended import Attended


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
        self,
        x: Float[Tensor, "batch channels height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch channels"]
        | tuple[
            Float[Tensor, "batch channels"],
            Float[Tensor, "batch 1 height width"],
        ]
    ):
        """Pool each channel.

        The weights say how far each place moves the result: the share of
        the derivative, :math:`x^{p-1} / \\sum x^{p-1}`, averaged over the
        channels. They are uniform at p = 1, as those of average pooling,
        and go to the places of the maxima as p grows.
        """
        floored = x.clamp_min(self.eps)
        # Powers of values relative to the largest: nothing over- or
        # underflows as a whole, whatever p and the type.
        peak = floored.amax((2, 3), keepdim=True).detach()
        relative = floored / peak
        mean = relative.pow(self.power).mean((2, 3))
        pooled = peak.flatten(1) * mean.pow(1 / self.power)
        if not return_weights:
            return pooled
        pull = relative.pow(self.power - 1)
        shares = pull / pull.sum((2, 3), keepdim=True)
        return pooled, shares.mean(1, keepdim=True)

    def attend(self, *inputs: Any, **options: Any) -> Attended:
        """The output and the weights."""
        return Attended(*self.forward(*inputs, return_weights=True, **options))
