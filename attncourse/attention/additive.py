r"""Additive attention: a small network scores each pair, or each position.

.. math::

   e_{ij} = u^\top \tanh(W q_i + U k_j + b), \qquad
   \alpha_{ij} = \operatorname{softmax}_j(e_{ij})
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention._kernels import additive_scores
from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map, check_tokens
from attncourse.attention.masking import (
    check_mask,
    masked_softmax,
    masked_softmax_2d,
)


class AdditiveAttention(nn.Module):
    r"""Attention whose scores come from a hidden layer, not a product.

    .. math::

       e_{ij} = u^\top \tanh(W q_i + U k_j + b), \qquad
       o_i = \sum_j \operatorname{softmax}_j(e_{ij})\, v_j

    Query and key may have different widths. Without the tanh the score
    would be a sum of a query term and a key term; the query term is the
    same for every key and cancels in the softmax, so the weights would not
    depend on the query at all.

    Parameters
    ----------
    query_dim, key_dim
        Widths of the query and key tokens.
    hidden_dim
        Width of the hidden layer.

    Raises
    ------
    ValueError
        If a width is below one.

    Notes
    -----
    Cost for n queries and m keys: :math:`nm h` tanh and multiply-adds after
    both projections, h the hidden width.

    References
    ----------
    Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly
    Learning to Align and Translate", ICLR 2015.

    Examples
    --------
    >>> layer = AdditiveAttention(query_dim=8, key_dim=16, hidden_dim=32)
    >>> query, memory = torch.randn(2, 1, 8), torch.randn(2, 5, 16)
    >>> layer(query, memory, memory).shape
    torch.Size([2, 1, 16])
    """

    def __init__(self, query_dim: int, key_dim: int, hidden_dim: int) -> None:
        super().__init__()
        _check_widths(
            query_dim=query_dim, key_dim=key_dim, hidden_dim=hidden_dim
        )
        self.query = nn.Linear(query_dim, hidden_dim, bias=False)
        self.key = nn.Linear(key_dim, hidden_dim)
        self.score = nn.Linear(hidden_dim, 1, bias=False)

    def forward(
        self,
        query: Float[Tensor, "batch queries query_dim"],
        key: Float[Tensor, "batch keys key_dim"],
        value: Float[Tensor, "batch keys value_dim"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch queries value_dim"]:
        """Mix the values by the learned score of each query with each key.

        Parameters
        ----------
        query, key, value
            Tokens; ``value`` has one token for each key.
        mask
            True = may be attended; broadcastable to (batch, 1, queries,
            keys). A query with nothing to attend gets zeros.
        """
        return self.attend(query, key, value, mask).output

    def attend(
        self,
        query: Float[Tensor, "batch queries query_dim"],
        key: Float[Tensor, "batch keys key_dim"],
        value: Float[Tensor, "batch keys value_dim"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Attended:
        """The same with the weights, (batch, 1, queries, keys)."""
        self._check(query, key, value, mask)
        weights = masked_softmax(self.scores(query, key).unsqueeze(1), mask)
        return Attended(weights.squeeze(1).to(value.dtype) @ value, weights)

    def scores(
        self,
        query: Float[Tensor, "batch queries query_dim"],
        key: Float[Tensor, "batch keys key_dim"],
    ) -> Float[Tensor, "batch queries keys"]:
        """Score every pair, before the softmax."""
        return additive_scores(
            self.query(query), self.key(key), self.score.weight
        )

    def _check(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> None:
        check_tokens("query", query, self.query.in_features)
        check_tokens("key", key, self.key.in_features)
        if not query.shape[0] == key.shape[0] == value.shape[0]:
            raise ValueError(
                f"query, key and value need the same batch size, got "
                f"{query.shape[0]}, {key.shape[0]} and {value.shape[0]}"
            )
        if key.shape[1] != value.shape[1]:
            raise ValueError(
                f"key and value need the same number of tokens, got "
                f"{key.shape[1]} and {value.shape[1]}"
            )
        pairs = (query.shape[0], 1, query.shape[1], key.shape[1])
        check_mask(mask, pairs)


class AdditivePooling2d(nn.Module):
    r"""Pool a map to one vector by a learned score for each position.

    .. math::

       e_i = w^\top \tanh(W f_i + b), \qquad
       \alpha = \operatorname{softmax}(e) \text{ over all } H \cdot W, \qquad
       v = \sum_i \alpha_i f_i

    :math:`w` starts at zero, so that training starts from global average
    pooling. A bias behind :math:`w` would shift every score alike and
    cancel in the softmax; there is none.

    Parameters
    ----------
    channels
        Channels C of the map.
    hidden_dim
        Width a of the hidden layer; C by default.

    Raises
    ------
    ValueError
        If a width is below one.

    Notes
    -----
    Cost for N = H x W positions: :math:`N(Ca + a + C)` multiply-adds,
    :math:`a(C + 2)` weights. Any map size.

    References
    ----------
    Raffel and Ellis, "Feed-Forward Networks with Attention Can Solve Some
    Long-Term Memory Problems", 2015; Ilse, Tomczak and Welling,
    "Attention-based Deep Multiple Instance Learning", ICML 2018.

    Examples
    --------
    >>> pooled, weights = AdditivePooling2d(32).attend(
    ...     torch.randn(2, 32, 15, 15)
    ... )
    >>> pooled.shape, weights.shape
    (torch.Size([2, 32]), torch.Size([2, 1, 15, 15]))
    """

    def __init__(self, channels: int, hidden_dim: int | None = None) -> None:
        super().__init__()
        hidden_dim = channels if hidden_dim is None else hidden_dim
        _check_widths(channels=channels, hidden_dim=hidden_dim)
        self.hidden = nn.Conv2d(channels, hidden_dim, kernel_size=1)
        self.score = nn.Conv2d(hidden_dim, 1, kernel_size=1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch channels"]:
        """Average the positions of the map, each by its own weight.

        Parameters
        ----------
        x
            Feature map.
        mask
            True = may be attended; broadcastable to (batch, 1, height,
            width). A sample with nothing to attend gets zeros.
        """
        return self.attend(x, mask).output

    def attend(
        self,
        x: Float[Tensor, "batch channels height width"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Attended:
        """The same with the weights, (batch, 1, height, width).

        Those of a sample sum to one over height and width.
        """
        scores = self.scores(x)
        check_mask(mask, tuple(scores.shape))
        weights = masked_softmax_2d(scores, mask)
        return Attended(weighted_sum(x, weights), weights)

    def scores(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Score every position, before the softmax."""
        check_map(x, self.hidden.in_channels)
        return self.score(torch.tanh(self.hidden(x)))


def weighted_sum(
    x: Float[Tensor, "batch channels height width"],
    weights: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, "batch channels"]:
    """Sum the positions of a map, each times its weight."""
    # (batch, channels, positions) @ (batch, positions, 1)
    pooled = x.flatten(2) @ weights.to(x.dtype).flatten(2).mT
    return pooled.squeeze(-1)


def _check_widths(**widths: int) -> None:
    for name, width in widths.items():
        if width < 1:
            raise ValueError(f"{name} must be at least 1, got {width}")
