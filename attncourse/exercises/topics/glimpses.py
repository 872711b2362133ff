"""Exercises of lesson 12, glimpses."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_close,
    expect_detached,
    expect_number,
    expect_tensor,
    gradient,
    refuse,
)


def border_solution(image: Tensor, row: int, column: int, side: int) -> Tensor:
    """Two patches around one location, with zeros outside the image."""
    return _patches(F.pad(image, (side,) * 4), row + side, column + side, side)


def _patches(image: Tensor, row: int, column: int, side: int) -> Tensor:
    half = side // 2
    fine = image[row - half : row + half, column - half : column + half]
    wide = image[row - side : row + side, column - side : column + side]
    coarse = wide.reshape(side, 2, side, 2).mean((1, 3))
    return torch.stack([fine, coarse])


def _swapped(image: Tensor, row: int, column: int, side: int) -> Tensor:
    return border_solution(image, column, row, side)


def _from_the_corner(
    image: Tensor, row: int, column: int, side: int
) -> Tensor:
    half = side // 2
    larger = F.pad(image, (0, side, 0, side))
    return border_solution(larger, row + half, column + half, side)


def _pushed_inside(image: Tensor, row: int, column: int, side: int) -> Tensor:
    height, width = image.shape
    row = min(max(row, side), height - side)
    column = min(max(column, side), width - side)
    return _patches(image, row, column, side)


def _replicated(image: Tensor, row: int, column: int, side: int) -> Tensor:
    padded = F.pad(image[None, None], (side,) * 4, mode="replicate")[0, 0]
    return _patches(padded, row + side, column + side, side)


def _round_the_edge(image: Tensor, row: int, column: int, side: int) -> Tensor:
    padded = F.pad(image[None, None], (side,) * 4, mode="circular")[0, 0]
    return _patches(padded, row + side, column + side, side)


def _thinned(image: Tensor, row: int, column: int, side: int) -> Tensor:
    fine, _ = border_solution(image, row, column, side)
    padded = F.pad(image, (side,) * 4)
    wide = padded[row : row + 2 * side, column : column + 2 * side]
    return torch.stack([fine, wide[::2, ::2]])


def _largest(image: Tensor, row: int, column: int, side: int) -> Tensor:
    fine, _ = border_solution(image, row, column, side)
    padded = F.pad(image, (side,) * 4)
    wide = padded[row : row + 2 * side, column : column + 2 * side]
    return torch.stack([fine, F.max_pool2d(wide[None], 2)[0]])


def _of_the_inside(image: Tensor, row: int, column: int, side: int) -> Tensor:
    fine, sums = border_solution(image, row, column, side)
    _, counted = border_solution(torch.ones_like(image), row, column, side)
    return torch.stack([fine, sums / counted.clamp_min(1e-6)])


def _fine_twice(image: Tensor, row: int, column: int, side: int) -> Tensor:
    fine, _ = border_solution(image, row, column, side)
    return torch.stack([fine, fine])


BORDER_WRONG = (
    (_swapped, "Row and column are swapped."),
    (
        _from_the_corner,
        "The patches begin at the location; it should be their centre.",
    ),
    (
        _pushed_inside,
        "The patches are pushed back into the image; they should stay "
        "around the location, with zeros outside.",
    ),
    (
        _replicated,
        "Outside the image the border is repeated; there should be zeros.",
    ),
    (
        _round_the_edge,
        "What leaves the image on one side comes back on the other; there "
        "should be zeros.",
    ),
    (
        _thinned,
        "The wide patch takes every other pixel; average squares of 2 x 2, "
        "or thin strokes fall between them.",
    ),
    (_largest, "The wide patch takes the largest of four; average."),
    (
        _of_the_inside,
        "The average leaves out the pixels outside; they count as zeros.",
    ),
    (_fine_twice, "The second patch is the first one again."),
)


@exercise(
    "glimpses.border",
    kind="write",
    solution=border_solution,
    praise="Zeros outside, and the location stays the centre of the glimpse "
    "wherever it is.",
    hints=(
        "Slices that begin below zero count from the other end. Put zeros "
        "around the image first.",
        "`F.pad(image, (side,) * 4)` adds `side` zeros on each of the four "
        "sides. Where is the location now?",
        "Then slice as on the page, `side` rows and columns further on.",
    ),
    wrong=BORDER_WRONG,
)
def border(answer: Any) -> None:
    """Judge `answer(image, row, column, side)`."""
    image, side = torch.rand(25, 27) + 0.1, 6
    shift = int(torch.randint(0, 2, ()))
    row, column = 1, 24 + shift
    yours = expect_tensor(
        answer(image, row, column, side), "The glimpse", (2, side, side)
    )
    refuse(yours, BORDER_WRONG, image, row, column, side)
    fine, coarse = border_solution(image, row, column, side)
    expect_close(
        yours[0],
        fine,
        "The first patch is not the square around the location.",
        picture=True,
    )
    expect_close(
        yours[1],
        coarse,
        "The second patch is not the wide square, averaged.",
        picture=True,
    )


NOISE_WRONG = (
    (
        0.0,
        "That is the mean of the estimates. Each single one is the score, "
        "which varies from draw to draw.",
    ),
    (
        0.05,
        "That is the spread of the locations; the score divides the "
        "distance by the variance.",
    ),
    (400.0, "That is the variance of the score; take its root."),
    (
        1.0,
        "A distance over the standard deviation would have a spread of one; "
        "the score divides by the variance.",
    ),
    (0.0025, "That is the variance of the locations."),
)


@exercise(
    "glimpses.noise",
    kind="predict",
    solution=20.0,
    praise="The closer a policy keeps to its mean, the noisier is what it "
    "learns from.",
    hints=(
        "With R = 1 the estimate is the score itself, (l - mu) / sigma^2.",
        "l - mu has the standard deviation sigma.",
    ),
    wrong=NOISE_WRONG,
)
def noise(answer: Any) -> None:
    """Judge the standard deviation of the score."""
    given = expect_number(answer, "The standard deviation")
    refuse(given, NOISE_WRONG)
    if abs(given - 20) > 0.01:
        raise Mistake(
            f"It is not {given:g}: divide the standard deviation of the "
            "distance by the variance."
        )


def draw_solution(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    """Draw locations, clamp them, and score what was drawn."""
    drawn = (mean + std * torch.randn_like(mean)).detach()
    log_prob = -((drawn - mean) / std).square().sum(-1) / 2
    return drawn.clamp(-1, 1), log_prob


@exercise(
    "glimpses.draw",
    kind="find",
    solution=draw_solution,
    praise="The glimpse is read at the clamped location, and the mean "
    "learns from the draw, which has the density.",
    hints=(
        "Let every reward be one. Where the mean is near the border, what "
        "is the mean of the score of the clamped locations?",
        "A normal density has no peak at the border. Which location was "
        "drawn from it, the one before `clamp` or the one behind it?",
        "Keep two names: one for what was drawn, one for where to look.",
    ),
)
def draw(answer: Any) -> None:
    """Judge `answer(mean, std)` by the gradient it gives to the mean."""
    std, rows = 0.2, 40
    mean = 0.2 * (2 * torch.rand(rows, 2) - 1)
    mean[::2] = mean[::2].sign() * 0.95
    mean.requires_grad_()
    result = answer(mean, std)
    if not isinstance(result, tuple) or len(result) != 2:
        raise Mistake(
            "It should return two tensors, locations and log-density."
        )
    location = expect_tensor(result[0], "The location", (rows, 2))
    log_prob = expect_tensor(result[1], "The log-density", (rows,))
    _look_at_locations(location.detach() - mean.detach(), location, std)
    if not log_prob.requires_grad:
        raise Mistake(
            "The log-density has no gradient: the mean was detached, too."
        )
    slope = gradient(log_prob, mean)
    if slope.abs().max() < 1e-6:
        raise Mistake(
            "The gradient by the mean is zero: the drawn location moves with "
            "the mean, so its distance never changes."
        )
    expect_detached(location, "The location", mean, "the mean")
    _look_at_slopes(slope, location, mean.detach(), log_prob.detach(), std)


def _look_at_locations(away: Tensor, location: Tensor, std: float) -> None:
    if location.abs().max() > 1:
        raise Mistake(
            "A location lies outside -1 to 1: the glimpse leaves the image."
        )
    if away.abs().max() == 0:
        raise Mistake("Nothing is drawn: each location is the mean itself.")
    if not 0.6 * std < away[1::2].std() < 1.5 * std:
        raise Mistake(
            "The locations do not have the standard deviation that was given."
        )
    if (location.abs() < 1).all():
        raise Mistake(
            "No location lies on the border, though many draws fall outside. "
            "Clamp them: to draw again until one is inside changes the "
            "density."
        )


def _look_at_slopes(
    slope: Tensor, location: Tensor, mean: Tensor, log_prob: Tensor, std: float
) -> None:
    away = location.detach() - mean
    clamped = location.detach().abs() == 1
    inner, right = slope[1::2], away[1::2] / std**2
    if close(inner, -right):
        level = away[1::2].square().sum(-1)
        if (log_prob[1::2] * level).sum() < 0:
            raise Mistake(
                "Detached is the mean and not the draw, so the gradient "
                "points away from what was drawn."
            )
        raise Mistake("The log-density has the wrong sign.")
    if close(inner, right * std**2):
        raise Mistake("The distance is not divided by the variance.")
    if close(inner, right * std):
        raise Mistake(
            "The distance is divided by std; the density has its square."
        )
    if close(inner, 2 * right):
        raise Mistake("The half in front of the square is missing.")
    if not slope[clamped].any():
        raise Mistake(
            "Draws that were clamped give no gradient: to leave them out "
            "makes the estimate as wrong as to move them."
        )
    drawn = mean + std**2 * slope  # the draw that such a slope belongs to
    if close(drawn[clamped], location.detach()[clamped]):
        raise Mistake(
            "At the border the log-density is still that of the clamped "
            "location, which was not drawn from the density."
        )
    expect_close(
        drawn.clamp(-1, 1),
        location.detach(),
        "The gradient by the mean is not that of the log of a normal density.",
    )
    value = -((drawn - mean) / std).square().sum(-1) / 2
    expect_close(
        log_prob - log_prob[0],
        value - value[0],
        "Its gradient is right, but the log-density itself is not.",
    )


def constant_solution(scores: Tensor, rewards: Tensor) -> Tensor:
    """Find the constant that makes the variance least."""
    squares = scores.square()
    return (squares * rewards).sum() / squares.sum()


def _mean_reward(scores: Tensor, rewards: Tensor) -> Tensor:
    return rewards.mean()


def _median_reward(scores: Tensor, rewards: Tensor) -> Tensor:
    return rewards.median()


def _largest_reward(scores: Tensor, rewards: Tensor) -> Tensor:
    return rewards.max()


def _zero(scores: Tensor, rewards: Tensor) -> Tensor:
    return torch.zeros(())


def _by_distance(scores: Tensor, rewards: Tensor) -> Tensor:
    return (scores.abs() * rewards).sum() / scores.abs().sum()


def _not_divided(scores: Tensor, rewards: Tensor) -> Tensor:
    return (scores.square() * rewards).mean()


CONSTANT_WRONG = (
    (
        _mean_reward,
        "The mean reward is a good baseline, not the best: draws with a "
        "large score count more in the variance.",
    ),
    (
        _median_reward,
        "The median makes the mean distance least; this asks for the mean "
        "square, weighted by the score.",
    ),
    (
        _largest_reward,
        "With the largest reward every advantage is negative, and most are "
        "large.",
    ),
    (_zero, "Zero is no baseline at all."),
    (_by_distance, "The weights should be the squares of the scores."),
    (
        _not_divided,
        "The weights have to be divided by their sum, or no average comes "
        "out.",
    ),
)


@exercise(
    "glimpses.constant",
    kind="change",
    solution=constant_solution,
    praise="The mean reward is near it, but draws far from the mean count "
    "more.",
    hints=(
        "The mean of score x (R - b) does not depend on b. So minimise the "
        "mean square, of score^2 (R - b)^2.",
        "Take the derivative by b: the mean of score^2 (R - b) must be zero.",
    ),
    own_work=True,
    wrong=CONSTANT_WRONG,
)
def constant(answer: Any) -> None:
    """Judge `answer(scores, rewards)`."""
    scores = 2 * torch.randn(200)
    rewards = 2 + scores.square() + torch.rand(200)
    yours = expect_tensor(answer(scores, rewards), "The baseline", ())
    refuse(yours, CONSTANT_WRONG, scores, rewards)
    expect_close(
        yours,
        constant_solution(scores, rewards),
        "Another constant makes the variance smaller.",
    )


@exercise(
    "glimpses.returns",
    kind="write",
    answer="function",
    hand_in=True,
    praise="Each location is paid for what it could still change, and for "
    "nothing else.",
    hints=(
        "Which rewards can a location change? The past is not among them.",
        "Take two glimpses and write down by hand what stands beside each "
        "log-density. The first location is paid for both rewards.",
        "As in the loss of the page the baseline is subtracted and gets no "
        "gradient from here.",
    ),
)
def returns(answer: Any) -> None:
    """Judge `answer(log_probs, rewards, baselines)` by its gradients."""
    images, steps = 6, 4
    count = images * steps
    log_probs = torch.randn(images, steps, requires_grad=True)
    baselines = torch.rand(images, steps, requires_grad=True)
    rewards = torch.rand(images, steps)

    def slope(rewards: Tensor, baselines: Tensor) -> Tensor:
        """What moves each log-density, times the number of glimpses."""
        value = answer(log_probs, rewards, baselines)
        return -count * gradient(
            expect_tensor(value, "The loss", ()), log_probs
        )

    found = slope(rewards, baselines)
    if not found.any():
        raise Mistake("The loss has no gradient by the log-densities.")
    value = answer(log_probs, rewards, baselines)
    if gradient(value, baselines).any():
        raise Mistake(
            "A gradient reaches the baselines: this term would teach them to "
            "make the loss small, not to predict rewards."
        )
    paid = torch.zeros(steps, steps)  # reward of a step, location it moves
    for step in range(steps):
        raised = rewards.clone()
        raised[0, step] += 1
        change = slope(raised, baselines) - found
        if change[1:].abs().max() > 1e-3:
            raise Mistake(
                "The rewards of one image move the locations of another."
            )
        paid[step] = change[0]
    _look_at_pay(paid, count, steps)
    change = slope(rewards, baselines + 1) - found
    if change.abs().max() < 1e-3:
        raise Mistake("The baselines are not subtracted.")
    expect_close(
        change,
        -torch.ones(images, steps),
        "The baseline of a glimpse should be subtracted once, beside its own "
        "log-density.",
    )


def _look_at_pay(paid: Tensor, count: int, steps: int) -> None:
    every = torch.ones(steps, steps)
    wanted = every.tril()
    known = (
        (-wanted, "The sign is wrong: optimisers go downhill."),
        (
            every,
            "Every location is paid for all rewards, also for those that "
            "came before it.",
        ),
        (
            torch.eye(steps),
            "A location is paid for the reward of its own glimpse alone, "
            "though it also shapes what comes later.",
        ),
        (
            every.triu(),
            "A location is paid for what came before it: the sum runs the "
            "wrong way.",
        ),
        (
            every.tril(-1),
            "The reward of the glimpse itself is missing: the class is named "
            "after it was taken.",
        ),
        (
            wanted / wanted.sum(0),
            "This averages the rewards to come; late locations are then "
            "paid more for each than early ones.",
        ),
        (
            count * wanted,
            "It sums over images and glimpses where the loss of the page "
            "averages.",
        ),
        (
            steps * wanted,
            "It sums over the glimpses where the loss of the page averages.",
        ),
    )
    refuse(paid, known)
    expect_close(
        paid,
        wanted,
        "A reward does not move the locations that it should, or not all of "
        "them alike.",
    )
