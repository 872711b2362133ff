"""Multi-head attention, written wrongly in four ways."""

from jaxtyping import Float
from torch import Tensor

from attncourse.attention import (
    MultiHeadAttention,
    scaled_dot_product_attention,
)


class HeadsByView(MultiHeadAttention):
    """Wrong: heads are cut from the token axis instead of the width.

    ``view(batch, heads, tokens, head_dim)`` has the right shape, and each
    "head" then holds a run of neighbouring tokens.
    """

    def _split(
        self, tokens: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch heads tokens head_dim"]:
        batch, count, dim = tokens.shape
        return tokens.reshape(batch, self.heads, count, dim // self.heads)


class BatchAsTokens(MultiHeadAttention):
    """Wrong: (batch, tokens, dim) is read as (tokens, batch, dim).

    This is what ``nn.MultiheadAttention`` does when ``batch_first=True`` is
    forgotten: samples attend to each other.
    """

    def forward(self, query: Tensor) -> Tensor:  # type: ignore[override]
        mixed: Tensor = super().forward(query.transpose(0, 1)).transpose(0, 1)
        return mixed


class ScaledByFullWidth(MultiHeadAttention):
    """Wrong: scores are divided by the root of ``dim``, not of ``dim/h``."""

    def forward(self, query: Tensor) -> Tensor:  # type: ignore[override]
        heads = scaled_dot_product_attention(
            self._split(self.query(query)) * self.heads**-0.5,
            self._split(self.key(query)),
            self._split(self.value(query)),
        )
        return self._merge(heads)


class FeaturesAsTokens(MultiHeadAttention):
    """Wrong: the features of a token attend to each other, not the tokens.

    The product runs over the heads and the softmax over the features, so
    that changing one token leaves what the others receive as it was.
    """

    def forward(self, query: Tensor) -> Tensor:  # type: ignore[override]
        queries, keys, values = (
            self._split(project(query)).movedim(1, -1)
            for project in (self.query, self.key, self.value)
        )  # (batch, tokens, head_dim, heads)
        mixed = scaled_dot_product_attention(queries, keys, values)
        return self._merge(mixed.movedim(-1, 1))
