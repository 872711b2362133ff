"""Recurrent attention: a sequence of glimpses, each choosing the next."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.attention.attended import Attended
from attncourse.attention.maps import check_map
from attncourse.attention.sampling import affine_sample, reading_map


class Episode(NamedTuple):
    """What a :class:`RecurrentAttention` network did with one batch.

    Attributes
    ----------
    logits
        Prediction after the last glimpse, (batch, classes).
    locations
        Centres (x, y) of the glimpses in [-1, 1], (batch, glimpses, 2).
    log_probs
        Log-density of each chosen location, (batch, glimpses); zero where
        nothing was drawn.
    baselines
        Reward that the network expected before each glimpse.
    """

    logits: Float[Tensor, "batch classes"]
    locations: Float[Tensor, "batch glimpses 2"]
    log_probs: Float[Tensor, "batch glimpses"]
    baselines: Float[Tensor, "batch glimpses"]


@runtime_checkable
class Reader(Protocol):
    """Reads a small patch of an image, as a few numbers say."""

    @property
    def numbers(self) -> int:
        """How many numbers say where to read; x and y come first."""

    @property
    def pixels(self) -> int:
        """Values read from each channel."""

    @property
    def drawn(self) -> bool:
        """Whether positions are drawn at random in training."""

    def read(
        self, x: Tensor, glimpse: Tensor
    ) -> Float[Tensor, "batch channels_read rows columns"]:
        """The patch."""

    def footprint(
        self, glimpse: Tensor, size: tuple[int, int]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Share of each pixel of the image in the patch."""


@dataclass(frozen=True)
class GlimpseReader:
    r"""Square patches around one centre, each twice as wide as the last.

    .. math:: \rho(x, l) = \big[\,\text{crop}(x, l, g),\;
              \text{crop}(x_{\downarrow 2}, l, g),\;
              \text{crop}(x_{\downarrow 4}, l, g), \dots\big]

    All have ``patch`` x ``patch`` values: the wider, the coarser, as in an
    eye. The centre is drawn at random during training (hard attention), so
    learning it needs REINFORCE.

    Parameters
    ----------
    patch
        Side of a patch.
    scales
        Number of patches.

    Notes
    -----
    Cost: no parameters; four multiply-adds for each of the scales x patch^2
    values read from a channel, whatever the size of the image.

    References
    ----------
    Mnih et al., "Recurrent Models of Visual Attention", NIPS 2014.
    """

    patch: int = 8
    scales: int = 2
    numbers: ClassVar[int] = 2
    drawn: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if min(self.patch, self.scales) < 1:
            raise ValueError(
                f"patch and scales must be at least 1, got {self.patch} and "
                f"{self.scales}"
            )

    @property
    def pixels(self) -> int:
        """Values read from each channel."""
        return self.scales * self.patch**2

    def read(
        self,
        x: Float[Tensor, "batch channels height width"],
        glimpse: Float[Tensor, "batch 2"],
    ) -> Float[Tensor, "batch channels_read patch patch"]:
        """Crop all patches; pixels outside the image are zero.

        Wider patches are read from the image averaged over squares of
        2 x 2, 4 x 4 and so on.
        """
        height, width = x.shape[2:]
        coarsest = 2 ** (self.scales - 1)
        level = F.pad(x, (0, -width % coarsest, 0, -height % coarsest))
        size = (level.shape[2], level.shape[3])
        shrunk = glimpse.new_tensor([width / size[1], height / size[0]])
        centre = (glimpse + 1) * shrunk - 1  # in the padded image
        patches = []
        for scale in range(self.scales):
            theta = self._theta(centre, self.patch * 2**scale, size)
            crop = affine_sample(level, theta, (self.patch, self.patch))
            patches.append(crop)
            if scale < self.scales - 1:
                level = F.avg_pool2d(level, 2)
        return torch.cat(patches, 1)

    def footprint(
        self, glimpse: Float[Tensor, "batch 2"], size: tuple[int, int]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Where the finest patch lies."""
        sides = (self.patch, self.patch)
        return reading_map(self._theta(glimpse, self.patch, size), sides, size)

    def _theta(
        self,
        centre: Float[Tensor, "batch 2"],
        side: int,
        size: tuple[int, int],
    ) -> Float[Tensor, "batch 2 3"]:
        zoom = centre.new_tensor([side / size[1], side / size[0]])
        zooms = zoom.diag().expand(centre.shape[0], 2, 2)
        return torch.cat([zooms, centre.unsqueeze(-1)], -1)


@dataclass(frozen=True)
class GaussianReader:
    r"""A grid of Gaussian windows, in the manner of DRAW.

    .. math::

       F_X[i, a] \propto e^{-(a - \mu_X^i)^2 / 2\sigma^2}, \qquad
       \text{patch} = \gamma\, F_Y\, x\, F_X^\top

    Five numbers set the centre, the spacing of the windows, their width
    :math:`\sigma` and the intensity :math:`\gamma`. All is differentiable:
    nothing is drawn, and plain back-propagation learns where to look.

    Parameters
    ----------
    patch
        Windows along each axis; at least 2.

    Notes
    -----
    Cost for an image of H x W and n windows along each axis: n(HW + nW)
    multiply-adds for each channel; no parameters.

    References
    ----------
    Gregor, Danihelka, Graves, Rezende and Wierstra, "DRAW: A Recurrent
    Neural Network For Image Generation", ICML 2015.
    """

    patch: int = 8
    numbers: ClassVar[int] = 5
    drawn: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.patch < 2:
            raise ValueError(f"patch must be at least 2, got {self.patch}")

    @property
    def pixels(self) -> int:
        """Values read from each channel."""
        return self.patch**2

    def read(
        self,
        x: Float[Tensor, "batch channels height width"],
        glimpse: Float[Tensor, "batch 5"],
    ) -> Float[Tensor, "batch channels patch patch"]:
        """Read through all windows."""
        down, across = self.filters(glimpse, x.shape[2], x.shape[3])
        intensity = glimpse[:, 4].exp()[:, None, None, None]
        patch = down.unsqueeze(1) @ x @ across.unsqueeze(1).mT
        return intensity * patch

    def footprint(
        self, glimpse: Float[Tensor, "batch 5"], size: tuple[int, int]
    ) -> Float[Tensor, "batch 1 height width"]:
        """Where the windows lie."""
        down, across = self.filters(glimpse, *size)
        positions = self.patch**2
        total = down.sum(1).unsqueeze(-1) * across.sum(1).unsqueeze(1)
        return (total / positions).unsqueeze(1)

    def filters(
        self, glimpse: Float[Tensor, "batch 5"], height: int, width: int
    ) -> tuple[
        Float[Tensor, "batch patch height"],
        Float[Tensor, "batch patch width"],
    ]:
        """Filter banks; each row sums to one over the pixels."""
        x, y, log_variance, log_spacing, _ = glimpse.unbind(1)
        # A spacing of zero logits spreads the windows over the image.
        spacing = (max(height, width) - 1) / (self.patch - 1)
        steps = torch.arange(self.patch, device=glimpse.device)
        steps = (steps - (self.patch - 1) / 2) * spacing
        offsets = log_spacing.exp().unsqueeze(1) * steps
        banks = []
        for centre, pixels in ((y, height), (x, width)):
            middle = ((centre + 1) * pixels - 1) / 2
            means = middle.unsqueeze(1) + offsets  # (batch, patch)
            pixel = torch.arange(pixels, device=glimpse.device)
            distance = pixel - means.unsqueeze(-1)
            variance = log_variance.exp()[:, None, None]
            logits = -distance.square() / (2 * variance)
            banks.append(logits.softmax(-1))
        return banks[0], banks[1]


class RecurrentAttention(nn.Module):
    r"""Classify an image from a few glimpses.

    .. math::

       g_t = \operatorname{ReLU}(W_g\,\rho(x, l_t) + W_l\, l_t), \quad
       h_t = \operatorname{GRU}(g_t, h_{t-1}), \quad
       l_{t+1} \sim \mathcal N(\tanh(W h_t), \sigma^2 I)

    The first glimpse is at the centre. With a :class:`GlimpseReader`
    locations are drawn during training and set to their mean otherwise;
    learn them with :func:`reinforce_loss`.

    Parameters
    ----------
    channels, classes
        Channels of the images, number of classes.
    glimpses
        How many.
    reader
        :class:`GlimpseReader` (hard) or :class:`GaussianReader` (soft).
    hidden_dim
        Width of the recurrent state.
    std
        Standard deviation :math:`\sigma` of the drawn locations.

    Raises
    ------
    ValueError
        If a number is below one or ``std`` is not positive.

    Notes
    -----
    Cost: what the reader reads and three linear layers for each glimpse,
    whatever the size of the image. The paper's core is a simple recurrent
    layer; a GRU trains more reliably.

    References
    ----------
    Mnih et al., "Recurrent Models of Visual Attention", NIPS 2014; Gregor
    et al., "DRAW", ICML 2015 (the Gaussian reader).

    Examples
    --------
    >>> logits, weights = RecurrentAttention(1, 10).attend(
    ...     torch.rand(2, 1, 60, 60)
    ... )
    >>> logits.shape, weights.shape
    (torch.Size([2, 10]), torch.Size([2, 6, 60, 60]))
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        glimpses: int = 6,
        reader: Reader | None = None,
        hidden_dim: int = 128,
        std: float = 0.15,
    ) -> None:
        super().__init__()
        if min(channels, classes, glimpses, hidden_dim) < 1 or std <= 0:
            raise ValueError(
                f"channels, classes, glimpses and hidden_dim must be at "
                f"least 1 and std positive, got {channels}, {classes}, "
                f"{glimpses}, {hidden_dim} and {std}"
            )
        self.glimpses = glimpses
        self.reader = GlimpseReader() if reader is None else reader
        self.std = std
        self.what = nn.Linear(channels * self.reader.pixels, hidden_dim)
        self.where = nn.Linear(self.reader.numbers, hidden_dim)
        self.core = nn.GRUCell(hidden_dim, hidden_dim)
        self.next = nn.Linear(hidden_dim, self.reader.numbers)
        self.classifier = nn.Linear(hidden_dim, classes)
        self.baseline = nn.Linear(hidden_dim, 1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Classify."""
        return self.play(x).logits

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with weights (batch, glimpses, height, width).

        They are the footprints of the glimpses; each sums to one, less what
        lay outside the image.
        """
        episode, glimpses = self._run(x)
        size = (x.shape[2], x.shape[3])
        maps = [self.reader.footprint(g, size) for g in glimpses]
        return Attended(episode.logits, torch.cat(maps, 1))

    def play(self, x: Float[Tensor, "batch channels height width"]) -> Episode:
        """Classify, and give all that the loss needs."""
        return self._run(x)[0]

    def _run(self, x: Tensor) -> tuple[Episode, list[Tensor]]:
        check_map(x)
        state = x.new_zeros(x.shape[0], self.core.hidden_size)
        glimpse = x.new_zeros(x.shape[0], self.reader.numbers)
        log_prob = x.new_zeros(x.shape[0])
        steps: list[tuple[Tensor, Tensor, Tensor]] = []
        for step in range(self.glimpses):
            if step:
                glimpse, log_prob = self._choose(state)
            expected = self.baseline(state.detach()).squeeze(-1)
            steps.append((glimpse, log_prob, expected))
            seen = self.what(self.reader.read(x, glimpse).flatten(1))
            state = self.core((seen + self.where(glimpse)).relu(), state)
        every, log_probs, baselines = zip(*steps, strict=True)
        episode = Episode(
            self.classifier(state),
            torch.stack(every, 1)[..., :2],
            torch.stack(log_probs, 1),
            torch.stack(baselines, 1),
        )
        return episode, list(every)

    def _choose(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """The numbers of the next glimpse, and their log-density."""
        raw = self.next(state)
        mean = torch.cat([raw[:, :2].tanh(), raw[:, 2:]], 1)
        if not (self.reader.drawn and self.training):
            return mean, raw.new_zeros(raw.shape[0])
        # Detached, or the log-density would not depend on the mean.
        drawn = (mean + self.std * torch.randn_like(mean)).detach()
        log_prob = -((drawn - mean) / self.std).square().sum(1) / 2
        return drawn, log_prob


def reinforce_loss(
    episode: Episode, labels: Int64[Tensor, " batch"]
) -> Float[Tensor, ""]:
    r"""Loss that trains the classifier, the policy and its baseline.

    .. math::

       L = \operatorname{CE} + \frac{1}{BT}\sum_{b,t} \big[(R_b - b_t)^2
           - \log \pi(l_t)\,(R_b - \operatorname{stop}(b_t))\big]

    The reward R is one where the prediction is right. Subtracting the
    baseline leaves the gradient's mean as it is and lowers its variance.

    Parameters
    ----------
    episode
        From :meth:`RecurrentAttention.play` in training mode.
    labels
        True classes.

    Notes
    -----
    Cost: the episode itself; the terms of the policy add nothing to speak
    of.

    References
    ----------
    Williams, "Simple Statistical Gradient-Following Algorithms for
    Connectionist Reinforcement Learning", Machine Learning, 1992.
    """
    reward = (episode.logits.argmax(1) == labels).to(episode.logits.dtype)
    advantage = reward.unsqueeze(1) - episode.baselines
    policy = -episode.log_probs * advantage.detach()
    return (
        F.cross_entropy(episode.logits, labels)
        + advantage.square().mean()
        + policy.mean()
    )
