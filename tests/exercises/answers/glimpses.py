"""Wrong answers to the exercises of lesson 12, and what each is told."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.topics.glimpses import read_solution


def from_the_corner(image: Tensor, row: int, column: int, side: int) -> Tensor:
    half = side // 2
    return read_solution(image, row + half, column + half, side)


def swapped(image: Tensor, row: int, column: int, side: int) -> Tensor:
    return read_solution(image, column, row, side)


def thinned(image: Tensor, row: int, column: int, side: int) -> Tensor:
    fine, _ = read_solution(image, row, column, side)
    wide = image[row - side : row + side, column - side : column + side]
    return torch.stack([fine, wide[::2, ::2]])


def largest(image: Tensor, row: int, column: int, side: int) -> Tensor:
    fine, _ = read_solution(image, row, column, side)
    wide = image[row - side : row + side, column - side : column + side]
    return torch.stack([fine, F.max_pool2d(wide[None], 2)[0]])


def only_fine(image: Tensor, row: int, column: int, side: int) -> Tensor:
    fine, _ = read_solution(image, row, column, side)
    return torch.stack([fine, fine])


def only_wide(image: Tensor, row: int, column: int, side: int) -> Tensor:
    return read_solution(image, row, column, side)[1]


def density(drawn: Tensor, mean: Tensor, std: float) -> Tensor:
    return -((drawn - mean) / std).square().sum(-1) / 2


def not_detached(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    drawn = mean + std * torch.randn_like(mean)
    return drawn, density(drawn, mean, std)


def all_detached(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    drawn = (mean + std * torch.randn_like(mean)).detach()
    return drawn, density(drawn, mean.detach(), std)


def wrong_sign(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    drawn = (mean + std * torch.randn_like(mean)).detach()
    return drawn, -density(drawn, mean, std)


def without_variance(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    drawn = (mean + std * torch.randn_like(mean)).detach()
    return drawn, density(drawn, mean, 1.0)


def not_squared(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    drawn = (mean + std * torch.randn_like(mean)).detach()
    return drawn, density(drawn, mean, std**0.5)


def not_halved(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    drawn = (mean + std * torch.randn_like(mean)).detach()
    return drawn, 2 * density(drawn, mean, std)


def not_drawn(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    drawn = mean.detach()
    return drawn, density(drawn, mean, std)


def wide_draw(mean: Tensor, std: float) -> tuple[Tensor, Tensor]:
    drawn = (mean + 9 * torch.randn_like(mean)).detach()
    return drawn, density(drawn, mean, std)


def uphill(log_probs: Tensor, rewards: Tensor, baselines: Tensor) -> Tensor:
    return (log_probs * (rewards[:, None] - baselines.detach())).mean()


def no_baseline(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return -(log_probs * rewards[:, None]).mean()


def trained_baseline(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return -(log_probs * (rewards[:, None] - baselines)).mean()


def summed(log_probs: Tensor, rewards: Tensor, baselines: Tensor) -> Tensor:
    return -(log_probs * (rewards[:, None] - baselines.detach())).sum()


def no_log_probs(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return (rewards[:, None] - baselines).square().mean()


def mean_reward(scores: Tensor, rewards: Tensor) -> Tensor:
    return rewards.mean()


def median_reward(scores: Tensor, rewards: Tensor) -> Tensor:
    return rewards.median()


def largest_reward(scores: Tensor, rewards: Tensor) -> Tensor:
    return rewards.max()


def zero(scores: Tensor, rewards: Tensor) -> Tensor:
    return torch.zeros(())


def absolute(scores: Tensor, rewards: Tensor) -> Tensor:
    return (scores.abs() * rewards).sum() / scores.abs().sum()


WRONG = {
    "glimpses.read": [
        (from_the_corner, "should be its centre"),
        (swapped, "Row and column are swapped"),
        (thinned, "every other pixel"),
        (largest, "the largest of four"),
        (only_fine, "the first one again"),
        (only_wide, r"shape \(2, 6, 6\)"),
    ],
    "glimpses.draw": [
        (not_detached, "moves with the mean"),
        (all_detached, "the mean was detached, too"),
        (wrong_sign, "wrong sign"),
        (without_variance, "not divided by the variance"),
        (not_squared, "has its square"),
        (not_halved, "The half in front"),
        (not_drawn, "Nothing is drawn"),
        (wide_draw, "do not have the standard deviation"),
    ],
    "glimpses.loss": [
        (uphill, "The sign is wrong"),
        (no_baseline, "baseline is not subtracted"),
        (trained_baseline, "A gradient reaches the baseline"),
        (summed, "It sums where"),
        (no_log_probs, "does not depend on the log-densities"),
    ],
    "glimpses.shift": [
        ("same mean, same variance", "varies from draw to draw"),
        ("larger mean, same variance", "the other way round"),
        ("larger mean, larger variance", "The variance does grow"),
        ("larger", "should be one of"),
    ],
    "glimpses.constant": [
        (mean_reward, "a good baseline, not the best"),
        (median_reward, "The median makes"),
        (largest_reward, "every advantage is negative"),
        (zero, "no baseline at all"),
        (absolute, "squares of the scores"),
    ],
}
