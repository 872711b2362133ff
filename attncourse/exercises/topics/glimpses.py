"""Exercises of lesson 12, glimpses."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_choice,
    expect_close,
    expect_tensor,
)


def read_solution(image: Tensor, row: int, column: int, side: int) -> Tensor:
    """Two patches around one centre, the second twice as wide."""
    half = side // 2
    fine = image[row - half : row + half, column - half : column + half]
    wide = image[row - side : row + side, column - side : column + side]
    coarse = wide.reshape(side, 2, side, 2).mean((1, 3))
    return torch.stack([fine, coarse])


@exercise(
    "glimpses.read",
    kind="write",
    solution=read_solution,
    praise="Twice the width for as many numbers: sharp in the middle, coarse "
    "around it.",
    hints=(
        "The fine patch takes side / 2 rows above the centre and side / 2 "
        "from the centre on.",
        "The wide one takes side rows to each side; then average squares of "
        "2 x 2 pixels.",
        "`wide.reshape(side, 2, side, 2).mean((1, 3))` averages the squares; "
        "`torch.stack` puts the two patches together.",
    ),
)
def read(answer: Any) -> None:
    """Judge `answer(image, row, column, side)`."""
    image, row, column, side = torch.rand(23, 29), 11, 13, 6
    shift = int(torch.randint(0, 3, ()))
    row, column = row - shift, column + shift
    yours = expect_tensor(
        answer(image, row, column, side), "The glimpse", (2, side, side)
    )
    fine, coarse = read_solution(image, row, column, side)
    if close(yours[0], read_solution(image, column, row, side)[0]):
        raise Mistake("Row and column are swapped.")
    if close(yours[0], image[row : row + side, column : column + side]):
        raise Mistake(
            "The patch begins at the place; the place should be its centre."
        )
    expect_close(
        yours[0],
        fine,
        "The first patch is not the square around the place.",
        picture=True,
    )
    if close(yours[1], fine):
        raise Mistake("The second patch is the first one again.")
    wide = image[row - side : row + side, column - side : column + side]
    if close(yours[1], wide[::2, ::2]):
        raise Mistake(
            "The wide patch takes every other pixel; average squares of "
            "2 x 2, or thin strokes fall between them."
        )
    if close(yours[1], F.max_pool2d(wide[None], 2)[0]):
        raise Mistake("The wide patch takes the largest of four; average.")
    expect_close(
        yours[1],
        coarse,
        "The second patch is not the wide square, averaged.",
        picture=True,
    )


def draw_solution(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    """Draw places, and the log-density of each, up to a constant."""
    drawn = (mean + std * torch.randn_like(mean)).detach()
    return drawn, -((drawn - mean) / std).square().sum(-1) / 2


@exercise(
    "glimpses.draw",
    kind="find",
    solution=draw_solution,
    praise="The drawn place is a number now, and the log-density tells the "
    "mean in which direction to move.",
    hints=(
        "Write the drawn place into the density: what is left of the mean?",
        "drawn - mean is std times the noise, in which no mean occurs. What "
        "has to be cut for the mean to stay?",
        "The draw is a fact, not a function: `detach` it before the "
        "log-density is computed.",
    ),
)
def draw(answer: Any) -> None:
    """Judge `answer(mean, std)`."""
    mean, std = torch.randn(7, 2, requires_grad=True), 0.3
    result = answer(mean, std)
    if not isinstance(result, tuple) or len(result) != 2:
        raise Mistake("It should return two tensors, places and log-density.")
    drawn = expect_tensor(result[0], "The first tensor", (7, 2))
    density = expect_tensor(result[1], "The log-density", (7,))
    away = (drawn - mean).detach()
    if away.abs().max() == 0:
        raise Mistake("Nothing is drawn: each place is the mean itself.")
    if not 0.1 < away.std() < 0.6:
        raise Mistake(
            "The places do not have the standard deviation that was given."
        )
    if not density.requires_grad:
        raise Mistake(
            "The log-density has no gradient: the mean was detached, too."
        )
    (moved,) = torch.autograd.grad(density.sum(), mean, allow_unused=True)
    if moved is None or moved.abs().max() < 1e-6:
        raise Mistake(
            "The gradient by the mean is zero: the drawn place moves with "
            "the mean, so its distance never changes."
        )
    target = -(away / std).square().sum(-1) / 2
    found = density.detach()
    if close(moved, -away / std**2):
        raise Mistake("The log-density has the wrong sign.")
    if close(found - found[0], (target - target[0]) * std**2):
        raise Mistake("The distance is not divided by the variance.")
    if close(found - found[0], (target - target[0]) * std):
        raise Mistake(
            "The distance is divided by std; the density has its square."
        )
    if close(found - found[0], 2 * (target - target[0])):
        raise Mistake("The half in front of the square is missing.")
    expect_close(
        moved,
        away / std**2,
        "The gradient by the mean is not that of the log of a normal density.",
    )


def loss_solution(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    """Loss whose gradient is the policy gradient, negated."""
    advantage = rewards[:, None] - baselines.detach()
    return -(log_probs * advantage).mean()


@exercise(
    "glimpses.loss",
    kind="write",
    solution=loss_solution,
    praise="Its value means nothing, its gradient everything: places that "
    "did better than expected become more likely.",
    hints=(
        "Optimisers go downhill, and the reward should go up.",
        "The advantage is the reward minus the baseline, one number for "
        "each image and glimpse: `rewards[:, None] - baselines`.",
        "The baseline must not be trained by this term: detach it.",
    ),
)
def loss(answer: Any) -> None:
    """Judge `answer(log_probs, rewards, baselines)`."""
    log_probs = torch.randn(7, 5, requires_grad=True)
    baselines = torch.rand(7, 5, requires_grad=True)
    rewards = (torch.arange(7) % 2).float()
    value = expect_tensor(
        answer(log_probs, rewards, baselines), "The loss", ()
    )
    if not value.requires_grad:
        raise Mistake("The loss has no gradient by the log-densities.")
    moved, moved_baselines = torch.autograd.grad(
        value, [log_probs, baselines], allow_unused=True
    )
    if moved is None:
        raise Mistake("The loss does not depend on the log-densities.")
    target = loss_solution(log_probs, rewards, baselines)
    (right,) = torch.autograd.grad(target, log_probs)
    if close(moved, -right):
        raise Mistake(
            "The sign is wrong: going downhill here makes rewarded places "
            "less likely."
        )
    if close(moved, -rewards[:, None].expand(7, 5) / 35):
        raise Mistake("The baseline is not subtracted.")
    if close(moved, 35 * right) or close(moved, 5 * right):
        raise Mistake(
            "It sums where it should average, so the step depends on the "
            "batch or on the number of glimpses."
        )
    if moved_baselines is not None and moved_baselines.abs().sum() > 0:
        raise Mistake(
            "A gradient reaches the baseline: this term would teach it to "
            "make the loss small, not to predict the reward."
        )
    expect_close(
        moved, right, "The gradient is not that of the policy gradient."
    )


@exercise(
    "glimpses.shift",
    kind="predict",
    solution="same mean, larger variance",
    praise="The score has the mean zero, so a constant adds nothing to the "
    "mean; it multiplies the noise all the same.",
    hints=(
        "Write the estimate with R + 10: which term is new?",
        "The new term is ten times the score. What is its mean, and what "
        "its variance?",
    ),
)
def shift(answer: Any) -> None:
    """Judge what a constant does to mean and variance."""
    said = expect_choice(
        answer,
        "The answer",
        (
            "same mean, same variance",
            "same mean, larger variance",
            "larger mean, same variance",
            "larger mean, larger variance",
        ),
    )
    if said == "same mean, same variance":
        raise Mistake(
            "Ten times the score is added to each estimate, and that varies "
            "from draw to draw."
        )
    if said == "larger mean, same variance":
        raise Mistake(
            "It is the other way round: the score has the mean zero, and a "
            "variance that is not."
        )
    if said == "larger mean, larger variance":
        raise Mistake(
            "The variance does grow, but ten times the score has the mean "
            "zero."
        )


def constant_solution(scores: Tensor, rewards: Tensor) -> Tensor:
    """Find the constant that makes the variance least."""
    squares = scores.square()
    return (squares * rewards).sum() / squares.sum()


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
)
def constant(answer: Any) -> None:
    """Judge `answer(scores, rewards)`."""
    scores = torch.randn(200)
    rewards = 2 + scores.square() + torch.rand(200)
    yours = expect_tensor(answer(scores, rewards), "The baseline", ())
    target = constant_solution(scores, rewards)
    if close(yours, rewards.mean()):
        raise Mistake(
            "The mean reward is a good baseline, not the best: draws with a "
            "large score count more in the variance."
        )
    if close(yours, rewards.median()):
        raise Mistake(
            "The median makes the mean distance least; this asks for the "
            "mean square, weighted by the score."
        )
    if close(yours, rewards.max()):
        raise Mistake(
            "With the largest reward every advantage is negative, and most "
            "are large."
        )
    if yours == 0:
        raise Mistake("Zero is no baseline at all.")
    weights = scores.abs() / scores.abs().sum()
    if close(yours, (weights * rewards).sum()):
        raise Mistake("The weights should be the squares of the scores.")
    expect_close(yours, target, "Another constant makes the variance smaller.")
