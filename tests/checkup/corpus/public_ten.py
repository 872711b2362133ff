"""Ten bugs that the first checkup passed, or blamed on something else.

Their code is on display in the bug museum.
"""

import torch
from torch import nn

from attncourse.bugs import layouts, made_late, streams, windows
from tests.checkup.corpus import Bug, largest, moved, random, shuffled

PAIR = random((2, 10, 32), (2, 10, 32))
ODD = random((2, 32, 13, 14))  # no whole number of windows
WHOLE = random((2, 32, 12, 16))
BLOCKS = random((2, 32, 2, 6, 8))
MAP = random((2, 32, 5, 7))
WIDE = random((2, 32, 4, 6))
CLIP = random((2, 32, 3, 4, 5))
MAPS = random((2, 16, 6, 8), (2, 16, 6, 8))
TOKENS = random((2, 10, 32))


def unequal_treatment(module: nn.Module) -> float:
    """How far outputs are from changing places with the inputs."""
    left, right = PAIR()
    one, two = module(left, right), module(right, left)
    return max(largest(one[0] - two[1]), largest(one[1] - two[0]))


def not_most_on_itself(module: streams.ChannelAffinity) -> float:
    """The share of channels that give most weight to another one."""
    (x,) = MAP()
    rows = x.flatten(2)
    weights = module.weights(rows @ rows.mT / rows.shape[-1] ** 0.5)
    return float((weights.argmax(-1) != torch.arange(32)).double().mean())


def across_the_border(inputs):
    """Positions that pixel (0, 0) reaches outside of its window."""

    def count(module: nn.Module) -> float:
        (gap,) = moved(module, inputs(), 0, slice(None), 0, 0)
        outside = torch.ones_like(gap[0, 0], dtype=torch.bool)
        outside[:4, :4] = False
        return float((gap[0].amax(0) > 1e-6)[outside].sum())

    return count


def offsets_without_a_number(module: windows.VolumeAttention) -> float:
    """How many of the offsets have no number of their own."""
    return module.bias.numel() - module.index.unique().numel()


def depends_on_place(module: nn.Module) -> float:
    """How far the output is from following the positions."""
    (x,) = MAP()
    return largest(module(shuffled(x)) - shuffled(module(x)))


def outside_the_column(module: nn.Module) -> float:
    """How many positions of other columns a pixel reaches."""
    (gap,) = moved(module, WIDE(), 0, slice(None), 1, 2)
    gap[..., 2] = 0
    return float((gap[0].amax(0) > 1e-6).sum())


def reaches_other_frames(module: nn.Module) -> float:
    """How far the other frames move if one is changed."""
    (gap,) = moved(module, CLIP(), 0, slice(None), 0)
    return largest(gap[:, :, 1:])


def passes_without_the_fine(module: nn.Module) -> float:
    """What passes where the fine map is zero."""
    fine, coarse = MAPS()
    return largest(module(torch.zeros_like(fine), coarse))


def second_call(module: nn.Module) -> float:
    """How far two calls differ in eval mode."""
    (x,) = TOKENS()
    return largest(module(x) - module(x))


PUBLIC_TEN = (
    Bug(
        "the second image sees the first after its update",
        "zju3dv/LoFTR#176",
        "Matches depend on which image is given first; copied to other "
        "matchers (zju3dv/MatchAnything#26), and somebody's training broke.",
        "cross-attention",
        lambda: streams.ExchangeInTurn(32),
        lambda: streams.Exchange(32),
        PAIR,
        unequal_treatment,
        0.1,
    ),
    Bug(
        "maximum minus likeness",
        "CASIA-IVA-Lab/DANet#106",
        "Channels gather from those unlike them, the reverse of the paper.",
        "self-attention",
        streams.UnlikeChannels,
        streams.ChannelAffinity,
        MAP,
        not_most_on_itself,
        1.0,
    ),
    Bug(
        "padded after the roll",
        "huggingface/pytorch-image-models#2438",
        "Pixels of one border attend to the opposite one, in images that "
        "are no whole number of windows.",
        "window",
        lambda: windows.PaddedAfterRoll(32),
        lambda: windows.WindowAttention(32),
        ODD,
        across_the_border(ODD),
        1,
    ),
    Bug(
        "three labels for nine parts",
        "zsyOAOA/ResShift#81",
        "The left border of an image attends to the right one.",
        "window",
        lambda: windows.LabelsOfRows(32),
        lambda: windows.WindowAttention(32),
        WHOLE,
        across_the_border(WHOLE),
        1,
    ),
    Bug(
        "offsets that share a number",
        "282857341/nnFormer#88",
        "A later frame and another row get one bias, so that the network "
        "cannot tell them apart.",
        "window",
        lambda: windows.CollidingOffsets(32),
        lambda: windows.VolumeAttention(32),
        BLOCKS,
        offsets_without_a_number,
        62,
    ),
    Bug(
        "heads to a map by reshape",
        "leaderj1001/Attention-Augmented-Conv2d#21",
        "What is attended at a pixel lands at other pixels.",
        "self-attention",
        lambda: layouts.MapByReshape(32),
        lambda: layouts.HeadsOnMaps(32),
        MAP,
        depends_on_place,
        0.1,
    ),
    Bug(
        "columns by view",
        "AngeLouCN/CaraNet#11",
        "A pixel attends to runs of its row in place of its column; "
        "plemeri/UACANet#8 reports the same.",
        "axial",
        lambda: layouts.ColumnsByView(32),
        lambda: layouts.ColumnAttention(32),
        WIDE,
        outside_the_column,
        1,
    ),
    Bug(
        "frames by reshape",
        "PKU-YuanGroup/Open-Sora-Plan#171",
        "Frames of a video are mixed where each should stay for itself; "
        "the model had to be trained again.",
        "self-attention",
        lambda: layouts.FramesByReshape(32),
        lambda: layouts.FrameAttention(32),
        CLIP,
        reaches_other_frames,
        0.01,
    ),
    Bug(
        "the gate on the coarse map",
        "BiaPyX/BiaPy#26",
        "The skip connection passes on the upsampled map twice, and the "
        "details of the fine one never.",
        "gate",
        lambda: streams.GateOnTheCoarse(16),
        lambda: streams.SkipGate(16),
        MAPS,
        passes_without_the_fine,
        0.1,
    ),
    Bug(
        "parameters made in the call",
        "leaderj1001/Stand-Alone-Self-Attention#2",
        "Weights are drawn anew in every call and never trained; "
        "Sandy-Zeng/NPAttack#3 reports the same.",
        "self-attention",
        lambda: made_late.TableOfTheCall(32),
        lambda: made_late.RelativeBias(32),
        TOKENS,
        second_call,
        0.1,
    ),
)
