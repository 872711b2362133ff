"""Exercises of lesson 7, CBAM."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_close,
    expect_number,
    expect_tensor,
    refuse,
)

Gate = Callable[[Tensor], Tensor]


def channel_gate_solution(
    x: Tensor, valid: Tensor, w0: Tensor, w1: Tensor
) -> Tensor:
    """Gates of the channels from the valid positions: (batch, channels)."""
    count = valid.sum((2, 3))
    average = (x * valid).sum((2, 3)) / count
    largest = x.masked_fill(~valid, float("-inf")).amax((2, 3))
    hidden = (average @ w0.T).relu() + (largest @ w0.T).relu()
    return (hidden @ w1.T).sigmoid()


@exercise(
    "cbam.channel_gate",
    kind="write",
    solution=channel_gate_solution,
    praise="Neither descriptor sees the padding, both pass the same two "
    "layers, and the sum passes one sigmoid.",
    hints=(
        "Without padding the descriptors are `x.mean((2, 3))` and "
        "`x.amax((2, 3))`. What does the padding do to each?",
        "The mean: add up what is valid and divide by how many positions "
        "are. The maximum: what must stand at the others so that it never "
        "wins?",
        "`x.masked_fill(~valid, float('-inf'))`. The rest is the equation: "
        "the sum of both stands in front of the sigmoid.",
    ),
)
def channel_gate(answer: Any) -> None:
    """Judge `answer(x, valid, w0, w1)`."""
    x = torch.randn(3, 8, 5, 7) - 1 + torch.randn(3, 8, 1, 1)
    valid = torch.zeros(3, 1, 5, 7, dtype=torch.bool)
    for image, (rows, columns) in enumerate(((5, 7), (3, 4), (2, 6))):
        valid[image, :, :rows, :columns] = True
    x[:, :1] -= 3  # a channel that is negative everywhere
    w0, w1 = torch.randn(6, 8), torch.randn(8, 6) / 6
    yours = expect_tensor(
        answer(x, valid, w0, w1), "The tensor of gates", (3, 8)
    )
    average = (x * valid).sum((2, 3)) / valid.sum((2, 3))
    largest = x.masked_fill(~valid, float("-inf")).amax((2, 3))
    zeros = (x * valid).amax((2, 3))

    def scores(descriptor: Tensor) -> Tensor:
        return (descriptor @ w0.T).relu() @ w1.T

    both = scores(average) + scores(largest)
    wrong = (
        (
            (scores(x.mean((2, 3))) + scores(x.amax((2, 3)))).sigmoid(),
            "The padding still counts: `valid` changes nothing in these "
            "gates.",
        ),
        (
            (scores(x.mean((2, 3))) + scores(largest)).sigmoid(),
            "The maximum is right, but the mean still counts the padding.",
        ),
        (
            (scores((x * valid).mean((2, 3))) + scores(largest)).sigmoid(),
            "The mean divides by all positions; divide by the number of "
            "valid ones.",
        ),
        (
            (scores((x * valid).mean((2, 3))) + scores(zeros)).sigmoid(),
            "Setting the padding to zero is not enough: the mean divides by "
            "all positions, and a zero wins against negative features.",
        ),
        (
            (scores(average) + scores(zeros)).sigmoid(),
            "The mean is right, but zeros in the padding win the maximum "
            "against negative features.",
        ),
        (
            (scores(average) + scores(x.amax((2, 3)))).sigmoid(),
            "The mean is right, but the maximum still sees the padding.",
        ),
        (
            both,
            "These are the scores; the sigmoid that brings them between zero "
            "and one is missing.",
        ),
        (
            scores(average).sigmoid() + scores(largest).sigmoid(),
            "The sum comes after the sigmoid, so these gates reach up to "
            "two; add the scores first.",
        ),
        (
            scores(average).sigmoid(),
            "Only the average is used, as in squeeze-and-excitation; the "
            "maximum is missing.",
        ),
        (
            (2 * scores(average)).sigmoid(),
            "The average is counted twice and the maximum never: look at "
            "what the second descriptor is made of.",
        ),
        (
            scores(largest).sigmoid(),
            "Only the maximum is used; the average is missing.",
        ),
        (
            scores(average + largest).sigmoid(),
            "The descriptors are added before the ReLU; each passes the "
            "hidden layer by itself.",
        ),
        (
            ((average @ w0.T + largest @ w0.T) @ w1.T).sigmoid(),
            "The ReLU of the hidden layer is missing: two linear layers are "
            "one.",
        ),
        (
            both.softmax(1),
            "The channels compete: each row sums to one, because a softmax "
            "stands where the sigmoid belongs.",
        ),
    )
    refuse(yours, wrong)
    expect_close(
        yours,
        channel_gate_solution(x, valid, w0, w1),
        "The shape is right, but the numbers are not those of the equation.",
    )


@exercise(
    "cbam.constant",
    kind="predict",
    solution=0.36 / (0.36 + 0.16),
    praise="On a flat map average and maximum are equal, so the score "
    "doubles, and the gate moves away from one half.",
    hints=(
        "What is the maximum of a channel that is the same at all positions?",
        "The two scores are added before the sigmoid. So which score has "
        "the gate now?",
        "A gate of 0.6 has the score log(0.6 / 0.4). Double it and apply "
        "the sigmoid.",
    ),
)
def constant(answer: Any) -> None:
    """Judge a gate."""
    yours = expect_number(answer, "The gate")
    mistakes = {
        0.6: "The maximum does not leave the gate as it was: its score is "
        "added to that of the average.",
        1.2: "That adds two gates, after the sigmoid; a gate of CBAM cannot "
        "be larger than one.",
        0.36: "That multiplies two gates; it is the scores that are added.",
        0.5: "The scores do not cancel; they are equal, with one sign.",
        0.3: "Nothing is halved; the scores are added, not averaged.",
    }
    for wrong, message in mistakes.items():
        if abs(yours - wrong) < 0.004:
            raise Mistake(message)
    if not abs(yours - 0.36 / 0.52) < 0.006:
        raise Mistake(
            f"Not {yours:g}: turn 0.6 into its score, double the score and "
            "turn it back into a gate."
        )


def order_solution(x: Tensor, channel: Gate, spatial: Gate) -> Tensor:
    """Gate the channels, then the positions of what is left."""
    x = x * channel(x)[..., None, None]
    return x * spatial(x)


@exercise(
    "cbam.order",
    kind="find",
    solution=order_solution,
    praise="The second gate now sees what the first one left; the printed "
    "code computed both from the input.",
    hints=(
        "Which map does each of the two gates look at in the printed code?",
        "The spatial gate should look at the map behind the channel gate.",
        "Keep the gated map under a name, and hand that to `spatial`.",
    ),
)
def order(answer: Any) -> None:
    """Judge `answer(x, channel, spatial)`."""
    x = torch.randn(3, 5, 7, 6)
    mix, kernel = torch.randn(5, 5), torch.randn(1, 2, 3, 3)

    def channel(x: Tensor) -> Tensor:
        return (x.mean((2, 3)) @ mix + x.amax((2, 3))).sigmoid()

    def spatial(x: Tensor) -> Tensor:
        pooled = [x.mean(1, keepdim=True), x.amax(1, keepdim=True)]
        return F.conv2d(torch.cat(pooled, dim=1), kernel, padding=1).sigmoid()

    yours = expect_tensor(
        answer(x, channel, spatial), "The gated map", (3, 5, 7, 6)
    )
    target = order_solution(x, channel, spatial)
    first = x * spatial(x)
    wrong = (
        (
            first * channel(x)[..., None, None],
            "Both gates still look at the input: the spatial gate should see "
            "what the channel gate left.",
        ),
        (
            first * channel(first)[..., None, None],
            "That gates the positions first; in CBAM the channels come first.",
        ),
        (
            x + target,
            "The gates are right, but the input is added; CBAM itself has no "
            "shortcut, the residual block around it has.",
        ),
        (
            x * spatial(x * channel(x)[..., None, None]),
            "The spatial gate is right, but it multiplies the input: the "
            "channel gate has been lost on the way.",
        ),
        (
            x * channel(x)[..., None, None],
            "Only the channels are gated; the gate of the positions is "
            "missing.",
        ),
    )
    refuse(yours, wrong)
    expect_close(
        yours, target, "The shape is right, but this is not x'' = M_s M_c x."
    )


@exercise(
    "cbam.take_out",
    kind="change",
    answer="function",
    hand_in=True,
    praise="A gate that does not look at the image is a part of the weights, "
    "and costs nothing.",
    hints=(
        "In evaluation mode a batch normalisation is one factor and one "
        "shift for each channel. Which, from its weight, bias, running mean, "
        "running variance and eps?",
        "A gate is positive. What is a positive number times a ReLU, if you "
        "bring it inside?",
        "Factors of a channel go to the first axis of the kernel, and to "
        "the bias as well. Take size, stride and padding from the old layer.",
    ),
)
def take_out(answer: Any) -> None:
    """Judge `answer(convolution, norm, gate)` by what its layer does."""
    convolution = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False)
    norm = nn.BatchNorm2d(6)
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
        norm.running_mean = torch.randn(6)
        norm.running_var = torch.rand(6) * 0.1 + 0.01
    norm.eps = 0.01  # large enough to be missed
    convolution.eval(), norm.eval()
    gate = torch.rand(6) * 0.7 + 0.1
    layers = nn.ModuleList([convolution, norm])
    before = {k: v.clone() for k, v in layers.state_dict().items()}
    yours = answer(convolution, norm, gate)
    after = layers.state_dict()
    if any(not torch.equal(before[name], after[name]) for name in before):
        raise Mistake(
            "It changes the layers that it was given; make a new one and "
            "leave them as they are."
        )
    if not isinstance(getattr(yours, "bias", None), Tensor):
        raise Mistake(
            "The result should be an `nn.Conv2d` with a bias: the shift of "
            "the normalisation has to go somewhere."
        )
    x = torch.randn(2, 4, 9, 8)
    mean = norm.running_mean
    assert mean is not None

    def is_it(shift: Tensor | float, scale: Tensor, deviation: Tensor) -> bool:
        factor = (scale * norm.weight / deviation)[:, None, None]
        moved = convolution(x) - mean[:, None, None]
        if isinstance(shift, Tensor):
            shift = shift[:, None, None]
        return close(found, (factor * moved + shift).relu())

    with torch.no_grad():
        found = expect_tensor(yours(x), "Its output", (2, 6, 5, 4)).relu()
        true = (norm.running_var + norm.eps).sqrt()
        one = torch.ones(6)
        for wrong, message in (
            (
                is_it(norm.bias, one, true),
                "It does what convolution and normalisation do; the gate is "
                "missing.",
            ),
            (
                is_it(norm.bias, gate, true),
                "The gate scales the kernel and not the bias of the "
                "normalisation.",
            ),
            (
                is_it(0.0, gate, true),
                "The bias of the normalisation is missing.",
            ),
            (
                is_it(gate * norm.bias, gate, norm.running_var.sqrt()),
                "The normalisation adds its `eps` to the variance before the "
                "root.",
            ),
            (
                is_it(gate * norm.bias, gate, norm.running_var + norm.eps),
                "The normalisation divides by the root of the variance, not "
                "by the variance.",
            ),
            (
                close(found, gate[:, None, None] * convolution(x).relu()),
                "Only the gate is in it; the normalisation is missing.",
            ),
        ):
            if wrong:
                raise Mistake(message)
        wanted = gate[:, None, None] * norm(convolution(x)).relu()
    expect_close(
        found,
        wanted,
        "Behind a ReLU it does not give what convolution, normalisation, "
        "ReLU and gate give.",
    )
