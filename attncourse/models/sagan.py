"""A small self-attention GAN that draws images of a class.

Both networks are normalised by their spectral norm, and each has one layer
of self-attention where the map is large enough to have distant positions. The
losses are :func:`~attncourse.losses.discriminator_hinge` and
:func:`~attncourse.losses.generator_hinge`; the paper takes Adam with betas
(0.0, 0.9), and a learning rate of 4e-4 for the discriminator and 1e-4 for the
generator.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from attncourse.attention import SelfAttention2d
from attncourse.attention.maps import check_map


class SAGANGenerator(nn.Module):
    """Draw an image of a class from random numbers.

    A linear layer makes a small map, each block doubles its sides. The
    class enters through the normalisations, see
    :class:`ConditionalBatchNorm2d`. Attention stands before the last block.

    Parameters
    ----------
    classes
        Number of classes.
    latent_dim
        How many random numbers make an image.
    widths
        Channels of the first map and after each block; the last but one a
        multiple of eight.
    base
        Rows and columns of the first map. An image has 2^(len(widths) - 1)
        times as many.
    out_channels
        Channels of the images.

    Raises
    ------
    ValueError
        If fewer than two widths are given or a number is below one.

    References
    ----------
    Zhang, Goodfellow, Metaxas and Odena, "Self-Attention Generative
    Adversarial Networks", ICML 2019.
    """

    def __init__(
        self,
        classes: int = 10,
        *,
        latent_dim: int = 64,
        widths: Sequence[int] = (64, 64, 32, 16),
        base: tuple[int, int] = (4, 4),
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        _check(classes, widths)
        rows, columns = base
        if min(latent_dim, rows, columns, out_channels) < 1:
            raise ValueError(
                f"latent_dim, base and out_channels must be at least 1, got "
                f"{latent_dim}, {base} and {out_channels}"
            )
        self.base = base
        self.start = nn.Linear(latent_dim, widths[0] * rows * columns)
        *blocks, last = (
            GeneratorBlock(narrow, wide, classes)
            for narrow, wide in pairwise(widths)
        )
        self.blocks = nn.ModuleList(blocks)
        self.attention = SelfAttention2d(widths[-2])
        self.last = last
        self.norm = nn.BatchNorm2d(widths[-1])
        self.colours = nn.Conv2d(widths[-1], out_channels, 3, padding=1)
        normalise_spectrum(self)

    def forward(
        self,
        latent: Float[Tensor, "batch latent_dim"],
        labels: Int64[Tensor, " batch"],
    ) -> Float[Tensor, "batch channels height width"]:
        """Draw one image for each row, with values between -1 and 1."""
        x = self.start(latent).unflatten(1, (-1, *self.base))
        for block in self.blocks:
            x = block(x, labels)
        x = self.last(self.attention(x), labels)
        return torch.tanh(self.colours(F.relu(self.norm(x))))


class SAGANDiscriminator(nn.Module):
    r"""Score how real an image of a class looks.

    .. math:: D(x, y) = (w + e_y)^\top \phi(x) + b

    The features :math:`\phi` are summed over the map, so images of any
    size from 2^(number of widths) pixels on will do. Attention stands
    behind the first block.

    Parameters
    ----------
    classes
        Number of classes.
    in_channels
        Channels of the images.
    widths
        Channels after each block, which halves the sides; the first a
        multiple of eight.

    Raises
    ------
    ValueError
        If fewer than two widths are given or ``classes`` is below one.

    References
    ----------
    Zhang, Goodfellow, Metaxas and Odena, "Self-Attention Generative
    Adversarial Networks", ICML 2019; Miyato and Koyama, "cGANs with
    Projection Discriminator", ICLR 2018 (the class embedding).
    """

    def __init__(
        self,
        classes: int = 10,
        *,
        in_channels: int = 3,
        widths: Sequence[int] = (16, 32, 64),
    ) -> None:
        super().__init__()
        _check(classes, widths)
        self.colours = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.first = DiscriminatorBlock(widths[0], widths[0])
        self.attention = SelfAttention2d(widths[0])
        self.blocks = nn.Sequential(
            *(
                DiscriminatorBlock(narrow, wide)
                for narrow, wide in pairwise(widths)
            )
        )
        self.score = nn.Linear(widths[-1], 1)
        self.classes = nn.Embedding(classes, widths[-1])
        self.least = 2 ** len(widths)
        normalise_spectrum(self)

    def forward(
        self,
        images: Float[Tensor, "batch channels height width"],
        labels: Int64[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Score each image; high means real.

        Raises
        ------
        ValueError
            If nothing of an image would be left by the last block.
        """
        check_map(images, self.colours.in_channels)
        if min(images.shape[2:]) < self.least:
            raise ValueError(
                f"images must have sides of at least {self.least}, got "
                f"{tuple(images.shape[2:])}"
            )
        x = self.attention(self.first(self.colours(images)))
        features = F.relu(self.blocks(x)).sum((2, 3))
        of_class = (self.classes(labels) * features).sum(1)
        scores: Tensor = self.score(features).squeeze(1) + of_class
        return scores


class ConditionalBatchNorm2d(nn.Module):
    r"""Normalise a batch, then scale and shift by the class of each sample.

    .. math:: y = \gamma_k \operatorname{norm}(x) + \beta_k

    Parameters
    ----------
    channels
        Channels of the map.
    classes
        Number of classes; all start with scale one and shift zero.

    References
    ----------
    Dumoulin, Shlens and Kudlur, "A Learned Representation for Artistic
    Style", ICLR 2017.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Parameter(torch.ones(classes, channels))
        self.shift = nn.Parameter(torch.zeros(classes, channels))

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        labels: Int64[Tensor, " batch"],
    ) -> Float[Tensor, "batch channels height width"]:
        """Normalise over the batch and the positions of each channel."""
        scale = self.scale[labels][..., None, None]
        shift = self.shift[labels][..., None, None]
        normalised: Tensor = scale * self.norm(x) + shift
        return normalised


class GeneratorBlock(nn.Module):
    """Two convolutions on a map of twice the size, and a shortcut.

    Parameters
    ----------
    in_channels, out_channels
        Channels before and after.
    classes
        For the normalisation before each convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, classes: int
    ) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm2d(in_channels, classes)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = ConditionalBatchNorm2d(out_channels, classes)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(
        self,
        x: Float[Tensor, "batch in_channels height width"],
        labels: Int64[Tensor, " batch"],
    ) -> Float[Tensor, "batch out_channels rows columns"]:
        """Double both sides."""
        branch = _doubled(F.relu(self.norm1(x, labels)))
        branch = F.relu(self.norm2(self.conv1(branch), labels))
        added: Tensor = self.conv2(branch) + self.shortcut(_doubled(x))
        return added


class DiscriminatorBlock(nn.Module):
    """Two convolutions, a shortcut, and averages of 2 x 2 positions.

    Parameters
    ----------
    in_channels, out_channels
        Channels before and after.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels rows columns"]:
        """Halve both sides, the last row or column of an odd one left out."""
        branch = self.conv2(F.relu(self.conv1(F.relu(x))))
        return F.avg_pool2d(branch + self.shortcut(x), 2)


def normalise_spectrum(module: nn.Module) -> None:
    """Divide every weight matrix by its largest singular value, in place.

    This bounds how steep a network can become. A convolution counts as the
    matrix with one row for each output channel.

    Parameters
    ----------
    module
        All its convolutions, linear layers and embeddings are normalised.
        Query, key and value of :class:`SelfAttention2d` are one convolution
        and share one norm.

    References
    ----------
    Miyato, Kataoka, Koyama and Yoshida, "Spectral Normalization for
    Generative Adversarial Networks", ICLR 2018.
    """
    for layer in [*module.modules()]:
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            spectral_norm(layer)


def _doubled(
    x: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels rows columns"]:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _check(classes: int, widths: Sequence[int]) -> None:
    if classes < 1:
        raise ValueError(f"classes must be at least 1, got {classes}")
    if len(widths) < 2:
        raise ValueError(f"widths must have at least two, got {widths}")
