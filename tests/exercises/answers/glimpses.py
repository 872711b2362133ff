"""Answers to the exercises of lesson 12, beside the tables of its judges."""

import torch
from torch import Tensor

from attncourse.exercises.topics.glimpses import border_solution

Draw = tuple[Tensor, Tensor]


def only_wide(image: Tensor, row: int, column: int, side: int) -> Tensor:
    return border_solution(image, row, column, side)[1]


def sliced(image: Tensor, row: int, column: int, side: int) -> Tensor:
    half = side // 2
    return image[row - half : row + half, column - half : column + half]


def moved(image: Tensor, row: int, column: int, side: int) -> Tensor:
    return border_solution(image, row + 1, column, side)


def sample(mean: Tensor, std: float) -> Tensor:
    return (mean + std * torch.randn_like(mean)).detach()


def density(drawn: Tensor, mean: Tensor, std: float) -> Tensor:
    return -((drawn - mean) / std).square().sum(-1) / 2


def with_distribution(mean: Tensor, std: float) -> Draw:
    policy = torch.distributions.Normal(mean, std)
    drawn = policy.sample()
    return drawn.clamp(-1, 1), policy.log_prob(drawn).sum(-1)


def as_printed(mean: Tensor, std: float) -> Draw:
    location = sample(mean, std).clamp(-1, 1)
    return location, density(location, mean, std)


def draw_not_detached(mean: Tensor, std: float) -> Draw:
    drawn = mean + std * torch.randn_like(mean)
    return drawn.clamp(-1, 1), density(drawn.detach(), mean, std)


def nothing_detached(mean: Tensor, std: float) -> Draw:
    drawn = mean + std * torch.randn_like(mean)
    return drawn.detach().clamp(-1, 1), density(drawn, mean, std)


def mean_detached(mean: Tensor, std: float) -> Draw:
    drawn = mean + std * torch.randn_like(mean)
    return drawn.detach().clamp(-1, 1), density(drawn, mean.detach(), std)


def all_detached(mean: Tensor, std: float) -> Draw:
    drawn = sample(mean, std)
    return drawn.clamp(-1, 1), density(drawn, mean.detach(), std)


def wrong_sign(mean: Tensor, std: float) -> Draw:
    drawn = sample(mean, std)
    return drawn.clamp(-1, 1), -density(drawn, mean, std)


def without_variance(mean: Tensor, std: float) -> Draw:
    drawn = sample(mean, std)
    return drawn.clamp(-1, 1), density(drawn, mean, 1.0)


def not_squared(mean: Tensor, std: float) -> Draw:
    drawn = sample(mean, std)
    return drawn.clamp(-1, 1), density(drawn, mean, std**0.5)


def not_halved(mean: Tensor, std: float) -> Draw:
    drawn = sample(mean, std)
    return drawn.clamp(-1, 1), 2 * density(drawn, mean, std)


def not_drawn(mean: Tensor, std: float) -> Draw:
    drawn = mean.detach()
    return drawn.clamp(-1, 1), density(drawn, mean, std)


def wide_draw(mean: Tensor, std: float) -> Draw:
    drawn = (mean + 0.9 * torch.randn_like(mean)).detach()
    return drawn.clamp(-1, 1), density(drawn, mean, std)


def outside(mean: Tensor, std: float) -> Draw:
    drawn = sample(mean, std)
    return drawn, density(drawn, mean, std)


def drawn_again(mean: Tensor, std: float) -> Draw:
    drawn = sample(mean, std)
    while (drawn.abs() >= 1).any():
        drawn = drawn.where(drawn.abs() < 1, sample(mean, std))
    return drawn, density(drawn, mean, std)


def left_out(mean: Tensor, std: float) -> Draw:
    drawn = sample(mean, std)
    inside = (drawn.abs() < 1).float()
    parts = -((drawn - mean) / std).square() / 2
    return drawn.clamp(-1, 1), (parts * inside).sum(-1)


def to_come(rewards: Tensor) -> Tensor:
    return rewards.flip(1).cumsum(1).flip(1)


def policy(log_probs: Tensor, pay: Tensor, baselines: Tensor) -> Tensor:
    return -(log_probs * (pay - baselines.detach())).mean()


def paid_for_the_rest(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return policy(log_probs, to_come(rewards), baselines)


def by_a_matrix(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    steps = rewards.shape[1]
    advantage = rewards @ torch.ones(steps, steps).tril() - baselines.detach()
    return -(log_probs * advantage).sum() / rewards.numel()


def uphill(log_probs: Tensor, rewards: Tensor, baselines: Tensor) -> Tensor:
    return -paid_for_the_rest(log_probs, rewards, baselines)


def paid_for_all(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return policy(log_probs, rewards.sum(1, keepdim=True), baselines)


def paid_for_one(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return policy(log_probs, rewards, baselines)


def paid_for_the_past(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return policy(log_probs, rewards.cumsum(1), baselines)


def from_the_next(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return policy(log_probs, to_come(rewards) - rewards, baselines)


def averaged(log_probs: Tensor, rewards: Tensor, baselines: Tensor) -> Tensor:
    left = torch.arange(rewards.shape[1], 0, -1)
    return policy(log_probs, to_come(rewards) / left, baselines)


def summed(log_probs: Tensor, rewards: Tensor, baselines: Tensor) -> Tensor:
    return rewards.numel() * paid_for_the_rest(log_probs, rewards, baselines)


def mean_over_images(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    advantage = to_come(rewards) - baselines.detach()
    return -(log_probs * advantage).sum(1).mean()


def no_baseline(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return policy(log_probs, to_come(rewards), torch.zeros_like(baselines))


def trained_baseline(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return -(log_probs * (to_come(rewards) - baselines)).mean()


def summed_baseline(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return policy(log_probs, to_come(rewards), to_come(baselines))


def no_log_probs(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return (to_come(rewards) - baselines).square().mean()


def of_the_batch(
    log_probs: Tensor, rewards: Tensor, baselines: Tensor
) -> Tensor:
    return policy(log_probs, to_come(rewards).mean(0, keepdim=True), baselines)


REFERENCE = {"glimpses.returns": paid_for_the_rest}

RIGHT = {
    "glimpses.draw": [with_distribution],
    "glimpses.returns": [by_a_matrix],
}

WRONG = {
    "glimpses.border": [
        (only_wide, r"shape \(2, 6, 6\)"),
        (sliced, r"shape \(2, 6, 6\)"),
        (moved, "not the square around"),
    ],
    "glimpses.noise": [(10.0, "It is not 10"), ("20", "should be a number")],
    "glimpses.draw": [
        (as_printed, "still that of the clamped"),
        (draw_not_detached, "The location should be detached"),
        (nothing_detached, "moves with the mean"),
        (mean_detached, "Detached is the mean"),
        (all_detached, "the mean was detached, too"),
        (wrong_sign, "wrong sign"),
        (without_variance, "not divided by the variance"),
        (not_squared, "has its square"),
        (not_halved, "The half in front"),
        (not_drawn, "Nothing is drawn"),
        (wide_draw, "do not have the standard deviation"),
        (outside, "outside -1 to 1"),
        (drawn_again, "No location lies on the border"),
        (left_out, "give no gradient"),
    ],
    "glimpses.returns": [
        (uphill, "The sign is wrong"),
        (paid_for_all, "came before it"),
        (paid_for_one, "its own glimpse alone"),
        (paid_for_the_past, "the wrong way"),
        (from_the_next, "of the glimpse itself is missing"),
        (averaged, "averages the rewards to come"),
        (summed, "sums over images and glimpses"),
        (mean_over_images, "sums over the glimpses"),
        (no_baseline, "are not subtracted"),
        (trained_baseline, "A gradient reaches the baselines"),
        (summed_baseline, "subtracted once"),
        (no_log_probs, "no gradient by the log-densities"),
        (of_the_batch, "move the locations of another"),
    ],
}
