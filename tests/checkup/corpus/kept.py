"""Ten bugs kept apart: not to be looked at while the checkup is written.

Twenty were listed before any was tried, and dealt out in turn; `tuning` has
the other ten.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse.bugs import layouts
from tests.checkup.corpus import Bug, largest, moved, random

WINDOWED = random((2, 32, 8, 12))
MAP = random((2, 32, 5, 7))
TOKENS = random((3, 10, 32))
IMAGES = random((2, 3, 8, 12))
CLIP = random((2, 3, 32, 4, 5))


class OrderedWindows(nn.Module):
    """Right: tokens are sorted by windows, and back."""

    def __init__(self, channels: int, window: int = 4) -> None:
        super().__init__()
        self.window = window
        self.project = nn.Linear(channels, 3 * channels)

    def forward(self, x: Tensor) -> Tensor:
        order = self.order(*x.shape[2:])
        tokens = x.flatten(2).mT[:, order]
        groups = tokens.unflatten(1, (-1, self.window**2)).flatten(0, 1)
        mixed = layouts.mix(groups, self.project).view_as(tokens)
        return mixed[:, self.back(order)].mT.reshape(x.shape)

    def order(self, height: int, width: int) -> Tensor:
        number = torch.arange(height * width).view(height, width)
        parts = number.unfold(0, self.window, self.window)
        return parts.unfold(1, self.window, self.window).flatten()

    def back(self, order: Tensor) -> Tensor:
        return order.argsort()


class SortedTwice(OrderedWindows):
    """lablup/mlxcel#1600: the order is applied again, not undone.

    Only for some sizes does that bring tokens back.
    """

    def back(self, order: Tensor) -> Tensor:
        return order


def outside_the_window(module: nn.Module) -> float:
    (gap,) = moved(module, WINDOWED(), 0, slice(None), 2, 5)
    outside = torch.ones(8, 12, dtype=torch.bool)
    outside[:4, 4:8] = False
    return float((gap[0].amax(0) > 1e-6)[outside].sum())


class ChannelGate(nn.Module):
    """Right: a gate for each channel, from its mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, channels // 4),
            nn.ReLU(),
            nn.Linear(channels // 4, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.layers(self.pooled(x).flatten(1))[..., None, None]

    def pooled(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, 1)


class MeanOfASquare(ChannelGate):
    """Jongchan/attention-module#50: the height is the size of the pool.

    What a wide map has beyond its first square is never looked at; a map
    twice as wide, or a high one, stops with an error.
    """

    def pooled(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, x.shape[2], stride=x.shape[2])


def columns_without_a_say(module: nn.Module) -> float:
    (x,) = MAP()
    x.requires_grad_()
    module(x)[..., 0, 0].sum().backward()
    size = x.grad[..., 1:, :].abs().amax((0, 1, 2))
    return float((size == 0).sum())


class Resampler(nn.Module):
    """Right: an image read along an affine grid, corner to corner.

    Beyond the border, the border is read.
    """

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        height, width = x.shape[2:]
        down, across = torch.meshgrid(
            torch.linspace(-1, 1, height),
            torch.linspace(-1, 1, width),
            indexing="ij",
        )
        spots = torch.stack((across, down, torch.ones_like(down))).to(x)
        where = torch.einsum("bij,jhw->bihw", theta, spots)
        return self.read(x, where[:, 0], where[:, 1])

    def read(self, x: Tensor, across: Tensor, down: Tensor) -> Tensor:
        height, width = x.shape[2:]
        column = (across + 1) / 2 * (width - 1)
        row = (down + 1) / 2 * (height - 1)
        return self.blend(x, row, column)

    def blend(self, x: Tensor, row: Tensor, column: Tensor) -> Tensor:
        height, width = x.shape[2:]
        row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
        batch = torch.arange(len(x))[:, None, None]
        top = row.detach().floor().long()
        left = column.detach().floor().long()
        low, right = (top + 1).clamp_max(height - 1), left + 1
        right = right.clamp_max(width - 1)
        result = torch.zeros_like(x)
        for r, part in ((top, top + 1 - row), (low, row - top)):
            for c, share in (
                (left, left + 1 - column),
                (right, column - left),
            ):
                values = x[batch, :, r, c].movedim(-1, 1)
                result = result + values * (part * share)[:, None]
        return result


class LastRowLost(Resampler):
    """tensorflow/models#2016: coordinates run to the size, not to size - 1.

    Read at the identity, an image is stretched and its last row and column
    are black.
    """

    def read(self, x: Tensor, across: Tensor, down: Tensor) -> Tensor:
        height, width = x.shape[2:]
        column = (across + 1) / 2 * width
        row = (down + 1) / 2 * height
        inside = (row < height) & (column < width)
        return self.blend(x, row, column) * inside[:, None]


def with_theta() -> tuple[Tensor, Tensor]:
    return *IMAGES(), torch.eye(2, 3).repeat(2, 1, 1)


def away_from_identity(module: nn.Module) -> float:
    x, theta = with_theta()
    return largest(module(x, theta) - x)


class CausalAttention(nn.Module):
    """Right: a token sees itself and what came before."""

    def __init__(self, dim: int, causal: bool = True) -> None:
        super().__init__()
        self.causal = causal
        self.project = nn.Linear(dim, 3 * dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        query, key, value = self.project(x).chunk(3, dim=-1)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        return self.masked(scores, mask).softmax(-1) @ value

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        seen = torch.ones_like(scores, dtype=torch.bool)
        if mask is not None:
            seen = seen & mask
        if self.causal:
            seen = seen.tril()
        return scores.masked_fill(~seen, torch.finfo(scores.dtype).min)


class CausalOnlyWithAMask(CausalAttention):
    """facebookresearch/xformers#103: without a mask, nothing is causal."""

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return scores
        return super().masked(scores, mask)


def the_future_reaches_the_past(module: nn.Module) -> float:
    (gap,) = moved(module, TOKENS(), slice(None), -1)
    return largest(gap[:, :-1])


class PatchAttention(nn.Module):
    """Right: each patch of 4 by 4 becomes a token; tokens attend."""

    def __init__(self, dim: int = 32, patch: int = 4) -> None:
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(3 * patch**2, dim)
        self.project = nn.Linear(dim, 3 * dim)

    def forward(self, x: Tensor) -> Tensor:
        parts = x.unfold(2, self.patch, self.patch)
        parts = parts.unfold(3, self.patch, self.patch)
        tokens = self.embed(self.tokens(parts))
        return tokens + layouts.mix(tokens, self.project)

    def tokens(self, parts: Tensor) -> Tensor:
        """(batch, channels, down, across, height, width) to rows."""
        return parts.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


class PatchesByView(PatchAttention):
    """gupta-abhay/pytorch-vit#7: channels are in front of the patches.

    A token holds the red of several patches and no green or blue.
    """

    def tokens(self, parts: Tensor) -> Tensor:
        return parts.reshape(len(parts), -1, 3 * self.patch**2)


def patches_that_do_not_follow(module: nn.Module) -> float:
    """Exchange the first two patches of an image: so do two tokens."""
    (x,) = IMAGES()
    other = x.clone()
    other[..., :4, :8] = x[..., :4, :8].roll(4, dims=3)
    order = torch.tensor((1, 0, 2, 3, 4, 5))
    return largest(module(other) - module(x)[:, order])


class PositionedAttention(nn.Module):
    """Right: a table of positions, stretched to the size of the map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(1, channels, 6, 6))
        self.project = nn.Linear(channels, 3 * channels)

    def forward(self, x: Tensor) -> Tensor:
        code = self.code(*x.shape[2:])
        tokens = x.flatten(2).mT + code.flatten(2).mT
        return layouts.mix(tokens, self.project).mT.reshape(x.shape)

    def code(self, height: int, width: int) -> Tensor:
        return F.interpolate(
            self.table, (height, width), mode="bilinear", align_corners=False
        )


class WidthByHeight(PositionedAttention):
    """facebookresearch/dinov2#582: width and height change places.

    On images that are not square, patches get positions of others.
    """

    def code(self, height: int, width: int) -> Tensor:
        return super().code(width, height)


def code_that_is_no_row(module: PositionedAttention) -> float:
    """With a table that tells only rows apart, a row is one token."""
    with torch.no_grad():
        module.table.copy_(torch.arange(6.0)[:, None] * module.table[..., :1])
    output = module(torch.zeros(1, 32, 5, 7))
    return largest(output - output[..., :1])


class MessageGate(nn.Module):
    """Right: a gate between zero and one."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.opening(self.score(x))

    def opening(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores)


class SigmoidTwice(MessageGate):
    """jianlin-cheng/DProQA#3: the gate goes through two sigmoids.

    It never closes: its numbers lie between 0.5 and 0.73.
    """

    def opening(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(torch.sigmoid(scores))


def passes_a_closed_gate(module: MessageGate) -> float:
    with torch.no_grad():
        module.score.bias.fill_(-100)
    (x,) = TOKENS()
    return largest(module(x) / x)


class CrissCross(nn.Module):
    """Right: a position attends to its row and its column in one softmax."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, 3 * channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        query, key, value = self.project(x).chunk(3, dim=1)
        down = torch.einsum("bchw,bcgw->bhwg", query, key)
        across = torch.einsum("bchw,bchv->bhwv", query, key)
        scores = torch.cat((down, across), dim=-1) / x.shape[1] ** 0.5
        down, across = scores.softmax(-1).split((height, width), dim=-1)
        mixed = torch.einsum("bhwg,bcgw->bchw", down, value)
        return mixed + self.of_rows(across, value)

    def of_rows(self, weights: Tensor, value: Tensor) -> Tensor:
        return torch.einsum("bhwv,bchv->bchw", weights, value)


class CrissCrossTurned(CrissCross):
    """speedinghzl/CCNet#105: two axes of the row weights are exchanged.

    A position gathers with the weights that others of its row give to it.
    """

    def of_rows(self, weights: Tensor, value: Tensor) -> Tensor:
        return torch.einsum("bhvw,bchv->bchw", weights, value)


def off_a_constant(module: CrissCross) -> float:
    """A mean of ones is one."""
    with torch.no_grad():
        module.project.weight[64:] = 0
        module.project.bias[64:] = 1
    return largest(module(MAP()[0]) - 1)


class BlockWithGate(nn.Module):
    """Right: two convolutions, a gate for each channel, a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )
        self.gate = ChannelGate(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate(self.branch(x))


class GateNotCalled(BlockWithGate):
    """keras-team/keras-cv#1502: the gate is built and never called."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def parameters_without_effect(module: nn.Module) -> float:
    module(MAP()[0]).sum().backward()
    return sum(p.grad is None for p in module.parameters())


class TokenGateOfAClip(nn.Module):
    """Right: leaky integrators, one for each position, open a gate.

    They run along the frames of a clip.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, kernel_size=1)
        self.key = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Take (batch, frames, channels, height, width)."""
        frames_first = x.transpose(0, 1)
        images = frames_first.flatten(0, 1)
        score = self.query(images).sum(1, keepdim=True)
        key = self.key(images).view_as(frames_first)
        gate = self.gates(score.unflatten(0, frames_first.shape[:2]))
        return (key * gate).transpose(0, 1)

    def gates(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(self.integrated(scores))

    def integrated(self, scores: Tensor) -> Tensor:
        """Leak half of the charge from step to step of axis 0."""
        charge, steps = torch.zeros_like(scores[0]), []
        for score in scores:
            charge = (charge + score) / 2
            steps.append(charge)
        return torch.stack(steps)


class ChargeOfOthers(TokenGateOfAClip):
    """zhouchenlin2096/QKFormer#17: samples and frames are one axis.

    The integrator runs from the last sample of a frame to the first sample
    of the next one, and through all samples in between.
    """

    def integrated(self, scores: Tensor) -> Tensor:
        return super().integrated(scores.flatten(0, 1)).view_as(scores)


def reaches_other_samples(module: nn.Module) -> float:
    (gap,) = moved(module, CLIP(), 0)
    return largest(gap[1])


KEPT = (
    Bug(
        "sorted twice",
        "lablup/mlxcel#1600",
        "The image reaches the language model scrambled, at some sizes.",
        "window",
        lambda: SortedTwice(32),
        lambda: OrderedWindows(32),
        WINDOWED,
        outside_the_window,
        1,
    ),
    Bug(
        "the mean of a square",
        "Jongchan/attention-module#50",
        "Only square inputs work; slightly wide ones run, and are gated by "
        "their left part.",
        "se",
        lambda: MeanOfASquare(32),
        lambda: ChannelGate(32),
        MAP,
        columns_without_a_say,
        2,
    ),
    Bug(
        "the last row is lost",
        "tensorflow/models#2016",
        "The identity stretches an image and blackens two of its edges.",
        "stn",
        LastRowLost,
        Resampler,
        with_theta,
        away_from_identity,
        0.1,
    ),
    Bug(
        "causal only with a mask",
        "facebookresearch/xformers#103",
        "Tokens see what they should predict, unless a mask happens to be "
        "given.",
        "self-attention",
        lambda: CausalOnlyWithAMask(32),
        lambda: CausalAttention(32),
        TOKENS,
        the_future_reaches_the_past,
        0.01,
    ),
    Bug(
        "patches by view",
        "gupta-abhay/pytorch-vit#7",
        "The words of an image come from different places in it.",
        "self-attention",
        PatchesByView,
        PatchAttention,
        IMAGES,
        patches_that_do_not_follow,
        0.1,
    ),
    Bug(
        "width by height",
        "facebookresearch/dinov2#582",
        "Patches of images that are not square get positions of others.",
        "self-attention",
        lambda: WidthByHeight(32),
        lambda: PositionedAttention(32),
        MAP,
        code_that_is_no_row,
        0.1,
    ),
    Bug(
        "two sigmoids",
        "jianlin-cheng/DProQA#3",
        "The gate never closes; the published weights were trained so.",
        "gate",
        lambda: SigmoidTwice(32),
        lambda: MessageGate(32),
        TOKENS,
        passes_a_closed_gate,
        0.4,
    ),
    Bug(
        "row weights turned",
        "speedinghzl/CCNet#105",
        "Positions gather with the weights of others along one axis.",
        "axial",
        lambda: CrissCrossTurned(32),
        lambda: CrissCross(32),
        MAP,
        off_a_constant,
        0.01,
    ),
    Bug(
        "a gate that is not called",
        "keras-team/keras-cv#1502",
        "A network with gates in its name and parameters has none.",
        "se",
        lambda: GateNotCalled(32),
        lambda: BlockWithGate(32),
        MAP,
        parameters_without_effect,
        4,
    ),
    Bug(
        "the charge of other samples",
        "zhouchenlin2096/QKFormer#17",
        "What a sample gets depends on which samples share its batch.",
        "gate",
        lambda: ChargeOfOthers(32),
        lambda: TokenGateOfAClip(32),
        CLIP,
        reaches_other_samples,
        0.001,
    ),
)
