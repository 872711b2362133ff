"""The code of each exhibit of the bug museum, by number.

A visitor who is to find the mistake must not read its name first.
"""

from collections.abc import Callable
from typing import Any

from attncourse.attention import MultiHeadAttention
from attncourse.bugs import (
    blocks,
    cbam,
    faces,
    layouts,
    library_calls,
    made_late,
    multihead,
    pairwise_maps,
    single_head,
    streams,
    warping,
    windows,
)

Code = Callable[..., Any]

_EXHIBITS: tuple[Code | tuple[Code, Code], ...] = (
    single_head.OneNumberSoftmax.forward,
    (single_head.SingleHead.weights, single_head.SoftmaxOverQueries.weights),
    single_head.SoftmaxOverSamples.weights,
    (single_head.KeysInRows.forward, single_head.SingleHead.forward),
    blocks.BranchesOfTheBatch.attend,
    (pairwise_maps.WithoutTranspose2d.mix, pairwise_maps._Explicit.mix),
    library_calls.rollout_step,
    library_calls.BatchFirstForgotten.__init__,
    (multihead.HeadsByView._split, MultiHeadAttention._split),
    (MultiHeadAttention._merge, library_calls.HeadsJoinedByView._merge),
    (layouts.MapByReshape.to_map, layouts.HeadsOnMaps.to_map),
    (layouts.ColumnAttention.forward, layouts.ColumnsByView.forward),
    (layouts.FrameAttention.to_tokens, layouts.FramesByReshape.to_tokens),
    (layouts.PixelsByView.to_tokens, layouts.PixelPooling.to_tokens),
    faces.BatchByView.forward,
    single_head.InvertedMask.hide,
    single_head.ForgottenMask.hide,
    (single_head.SingleHead.hide, single_head.FilledByWhere.hide),
    library_calls.RepeatedMask.forward,
    single_head.HugeFill.hide,
    single_head.EmptyRow.hide,
    (windows.PaddedAfterRoll.arrange, windows.WindowAttention.arrange),
    (windows.WindowAttention.labels, windows.LabelsOfRows.labels),
    (windows.CollidingOffsets.number, windows.VolumeAttention.number),
    cbam.DeadMaximum.gates,
    cbam.TwoPerceptrons.gates,
    blocks.ReductionAsWidth.__init__,
    blocks.GateAddedTwice.forward,
    (streams.GateOnTheCoarse.forward, streams.SkipGate.forward),
    single_head.Unscaled.forward,
    single_head.ScaledTooLate.forward,
    multihead.ScaledByFullWidth.forward,
    (streams.ChannelAffinity.weights, streams.UnlikeChannels.weights),
    blocks.InPlaceShortcut.__init__,
    blocks.DetachedDistillation.forward,
    library_calls.DropoutInEvaluation.forward,
    library_calls.WeightsAfterDropout.forward,
    (streams.ExchangeInTurn.forward, streams.Exchange.forward),
    (made_late.RelativeBias.bias, made_late.TableOfTheCall.bias),
    single_head.PositionsOfTheBatch.forward,
    single_head.OnePositionForAll.forward,
    library_calls.MixedCorners.forward,
    (warping.Warp.grid, warping.RowsFirst.grid),
)


def exhibit(number: int) -> Code:
    """Return the function that an exhibit shows, counted from one.

    Raises
    ------
    ValueError
        If there is no exhibit of that number, or if it shows two.
    """
    found = _found(number)
    if isinstance(found, tuple):
        raise ValueError(f"exhibit {number} has two versions: use versions()")
    return found


def versions(number: int) -> tuple[Code, Code]:
    """Return both versions that an exhibit shows, for `viz.versions`.

    Raises
    ------
    ValueError
        If there is no exhibit of that number, or if it shows one.
    """
    found = _found(number)
    if not isinstance(found, tuple):
        raise ValueError(f"exhibit {number} has one version: use exhibit()")
    return found


def _found(number: int) -> Code | tuple[Code, Code]:
    if not 1 <= number <= len(_EXHIBITS):
        raise ValueError(
            f"number is {number}; one of 1 to {len(_EXHIBITS)} is needed"
        )
    return _EXHIBITS[number - 1]
