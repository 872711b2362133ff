"""What every mechanism's ``attend`` returns."""

from typing import Generic, NamedTuple, TypeVar

Output = TypeVar("Output")
Weights = TypeVar("Weights")


class Attended(NamedTuple, Generic[Output, Weights]):
    """An output and the attention weights that made it."""

    output: Output
    weights: Weights
