"""What lesson 6 says in words, held against the records and the code."""

import pytest
import torch
from torch import Tensor, nn

from attncourse import metrics, trials
from attncourse.attention import SelectiveKernel
from attncourse.bugs.branches import SoftmaxOverChannels

NAME = "sk-follows-size"


def series(metric: str) -> dict[str, trials.Series]:
    return {
        variant: result.metrics[metric]
        for variant, result in trials.load(NAME).variants.items()
        if metric in result.metrics
    }


def test_which_reach_is_better_depends_on_the_size() -> None:
    small, large = series("accuracy_10"), series("accuracy_26")
    assert small["small"].mean > small["large"].mean
    assert large["large"].mean > large["small"].mean


def test_predictions_that_the_text_calls_not_settled() -> None:
    record, claim = trials.load(NAME), trials.claim(NAME)
    found = {
        (each.metric, each.against): each.verdict(record)
        for each in claim.predictions
    }
    for key in (("rank", None), ("accuracy", "sum"), ("accuracy", "plain")):
        assert found[key] == "not settled"


def test_two_networks_that_cannot_choose_have_most_of_the_gain() -> None:
    mean = {name: each.mean for name, each in series("accuracy").items()}
    gain = mean["selective"] - mean["sum"]
    assert gain > 0
    for name in ("small", "wrong"):
        assert mean[name] - mean["sum"] > gain / 2


def test_untrained_weights_follow_the_size_more_strictly() -> None:
    rank, untrained = series("rank"), series("untrained_rank")
    assert sum(map(abs, untrained["selective"])) > sum(
        map(abs, rank["selective"])
    )
    assert (
        min(untrained["selective"]) < -0.9 < 0.9 < max(untrained["selective"])
    )
    assert rank["selective"].mean > max(rank["small"].mean, rank["large"].mean)


def test_the_cost_of_other_weights_is_more_than_selecting_is_worth() -> None:
    accuracy = series("accuracy")
    worth = accuracy["selective"].mean - accuracy["plain"].mean
    assert series("drop_shuffled")["selective"].mean > 3 * worth


def seen_by_one_output(network: nn.Module, side: int) -> int:
    """From the first to the last column that one output depends on."""
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    image = torch.ones(1, 1, side, side, requires_grad=True)
    output: Tensor = network(image)
    output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()
    assert image.grad is not None
    columns = image.grad[0, 0].sum(0).nonzero()
    return int(columns.max() - columns.min()) + 1


def convolution(stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        1, 1, 3, stride, padding=dilation, dilation=dilation, bias=False
    )


@pytest.mark.parametrize(("dilation", "width"), [(1, 7), (3, 15)])
def test_the_two_squares_of_the_first_figure(
    dilation: int, width: int
) -> None:
    network = nn.Sequential(convolution(2), convolution(dilation=dilation))
    assert seen_by_one_output(network, 41) == width


def test_the_answer_to_the_first_exercise() -> None:
    network = nn.Sequential(
        convolution(2), convolution(2), convolution(dilation=2)
    )
    assert seen_by_one_output(network, 81) == 23


@pytest.mark.parametrize("kernels", [(3, 7), (3, 5, 7)])
def test_the_wrong_axis_shrinks_by_channels_over_branches(
    kernels: tuple[int, ...],
) -> None:
    torch.manual_seed(0)
    right = SelectiveKernel(32, kernels, groups=8, hidden_dim=8).eval()
    wrong = SoftmaxOverChannels(32, kernels, groups=8, hidden_dim=8).eval()
    for layer in (right, wrong):
        nn.init.zeros_(layer.select.weight)  # equal scores
    wrong.load_state_dict(right.state_dict())
    x = torch.randn(2, 32, 9, 9)
    ratio = right(x).norm() / wrong(x).norm()
    assert ratio.item() == pytest.approx(32 / len(kernels), rel=1e-4)


def test_a_branch_costs_the_same_whatever_its_reach() -> None:
    small, large = (
        SelectiveKernel(16, kernels, groups=4).branches[0]
        for kernels in ((3, 3), (7, 7))
    )
    ways = {"small": small, "large": large}
    found = metrics.costs(ways, torch.randn(1, 16, 20, 20), repeats=1)
    assert found["small"].multiply_adds == found["large"].multiply_adds
    assert found["small"].multiply_adds == 9 * 400 * 16 * 16 // 4
