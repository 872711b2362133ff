"""Do two series rise together, whatever their shapes?"""

import torch
from jaxtyping import Shaped
from torch import Tensor


def rank_correlation(
    first: Shaped[Tensor, " count"], second: Shaped[Tensor, " count"]
) -> float:
    """Spearman's rank correlation; equal values get their mean rank."""
    ranks = torch.stack([_mean_ranks(first), _mean_ranks(second)])
    return torch.corrcoef(ranks)[0, 1].item()


def _mean_ranks(values: Tensor) -> Tensor:
    _, group, count = values.unique(return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    ranks: Tensor = (last - (count - 1) / 2)[group]
    return ranks
