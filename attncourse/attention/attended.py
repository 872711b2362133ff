"""What ``attend`` of a mechanism returns."""

from typing import NamedTuple

from torch import Tensor


class Attended(NamedTuple):
    """An output and the attention weights that made it.

    Attributes
    ----------
    output
        What ``forward`` returns.
    weights
        Of the shape that the mechanism documents.
    """

    output: Tensor
    weights: Tensor
