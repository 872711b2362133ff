"""Maps as tokens, columns, frames and back, and views that mix them up."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def mix(
    tokens: Float[Tensor, "groups tokens channels"], project: nn.Linear
) -> Float[Tensor, "groups tokens channels"]:
    """Attend within each group of tokens."""
    query, key, value = project(tokens).chunk(3, dim=-1)
    return F.scaled_dot_product_attention(query, key, value)


class HeadsOnMaps(nn.Module):
    """Right: several heads attend on a map and are put side by side."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Conv2d(channels, 3 * channels, kernel_size=1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Attend between positions."""
        query, key, value = (
            part.flatten(2).unflatten(1, (self.heads, -1)).mT
            for part in self.project(x).chunk(3, dim=1)
        )  # (batch, heads, positions, head_dim)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.to_map(mixed, *x.shape[2:])

    def to_map(
        self,
        mixed: Float[Tensor, "batch heads positions head_dim"],
        height: int,
        width: int,
    ) -> Float[Tensor, "batch channels height width"]:
        """Arrange what the heads gathered as a map."""
        joined = mixed.mT.flatten(1, 2)
        return joined.unflatten(2, (height, width))


class MapByReshape(HeadsOnMaps):
    """Wrong: the last two axes are named anew instead of exchanged.

    The numbers of one position come to stand side by side in the map.
    """

    def to_map(
        self,
        mixed: Float[Tensor, "batch heads positions head_dim"],
        height: int,
        width: int,
    ) -> Float[Tensor, "batch channels height width"]:
        """Arrange what the heads gathered as a map."""
        batch = mixed.shape[0]
        return mixed.reshape(batch, -1, height, width)


class ColumnAttention(nn.Module):
    """Right: each position attends to its column."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, 3 * channels)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Attend in groups of as many positions as the map is high."""
        batch, _, _, width = x.shape
        groups = x.permute(0, 3, 2, 1).flatten(0, 1)
        mixed = mix(groups, self.project)
        return mixed.unflatten(0, (batch, width)).permute(0, 3, 2, 1)


class ColumnsByView(ColumnAttention):
    """Wrong: the groups have the right length and hold runs of a row.

    On a map of 4 by 6 the first group holds pixels 0 to 3, and not 0, 6,
    12 and 18.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Attend in groups of as many positions as the map is high."""
        last = x.permute(0, 2, 3, 1)
        groups = last.reshape(-1, x.shape[2], x.shape[1])
        mixed = mix(groups, self.project)
        return mixed.reshape(last.shape).permute(0, 3, 1, 2)


class FrameAttention(nn.Module):
    """Right: the positions of a frame attend to each other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, 3 * channels)

    def forward(
        self, x: Float[Tensor, "batch channels frames height width"]
    ) -> Float[Tensor, "batch channels frames height width"]:
        """Attend in each frame."""
        tokens = self.to_tokens(x)  # (batch * frames, positions, channels)
        mixed = mix(tokens, self.project)
        return self.to_clip(mixed, x.shape[2], *x.shape[3:])

    def to_tokens(
        self, x: Float[Tensor, "batch channels frames height width"]
    ) -> Float[Tensor, "images positions channels"]:
        """Make an image of each frame."""
        return x.transpose(1, 2).flatten(0, 1).flatten(2).mT

    def to_clip(
        self,
        tokens: Float[Tensor, "images positions channels"],
        frames: int,
        height: int,
        width: int,
    ) -> Float[Tensor, "batch channels frames height width"]:
        """Put the frames one behind the other again."""
        images = tokens.mT.unflatten(2, (height, width))
        return images.unflatten(0, (-1, frames)).transpose(1, 2)


class FramesByReshape(FrameAttention):
    """Wrong: (channels, frames) is read as (frames, channels).

    What is taken for a frame holds some channels of every frame.
    """

    def to_tokens(
        self, x: Float[Tensor, "batch channels frames height width"]
    ) -> Float[Tensor, "images positions channels"]:
        """Make an image of each frame."""
        batch, channels, frames = x.shape[:3]
        return x.reshape(batch * frames, channels, -1).mT

    def to_clip(
        self,
        tokens: Float[Tensor, "images positions channels"],
        frames: int,
        height: int,
        width: int,
    ) -> Float[Tensor, "batch channels frames height width"]:
        """Put the frames one behind the other again."""
        channels = tokens.shape[2]
        return tokens.mT.reshape(-1, channels, frames, height, width)


class PixelPooling(nn.Module):
    """Right: the pixels of a map, pooled by their scores."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Sum the tokens by weights that sum to one over them."""
        tokens = self.to_tokens(x)
        weights: Tensor = self.score(tokens).softmax(dim=1)
        return (tokens * weights).sum(1)

    def to_tokens(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch positions channels"]:
        """Make a token of each pixel."""
        return x.flatten(2).mT


class PixelsByView(PixelPooling):
    """Wrong: a token holds neighbouring pixels of one channel.

    It should hold the channels of one pixel.
    """

    def to_tokens(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch positions channels"]:
        """Make a token of each pixel."""
        batch, channels = x.shape[:2]
        return x.reshape(batch, -1, channels)
