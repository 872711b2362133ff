"""Ten further bugs, to look at while the checkup is written.

Twenty were listed before any was tried, and dealt out in turn; `kept` has
the other ten.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse.bugs import layouts, warping, windows
from tests.checkup.corpus import Bug, largest, moved, random, shuffled

WINDOWED = random((2, 32, 8, 12))
MAP = random((2, 32, 5, 7))
WARPED = random((2, 3, 8, 12), (2, 2, 8, 12))
TOKENS = random((3, 10, 32))
ROWS = random((2, 32, 6, 8))


class WindowsByView(windows.WindowAttention):
    """ByChelsea/CMOS#4: windows are cut and joined without a permute.

    Each holds a run of pixels in the order of reading, so that the map is
    scrambled.
    """

    def cut(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        return last.reshape(len(x), -1, self.window**2, x.shape[1])

    def join(self, windows: Tensor, h: int) -> Tensor:
        last = windows.reshape(len(windows), h, -1, windows.shape[-1])
        return last.permute(0, 3, 1, 2)


def outside_the_window(module: nn.Module) -> float:
    (gap,) = moved(module, WINDOWED(), 0, slice(None), 0, 0)
    outside = torch.ones(8, 12, dtype=torch.bool)
    outside[:4, :4] = False
    return float((gap[0].amax(0) > 1e-6)[outside].sum())


class SpatialGate(nn.Module):
    """Right: one number for each position."""

    def __init__(self, channels: int, maps: int = 1) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, maps, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.score(x))


class SpatialGateOfEachChannel(SpatialGate):
    """qubvel-org/segmentation_models.pytorch#113: C maps in place of one."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, maps=channels)


def channels_gated_apart(module: nn.Module) -> float:
    (x,) = MAP()
    ratio = module(x) / x
    return largest(ratio.amax(1) - ratio.amin(1))


def away_from_identity(module: nn.Module) -> float:
    x, displacement = WARPED()
    return largest(module(x, torch.zeros_like(displacement)) - x)


class PaddedAttention(nn.Module):
    """Right: True in the mask is a token, False is padding."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, 3 * dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = self.project(x).chunk(3, dim=-1)
        scores = query @ key.mT / query.shape[-1] ** 0.5
        return self.hide(scores, mask).softmax(-1) @ value

    def hide(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(~mask[:, None, :], -10000)


class PaddingHidesQueries(PaddedAttention):
    """hyunwoongko/transformer#40: the mask lies along the queries.

    Padding is attended by everyone, and padded queries get a plain mean.
    """

    def hide(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(~mask[:, :, None], -10000)


def padded() -> tuple[Tensor, Tensor]:
    (x,) = TOKENS()
    mask = torch.ones(3, 10, dtype=torch.bool)
    mask[:, 7:] = False
    return x, mask


def padding_reaches_tokens(module: nn.Module) -> float:
    (gap,) = moved(module, padded(), slice(None), slice(7, None))
    return largest(gap[:, :7])


def order_of_pixels(module: nn.Module) -> float:
    (x,) = MAP()
    return largest(module(shuffled(x)) - module(x))


class WindowBias(windows.VolumeAttention):
    """Right: blocks of one frame, that is, windows of 3 by 4."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, block=(1, 3, 4))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, None])[:, :, 0]


class StepOfTheHeight(WindowBias):
    """leondgarse/keras_cv_attention_models#26: height taken for width.

    On windows that are not square, offsets share a bias.
    """

    def number(self, offsets: Tensor) -> Tensor:
        step = 2 * self.block[1] - 1
        return (offsets * torch.tensor((0, step, 1))).sum(-1)


def offsets_without_a_number(module: windows.VolumeAttention) -> float:
    return module.bias.numel() - module.index.unique().numel()


class GatedAttention(nn.Module):
    """Right: each token opens a gate for what it gathers."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, 3 * dim)
        self.gate = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        mixed = layouts.mix(x, self.project)
        return mixed * self.opening(x)

    def opening(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.gate(x))


class GateWithoutSigmoid(GatedAttention):
    """lucidrains/alphafold2#84: the gate lacks its sigmoid.

    It amplifies, and turns the sign of half of what passes.
    """

    def opening(self, x: Tensor) -> Tensor:
        return self.gate(x)


def openings_outside(module: GatedAttention) -> float:
    opening = module.opening(TOKENS()[0])
    return float(((opening < 0) | (opening > 1)).double().mean())


class DoubleAttention(nn.Module):
    """Right: maps gather descriptors; positions take their share."""

    def __init__(self, channels: int, maps: int = 8) -> None:
        super().__init__()
        self.maps = maps
        self.value = nn.Conv2d(channels, channels, kernel_size=1)
        self.score = nn.Conv2d(channels, 2 * maps, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        gather, share = self.score(x).flatten(2).chunk(2, dim=1)
        value = self.value(x).flatten(2)
        descriptors = value @ self.normalised(gather).mT
        return (descriptors @ share.softmax(dim=1)).view_as(x)

    def normalised(self, scores: Tensor) -> Tensor:
        return scores.softmax(dim=-1)


class MapsCompete(DoubleAttention):
    """gjylt/DoubleAttentionNet#3: the first softmax runs over the maps.

    A descriptor is then no mean over positions, and grows with the image.
    """

    def normalised(self, scores: Tensor) -> Tensor:
        return scores.softmax(dim=1)


def grows_with_the_image(module: nn.Module) -> float:
    (x,) = MAP()
    return largest(module(torch.cat((x, x), dim=3))[..., :7] - module(x))


class Layers(nn.Module):
    """Right: two layers of attention, one after the other."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = self.gathered([nn.Linear(dim, 3 * dim) for _ in "12"])

    def gathered(self, layers: list[nn.Linear]) -> nn.ModuleList:
        return nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layouts.mix(x, layer)
        return x


class LayersInAList(Layers):
    """maruya24/pytorch_robotics_transformer#3: a Python list of layers.

    They are in no `parameters()`: more layers, and not a number more to
    train.
    """

    def gathered(self, layers):
        return layers


def left_when_all_parameters_are_zero(module: nn.Module) -> float:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    return largest(module(TOKENS()[0]))


class UnshiftedWindows(windows.WindowAttention):
    """Right: windows that are not rolled need no labels but the padding's."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, shift=0)


class LabelsWithoutShift(UnshiftedWindows):
    """JingyunLiang/SwinIR#153: the mask for shifted windows, always.

    At the lower and right edge positions of one window do not see each
    other.
    """

    def labels(self, height: int, width: int) -> Tensor:
        half = self.window // 2
        down = F.pad(torch.zeros(height - half), (0, half), value=1)
        across = F.pad(torch.zeros(width - half), (0, half), value=1)
        return down[:, None] + 2 * across


def unseen_in_the_last_window(module: nn.Module) -> float:
    (gap,) = moved(module, WINDOWED(), 0, slice(None), -1, -1)
    return float((gap[0].amax(0) < 1e-6)[-4:, -4:].sum())


TUNING = (
    Bug(
        "windows by view",
        "ByChelsea/CMOS#4",
        "The map is scrambled: a window holds pixels that are no square.",
        "window",
        lambda: WindowsByView(32, shift=0),
        lambda: windows.WindowAttention(32, shift=0),
        WINDOWED,
        outside_the_window,
        1,
    ),
    Bug(
        "a spatial gate of C maps",
        "qubvel-org/segmentation_models.pytorch#113",
        "The spatial half of the block gates channels, too, with C times "
        "the weights of the paper.",
        "spatial",
        lambda: SpatialGateOfEachChannel(32),
        lambda: SpatialGate(32),
        MAP,
        channels_gated_apart,
        0.1,
    ),
    Bug(
        "a grid of rows first",
        "voxelmorph/voxelmorph#652",
        "A warped image comes out with its axes exchanged.",
        "stn",
        warping.RowsFirst,
        warping.Warp,
        WARPED,
        away_from_identity,
        0.1,
    ),
    Bug(
        "padding hides queries",
        "hyunwoongko/transformer#40",
        "Padding is attended as if it were there; a large finite fill "
        "keeps it from being noticed.",
        "self-attention",
        lambda: PaddingHidesQueries(32),
        lambda: PaddedAttention(32),
        padded,
        padding_reaches_tokens,
        0.01,
    ),
    Bug(
        "pixels by view",
        "fawazsammani/knowing-when-to-look-adaptive-attention#6",
        "A caption attends to mixtures of channels in place of regions; "
        "the model had to be trained again.",
        "pooling",
        lambda: layouts.PixelsByView(32),
        lambda: layouts.PixelPooling(32),
        MAP,
        order_of_pixels,
        0.01,
    ),
    Bug(
        "height for width in the offsets",
        "leondgarse/keras_cv_attention_models#26",
        "In windows that are not square, different offsets share a bias.",
        "window",
        lambda: StepOfTheHeight(32),
        lambda: WindowBias(32),
        ROWS,
        offsets_without_a_number,
        8,
    ),
    Bug(
        "a gate without a sigmoid",
        "lucidrains/alphafold2#84",
        "What should let through more or less changes signs.",
        "self-attention",
        lambda: GateWithoutSigmoid(32),
        lambda: GatedAttention(32),
        TOKENS,
        openings_outside,
        0.3,
    ),
    Bug(
        "maps compete, not positions",
        "gjylt/DoubleAttentionNet#3",
        "A descriptor is no mean over the image, and larger images give "
        "larger numbers.",
        "self-attention",
        lambda: MapsCompete(32),
        lambda: DoubleAttention(32),
        MAP,
        grows_with_the_image,
        0.1,
    ),
    Bug(
        "layers in a list",
        "maruya24/pytorch_robotics_transformer#3",
        "More layers brought no more parameters: those in the list are "
        "never trained.",
        "self-attention",
        lambda: LayersInAList(32),
        lambda: Layers(32),
        TOKENS,
        left_when_all_parameters_are_zero,
        0.01,
    ),
    Bug(
        "labels without a shift",
        "JingyunLiang/SwinIR#153",
        "At two edges of the image, pixels of one window are hidden from "
        "each other.",
        "window",
        lambda: LabelsWithoutShift(32),
        lambda: UnshiftedWindows(32),
        WINDOWED,
        unseen_in_the_last_window,
        12,
    ),
)
