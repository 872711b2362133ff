"""A retrieval network: describe images, then look at the gallery again."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attncourse.attention import (
    Attended,
    GeneralizedMeanPooling,
    MultiHeadAttention,
)
from attncourse.retrieval import Descriptor


class RetrievalNetwork(nn.Module):
    r"""Score the images of a gallery by their likeness to each query.

    .. math::

       d = \operatorname{unit}(W \operatorname{unit}(\operatorname{pool}(
       f(x)))), \qquad s_{qi} = \hat d_q^{\,\top} d_i

    The descriptors d of a gallery do not depend on the query and are
    computed once. The query :math:`\hat d_q` has attended to the gallery,
    see :class:`GalleryAttention`.

    Parameters
    ----------
    backbone
        Module from images to maps (batch, channels, rows, columns).
    channels
        Channels of those maps.
    dim
        Width of the descriptors.
    heads
        Heads of the attention to the gallery; must divide ``dim``.
    pooling
        See :class:`~attncourse.retrieval.Descriptor`;
        :class:`~attncourse.attention.GeneralizedMeanPooling` by default.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``dim``.

    Notes
    -----
    Cost beside the backbone: channels x dim multiply-adds for each image,
    and the attention.

    References
    ----------
    Radenovic, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No
    Human Annotation", TPAMI 2018 (descriptor and linear layer).
    """

    def __init__(
        self,
        backbone: nn.Module,
        channels: int,
        dim: int = 128,
        *,
        heads: int = 4,
        pooling: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = Descriptor(
            GeneralizedMeanPooling() if pooling is None else pooling
        )
        self.project = nn.Linear(channels, dim)
        self.gallery = GalleryAttention(dim, heads)

    def forward(
        self,
        queries: Float[Tensor, "queries channels height width"],
        items: Float[Tensor, "items channels item_height item_width"],
        mask: Bool[Tensor, "queries items"] | None = None,
    ) -> Float[Tensor, "queries items"]:
        """Cosines of each query with each item of the gallery.

        Parameters
        ----------
        queries, items
            Images; queries and items may differ in size.
        mask
            True = the query may attend to the item. Leave out the query
            itself if it is in the gallery.
        """
        return self.compare(self.describe(queries), self.describe(items), mask)

    def describe(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch dim"]:
        """One vector of length one for each image, whatever its size."""
        pooled = self.pool(self.backbone(images))
        return F.normalize(self.project(pooled), dim=1)

    def compare(
        self,
        queries: Float[Tensor, "queries dim"],
        items: Float[Tensor, "items dim"],
        mask: Bool[Tensor, "queries items"] | None = None,
    ) -> Float[Tensor, "queries items"]:
        """Score descriptors, for example those of a stored gallery."""
        return self.gallery(queries, items, mask) @ items.T


class GalleryAttention(nn.Module):
    r"""Move each query towards what it attends to in the gallery.

    .. math:: \hat d_q = \operatorname{unit}\bigl(\sqrt d\, d_q
              + \gamma \operatorname{MHA}(\sqrt d\, d_q, \sqrt d\, D)\bigr)

    A gallery is a set: its order does not matter, and there is neither a
    position code nor a causal mask. Queries do not see each other. The
    factor gives the entries of vectors of length one the variance one that
    the scale of attention expects. :math:`\gamma` starts at zero, so the
    network starts as a search by plain cosines.

    Parameters
    ----------
    dim
        Width d of the descriptors.
    heads
        Number of heads; must divide ``dim``.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``dim``.

    Notes
    -----
    Cost for Q queries and N items: :math:`2(Q + N)d^2 + 2QNd` multiply-adds,
    :math:`4d^2` weights.

    References
    ----------
    Gordo, Radenovic and Berg, "Attention-Based Query Expansion Learning",
    ECCV 2020, who attend to the best matches alone and in several layers.
    """

    def __init__(self, dim: int, heads: int = 4) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(
        self,
        queries: Float[Tensor, "queries dim"],
        items: Float[Tensor, "items dim"],
        mask: Bool[Tensor, "queries items"] | None = None,
    ) -> Float[Tensor, "queries dim"]:
        """Refine the queries; the results have length one.

        Parameters
        ----------
        queries, items
            Vectors of length one. All queries attend to all items.
        mask
            True = may be attended.
        """
        queries, tokens = self._tokens(queries, items)
        return self._add(queries, self.attention(*tokens, mask=mask))

    def attend(
        self,
        queries: Float[Tensor, "queries dim"],
        items: Float[Tensor, "items dim"],
        mask: Bool[Tensor, "queries items"] | None = None,
    ) -> Attended:
        """The same with the weights, (1, heads, queries, items)."""
        queries, tokens = self._tokens(queries, items)
        found, weights = self.attention.attend(*tokens, mask=mask)
        return Attended(self._add(queries, found), weights)

    def _tokens(
        self, queries: Tensor, items: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Scaled queries; to the attention, all of it is one sample."""
        scale = queries.shape[1] ** 0.5
        queries = scale * queries
        return queries, (queries[None], scale * items[None])

    def _add(
        self,
        queries: Float[Tensor, "queries dim"],
        found: Float[Tensor, "1 queries dim"],
    ) -> Float[Tensor, "queries dim"]:
        return F.normalize(queries + self.gamma * found[0], dim=1)
