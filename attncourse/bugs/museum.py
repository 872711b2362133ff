"""The code of each exhibit of the bug museum, by number.

A visitor who is to find the mistake must not read its name first.
"""

from collections.abc import Callable
from typing import Any

from attncourse.bugs import (
    blocks,
    cbam,
    faces,
    library_calls,
    multihead,
    pairwise_maps,
    single_head,
)

_EXHIBITS: tuple[Callable[..., Any], ...] = (
    single_head.OneNumberSoftmax.forward,
    single_head.SoftmaxOverQueries.weights,
    single_head.SoftmaxOverSamples.weights,
    single_head.KeysInRows.forward,
    blocks.BranchesOfTheBatch.attend,
    pairwise_maps.WithoutTranspose2d.mix,
    single_head.Unscaled.forward,
    single_head.ScaledTooLate.forward,
    multihead.ScaledByFullWidth.forward,
    library_calls.BatchFirstForgotten.__init__,
    multihead.HeadsByView._split,
    library_calls.HeadsJoinedByView._merge,
    single_head.PositionsOfTheBatch.forward,
    single_head.OnePositionForAll.forward,
    faces.BatchByView.forward,
    single_head.InvertedMask.hide,
    single_head.ForgottenMask.hide,
    single_head.FilledByWhere.hide,
    library_calls.RepeatedMask.forward,
    single_head.HugeFill.hide,
    single_head.EmptyRow.hide,
    cbam.DeadMaximum.gates,
    cbam.TwoPerceptrons.gates,
    blocks.ReductionAsWidth.__init__,
    blocks.GateAddedTwice.forward,
    blocks.InPlaceShortcut.__init__,
    blocks.DetachedDistillation.forward,
    library_calls.DropoutInEvaluation.forward,
    library_calls.WeightsAfterDropout.forward,
    library_calls.rollout_step,
    library_calls.MixedCorners.forward,
)


def exhibit(number: int) -> Callable[..., Any]:
    """Return the function that an exhibit shows, counted from one.

    Raises
    ------
    ValueError
        If there is no exhibit of that number.
    """
    if not 1 <= number <= len(_EXHIBITS):
        raise ValueError(
            f"number is {number}; one of 1 to {len(_EXHIBITS)} is needed"
        )
    return _EXHIBITS[number - 1]
