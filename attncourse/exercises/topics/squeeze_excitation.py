"""Exercises of lesson 5, squeeze-and-excitation."""

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
)


@exercise(
    "squeeze_excitation.parameters",
    kind="predict",
    solution=2 * (2 * 512 * 32 + 32 + 512),
    praise="Two matrices of 32 x 512, their biases, and all of it twice. "
    "The last stage alone has three quarters of what the whole network adds.",
    hints=(
        "With reduction 16 the hidden layer has 512 / 16 units.",
        "One gate has a matrix down to 32 units and one back up to 512, each "
        "with a bias.",
        "And the stage has two blocks.",
    ),
)
def parameters(answer: Any) -> None:
    """Judge a number of parameters."""
    yours = expect_number(answer, "The number of parameters")
    whole = 2 * (2 * 512 * 32 + 32 + 512)
    mistakes = {
        whole / 2: "That is one gate; the stage has two blocks, each with a "
        "gate of its own.",
        2 * 2 * 512 * 32: "The biases are missing: 32 for the hidden layer "
        "and 512 for the gates, in both blocks.",
        2 * 512 * 32: "That is two matrices; the stage has two blocks, each "
        "with two matrices and two biases.",
        2 * (512 * 512 + 512): "That is one layer from 512 to 512 in each "
        "block; the bottleneck of 32 units makes two small ones of it.",
        2 * (2 * 512 * 512 + 512 + 512): "That has a hidden layer of 512 "
        "units; the reduction leaves 512 / 16 of them.",
        2 * (512 * 32 + 32): "That is the way down to 32 units alone; the "
        "way back up is missing.",
    }
    if yours in mistakes:
        raise Mistake(mistakes[yours])
    if yours != whole:
        raise Mistake(
            f"Not {yours:g}: count two matrices and two biases for one gate, "
            "then the gates of the stage."
        )


@exercise(
    "squeeze_excitation.ceiling",
    kind="predict",
    solution=0.625,
    praise="A quarter of the scenes need no cue, and of the others half are "
    "answered for the wrong dot.",
    hints=(
        "In which share of the scenes do texture and tint name the same "
        "class?",
        "There the dot does not matter. In the others the network gives the "
        "same answer for both dots.",
        "1/4 + 3/4 x 1/2.",
    ),
)
def ceiling(answer: Any) -> None:
    """Judge an accuracy."""
    yours = expect_number(answer, "The accuracy")
    mistakes = {
        62.5: "Give a share between zero and one.",
        2 / 3: "That is the value for three classes; with four, texture and "
        "tint agree less often.",
        0.5: "Where texture and tint name the same class, the network is "
        "right whatever the dot says; count those scenes too.",
        0.25: "That is guessing among four classes; the network does see "
        "texture and tint.",
        0.75: "Of the scenes where texture and tint disagree, it is right "
        "for one of the two dots, not for none or all.",
        1.0: "The network would have to give another answer for the other "
        "dot, and its loss is smallest when it does not.",
    }
    for wrong, message in mistakes.items():
        if abs(yours - wrong) < 0.002:
            raise Mistake(message)
    if not abs(yours - 0.625) < 0.002:
        raise Mistake(
            f"Not {yours:g}: add up the scenes where texture and tint agree "
            "and half of those where they do not."
        )


def eca_solution(x: Tensor, taps: Tensor) -> Tensor:
    """Efficient channel attention: the filter runs along the channels."""
    squeezed = x.mean((2, 3))
    scores = F.conv1d(squeezed[:, None], taps[None, None], padding=1)
    return x * scores[:, 0].sigmoid()[..., None, None]


@exercise(
    "squeeze_excitation.eca",
    kind="find",
    solution=eca_solution,
    praise="`conv1d` slides along its last axis, and now that is the axis "
    "of the channels.",
    hints=(
        "Change one image of the batch. Which outputs change?",
        "`F.conv1d` takes (batch, channels in, length) and slides along the "
        "length. What is the length in the printed code?",
        "Give it (batch, 1, channels): `squeezed[:, None]`.",
    ),
)
def eca(answer: Any) -> None:
    """Judge `answer(x, taps)`, the fixed code."""
    x, taps = torch.randn(5, 7, 3, 2), torch.randn(3)
    yours = expect_tensor(answer(x, taps), "The output", (5, 7, 3, 2))
    pooled = x.mean((0, 2, 3)).expand(5, 7)
    shared = F.conv1d(pooled[:, None], taps[None, None], padding=1)[:, 0]
    if close(yours, x * shared.sigmoid()[..., None, None]):
        raise Mistake(
            "The squeeze takes the mean over the batch as well, so all "
            "images get the same gates; it should run over rows and columns."
        )
    other = torch.cat([x[:1], torch.randn(4, 7, 3, 2)])
    again = expect_tensor(answer(other, taps), "The output", (5, 7, 3, 2))
    if not close(yours[0], again[0]):
        raise Mistake(
            "The first image gets another answer when the others change: "
            "something still runs along the batch."
        )
    squeezed = x.mean((2, 3))
    scores = F.conv1d(squeezed[:, None], taps[None, None], padding=1)[:, 0]
    ring = F.pad(squeezed[:, None], (1, 1), mode="circular")
    for factors, message in (
        (
            scores,
            "The map is multiplied by the scores; the sigmoid is missing.",
        ),
        (
            scores.softmax(1),
            "The channels compete now; the gates are sigmoids.",
        ),
        (
            F.conv1d(ring, taps[None, None])[:, 0].sigmoid(),
            "The channels are closed to a ring; at the ends the printed code "
            "pads with zeros.",
        ),
        (
            F.conv1d(squeezed[:, None], taps.flip(0)[None, None], padding=1)[
                :, 0
            ].sigmoid(),
            "The filter is turned round; `conv1d` does not flip its taps.",
        ),
    ):
        if close(yours, x * factors[..., None, None]):
            raise Mistake(message)
    expect_close(
        yours,
        eca_solution(x, taps),
        "Each image is on its own now, but the numbers are not those of the "
        "filter along the channels.",
    )


def neutral_solution(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    """Softmax gates among the live channels, one where scores are equal."""
    shares = scores.masked_fill(~live, float("-inf")).softmax(1)
    left = live.sum(1, keepdim=True)
    return x * (left * shares)[..., None, None]


@exercise(
    "squeeze_excitation.neutral",
    kind="change",
    solution=neutral_solution,
    praise="The mean gate of the live channels is one, however many there "
    "are.",
    hints=(
        "A dead channel must get no share. Which score has the exponential "
        "zero?",
        "What is every share when k live channels have equal scores? By what "
        "must you multiply to get one?",
        "`live.sum(1, keepdim=True)` counts the live channels of each image.",
    ),
)
def neutral(answer: Any) -> None:
    """Judge `answer(x, scores, live)`."""
    shape = batch, channels, _, _ = (5, 13, 4, 2)  # no root, no product agree
    x, scores = torch.randn(shape), torch.randn(batch, channels)
    dead = torch.tensor([0, 2, 3, 5, 7])[:, None]  # as many in each image
    order = torch.rand(batch, channels).argsort(1)
    live = order >= dead
    yours = expect_tensor(answer(x, scores, live), "The output", shape)
    left = live.sum(1, keepdim=True)
    every = scores.softmax(1)
    shares = scores.masked_fill(~live, float("-inf")).softmax(1)
    top = shares.amax(1, keepdim=True)
    for factors, message in (
        (
            every,
            "Nothing has changed yet: dead channels still get a share, and "
            "with equal scores the map shrinks.",
        ),
        (
            shares,
            "The shares are right, but with equal scores the map still "
            "shrinks: the gates should have the mean one over live channels.",
        ),
        (
            channels * shares,
            "You multiply by the number of all channels; where some are "
            "dead, equal scores now make the live ones too large.",
        ),
        (
            channels * every * live,
            "Dead channels are set to zero after the softmax, so they still "
            "take their share of it from the live ones.",
        ),
        (
            left * every * live,
            "Dead channels are set to zero after the softmax, so they still "
            "take their share of it from the live ones.",
        ),
        (
            left**0.5 * shares,
            "The root of the number of live channels is not enough: with "
            "equal scores the map shrinks by the other root.",
        ),
        (
            batch * shares,
            "You multiply by the size of the batch; what counts is how many "
            "channels share one unit.",
        ),
        (
            shares / top,
            "Dividing by the largest share lets equal scores pass, but then "
            "no channel can be raised: the mean over live channels should "
            "be one.",
        ),
        (
            2 * scores.sigmoid() * live,
            "Equal scores of zero pass, but these are sigmoid gates: they do "
            "not compete any more.",
        ),
        (
            live * (1 + shares),
            "One plus the share raises every channel: with equal scores the "
            "map grows.",
        ),
        (
            batch * scores.softmax(0) * live,
            "The softmax runs over the batch: images compete, not channels.",
        ),
    ):
        if close(yours, x * factors[..., None, None]):
            raise Mistake(message)
    if yours[~live].any():
        raise Mistake("Dead channels should come out as zeros.")
    one = torch.full_like(scores, 0.7)
    even = expect_tensor(answer(x, one, live), "The output", shape)
    expect_close(
        even,
        x * live[..., None, None],
        "With equal scores the live channels should come out as they came.",
    )
    expect_close(
        yours,
        neutral_solution(x, scores, live),
        "Equal scores pass, but the gates of the live channels are not in "
        "the proportions of the softmax.",
    )


@exercise(
    "squeeze_excitation.open_gate",
    kind="write",
    answer="class",
    hand_in=True,
    praise="It changes next to nothing when it is put in, and everything in "
    "it can learn.",
    hints=(
        "Which score has a gate of nearly one?",
        "The bias of the second layer is a parameter like any other; "
        "`nn.init.constant_` sets it.",
        "Random weights of the second layer move the gates away from what "
        "its bias says. How large may they be at the start?",
    ),
)
def open_gate(answer: Any) -> None:
    """Judge a class by what its modules do."""
    channels, reduction = 24, 4
    layer = answer(channels, reduction)
    count = sum(parameter.numel() for parameter in layer.parameters())
    wanted = 2 * channels * channels // reduction
    wanted += channels // reduction + channels
    if count != wanted:
        raise Mistake(
            f"It has {count} parameters, but two layers with their biases "
            f"have {wanted}."
        )
    x = 3 * torch.rand(5, channels, 7, 9) + 0.1
    fresh = _factors(layer, x)
    if not ((fresh > 0.95) & (fresh < 1.05)).all():
        raise Mistake(
            f"Fresh, its gates run from {fresh.min():.2f} to "
            f"{fresh.max():.2f}; they should be within five per cent of one."
        )
    (layer(x) * torch.randn_like(x)).sum().backward()
    for name, parameter in layer.named_parameters():
        gradient = parameter.grad
        second = parameter.shape[0] == channels
        if second and (gradient is None or not gradient.any()):
            raise Mistake(
                f"In the first step `{name}` gets no gradient, so the gates "
                "cannot begin to learn."
            )
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    trained = _factors(layer, x)
    if not ((trained > 0) & (trained < 1)).all():
        raise Mistake(
            "With other parameters some gates are not between zero and one: "
            "a sigmoid should have the last word."
        )
    if trained.std(1).min() < 1e-3 or trained.std(0).max() < 1e-3:
        raise Mistake(
            "With random parameters the gates should differ between channels "
            "and between images."
        )
    if not close(_factors(layer, x[:1]), trained[:1]):
        raise Mistake("The gates of an image depend on its batch.")
    mixed = x.flatten(2)[..., torch.randperm(63)].view_as(x)
    if not close(_factors(layer, mixed), trained):
        raise Mistake(
            "The gates change when the positions are shuffled; the squeeze "
            "should be the mean over all positions."
        )
    scale = 2 * x
    if close(_factors(layer, scale), trained):
        raise Mistake("The gates do not depend on the means of the channels.")


def _factors(layer: Any, x: Tensor) -> Tensor:
    """Gates of a layer: (batch, channels); they must not vary on the map."""
    with torch.no_grad():
        given = expect_tensor(layer(x.clone()), "The output", tuple(x.shape))
    ratio = (given / x).flatten(2)
    if (ratio.amax(2) - ratio.amin(2)).max() > 1e-3:
        raise Mistake("Positions of one channel get different factors.")
    return ratio[..., 0]
