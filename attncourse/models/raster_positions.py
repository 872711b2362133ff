"""The code of a position counted row by row."""

from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import sinusoidal_positions


class RasterPositions(nn.Module):
    """Add the sinusoidal code of a position's number, row by row.

    Notes
    -----
    No parameters. The end of a row and the beginning of the next get codes
    as close as two neighbours within a row.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add to each position the code of its number."""
        codes = sinusoidal_positions(x.shape[2] * x.shape[3], x.shape[1])
        placed: Tensor = codes.to(x).mT.unflatten(1, x.shape[2:])
        return x + placed
