"""A small vision transformer: patches are tokens, and attend to each other."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import (
    MultiHeadAttention,
    RelativePositionBias2d,
    RotaryPositions2d,
    sinusoidal_positions_2d,
)
from attncourse.attention.maps import check_map


class VisionTransformer(nn.Module):
    r"""Cut an image into patches and let them attend to each other.

    .. math::

       z_0 = [c;\ E x_1 + p_1;\ \dots;\ E x_N + p_N], \qquad
       z_l = \operatorname{block}_l(z_{l-1}), \qquad
       y = W \operatorname{LN}(z_L)_0

    with patches :math:`x_i`, positions :math:`p_i` and the class token c,
    which reads from the patches what the classifier needs.

    Attention knows no order: without a position code a shuffled image is
    the same image. So choose one, or say ``positions=None``.

    Parameters
    ----------
    classes
        Number of classes.
    positions
        Module that adds a code to the map of patches (batch, dim, rows,
        columns), such as :class:`SinusoidalPositions2d` or
        :class:`~attncourse.attention.LearnedPositions2d`, or None.
    rotary
        Turns queries and keys in every block; made for ``dim // heads``.
        The class token stands as if on the first patch.
    relative
        Added to the scores, the same in every block; those of the class
        token get nothing. Made for ``heads`` and for one number of rows and
        columns of patches.
    patch_size
        Side of a patch in pixels; must divide both sides of an image.
    in_channels
        Channels of the images.
    dim
        Width of the tokens.
    depth
        Number of blocks.
    heads
        Heads of each block; must divide ``dim``.
    class_token
        Classify by a token of its own; otherwise by the mean of all.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``dim`` or ``patch_size`` or ``depth``
        is below one.

    Notes
    -----
    Cost of a block for N tokens of width d: :math:`12Nd^2 + 2N^2d`
    multiply-adds, about :math:`12d^2` weights.

    References
    ----------
    Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for
    Image Recognition at Scale", ICLR 2021.
    """

    def __init__(
        self,
        classes: int = 10,
        *,
        positions: nn.Module | None,
        rotary: RotaryPositions2d | None = None,
        relative: RelativePositionBias2d | None = None,
        patch_size: int = 4,
        in_channels: int = 3,
        dim: int = 64,
        depth: int = 4,
        heads: int = 4,
        class_token: bool = True,
    ) -> None:
        super().__init__()
        for name, number in {"patch_size": patch_size, "depth": depth}.items():
            if number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        self.embed = nn.Conv2d(in_channels, dim, patch_size, patch_size)
        self.positions = positions
        self.rotary = rotary
        self.relative = relative
        self.class_token = (
            nn.Parameter(torch.zeros(dim)) if class_token else None
        )
        self.blocks = nn.ModuleList(
            TransformerBlock(dim, heads) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.classifier = nn.Linear(dim, classes)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of each image.

        Raises
        ------
        ValueError
            If the images have another number of channels or ``patch_size``
            does not divide a side.
        """
        patches = self._patches(images)
        size = patches.shape[2], patches.shape[3]
        tokens = patches.flatten(2).mT  # (batch, patches, dim)
        if self.class_token is not None:
            first = self.class_token.expand(tokens.shape[0], 1, -1)
            tokens = torch.cat([first, tokens], 1)
        rotate, score_bias = self._rotation(size), self._score_bias()
        for block in self.blocks:
            tokens = block(tokens, rotate=rotate, score_bias=score_bias)
        tokens = self.norm(tokens)
        chosen = tokens.mean(1) if self.class_token is None else tokens[:, 0]
        logits: Tensor = self.classifier(chosen)
        return logits

    def _patches(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch dim rows columns"]:
        check_map(images, self.embed.in_channels)
        (side, _), (height, width) = self.embed.kernel_size, images.shape[2:]
        if height % side or width % side or not height * width:
            raise ValueError(
                f"images must have sides that are multiples of patch_size="
                f"{side}, got {height} x {width}"
            )
        patches: Tensor = self.embed(images)
        return patches if self.positions is None else self.positions(patches)

    def _rotation(
        self, size: tuple[int, int]
    ) -> Callable[[Tensor], Tensor] | None:
        """Turn the patches; the class token stands as if on the first."""
        rotary = self.rotary
        if rotary is None:
            return None

        def rotate(heads: Tensor) -> Tensor:
            first, patches = heads.tensor_split([skipped], dim=2)
            return torch.cat([first, rotary(patches, *size)], 2)

        skipped = 0 if self.class_token is None else 1
        return rotate

    def _score_bias(self) -> Float[Tensor, "heads tokens tokens"] | None:
        """The bias of all pairs; zero for those with the class token."""
        if self.relative is None:
            return None
        bias: Tensor = self.relative()
        return bias if self.class_token is None else F.pad(bias, (1, 0, 1, 0))


class TransformerBlock(nn.Module):
    r"""Attention, then a small network for each token, each added.

    .. math::

       z' = z + \operatorname{MHA}(\operatorname{LN}(z)), \qquad
       y = z' + W_2 \operatorname{GELU}(W_1 \operatorname{LN}(z') + b_1)
           + b_2

    The normalisation stands before, so the sum of all blocks is never
    normalised and gradients reach the first one whole.

    Parameters
    ----------
    dim
        Width d of the tokens; the hidden layer has 4d units.
    heads
        Number of heads; must divide ``dim``.

    Raises
    ------
    ValueError
        If ``heads`` does not divide ``dim``.

    Notes
    -----
    Cost for N tokens: :math:`12Nd^2 + 2N^2d` multiply-adds, about
    :math:`12d^2` weights.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", NIPS 2017, with the
    normalisation moved as in Dosovitskiy et al., ICLR 2021.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim, eps=1e-6)
        self.attention = MultiHeadAttention(dim, heads)
        self.hidden_norm = nn.LayerNorm(dim, eps=1e-6)
        self.hidden = nn.Linear(dim, 4 * dim)
        self.output = nn.Linear(4 * dim, dim)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens dim"],
        *,
        rotate: Callable[[Tensor], Tensor] | None = None,
        score_bias: Float[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """Update every token; see :class:`MultiHeadAttention` for both."""
        tokens = tokens + self.attention(
            self.attention_norm(tokens), rotate=rotate, score_bias=score_bias
        )
        hidden = F.gelu(self.hidden(self.hidden_norm(tokens)))
        updated: Tensor = tokens + self.output(hidden)
        return updated


class SinusoidalPositions2d(nn.Module):
    """Add :func:`~attncourse.attention.sinusoidal_positions_2d` to a map.

    Notes
    -----
    No parameters; any map whose channels are a multiple of four.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Add to each position the code of its row and column."""
        codes = sinusoidal_positions_2d(x.shape[2], x.shape[3], x.shape[1])
        placed: Tensor = codes.to(x).mT.unflatten(1, x.shape[2:])
        return x + placed
