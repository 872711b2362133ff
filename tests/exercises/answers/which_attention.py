"""Answers to the exercises of lesson 14, and what each hears."""

from math import ceil
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.topics.which_attention import (
    delete_solution,
    honest_gain,
    last_width_solution,
)


def black(images: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
    changed = images.clone()
    for i in range(len(images)):
        changed[i, :, top[i] : top[i] + side, left[i] : left[i] + side] = 0
    return changed


def of_the_first(images: Tensor, maps: Tensor, side: int) -> Tensor:
    return delete_solution(images, maps[:1].expand_as(maps), side)


def least(images: Tensor, maps: Tensor, side: int) -> Tensor:
    return delete_solution(images, 5 - maps, side)


def around_the_peak(images: Tensor, maps: Tensor, side: int) -> Tensor:
    peak = maps.flatten(1).argmax(1)
    row, column = peak // maps.shape[3], peak % maps.shape[3]
    top = (row - side // 2).clamp(0, maps.shape[2] - side)
    left = (column - side // 2).clamp(0, maps.shape[3] - side)
    return black(images, top, left, side)


def from_the_peak(images: Tensor, maps: Tensor, side: int) -> Tensor:
    peak = maps.flatten(1).argmax(1)
    return black(images, peak // maps.shape[3], peak % maps.shape[3], side)


def split_by_the_image(images: Tensor, maps: Tensor, side: int) -> Tensor:
    best = F.avg_pool2d(maps, side, stride=1).flatten(1).argmax(1)
    return black(images, best // maps.shape[3], best % maps.shape[3], side)


def inverted(images: Tensor, maps: Tensor, side: int) -> Tensor:
    return images - delete_solution(images, maps, side)


def changed_in_place(images: Tensor, maps: Tensor, side: int) -> Tensor:
    return images.copy_(delete_solution(images, maps, side))


def one_pixel_less(images: Tensor, maps: Tensor, side: int) -> Tensor:
    return delete_solution(images, maps, side - 1)


def as_printed(scores: Tensor, control: Tensor) -> Tensor:
    best = scores.mean(1).argmax()
    return (scores[best] - control).mean()


def chosen_by_all(scores: Tensor, control: Tensor) -> Tensor:
    half = scores.shape[1] // 2
    best = scores.mean(1).argmax()
    return (scores[best, half:] - control[half:]).mean()


def second_half(scores: Tensor, control: Tensor) -> Tensor:
    half = scores.shape[1] // 2
    best = scores[:, half:].mean(1).argmax()
    return (scores[best, half:] - control[half:]).mean()


def first_half(scores: Tensor, control: Tensor) -> Tensor:
    half = scores.shape[1] // 2
    best = scores[:, :half].mean(1).argmax()
    return (scores[best, :half] - control[:half]).mean()


def measured_on_all(scores: Tensor, control: Tensor) -> Tensor:
    best = scores[:, : scores.shape[1] // 2].mean(1).argmax()
    return (scores[best] - control).mean()


def winner_of_each_seed(scores: Tensor, control: Tensor) -> Tensor:
    return (scores.amax(0) - control).mean()


def other_seeds(scores: Tensor, control: Tensor) -> Tensor:
    half = scores.shape[1] // 2
    best = scores[:, :half].mean(1).argmax()
    return scores[best, half:].mean() - control.mean()


def in_place(scores: Tensor, control: Tensor) -> Tensor:
    found = honest_gain(scores, control)
    scores -= control
    return found


def parameters_alone(parameters: int, multiply_adds: int) -> int:
    return 32 + ceil(parameters / 300)


def work_alone(parameters: int, multiply_adds: int) -> int:
    return 32 + ceil(multiply_adds / 28810)


def rounded_down(parameters: int, multiply_adds: int) -> int:
    return 32 + max(parameters // 300, multiply_adds // 28810)


def both_added(parameters: int, multiply_adds: int) -> int:
    return 32 + ceil(parameters / 300) + ceil(multiply_adds / 28810)


def not_rounded(parameters: int, multiply_adds: int) -> float:
    return 32 + max(parameters / 300, multiply_adds / 28810)


def added_only(parameters: int, multiply_adds: int) -> int:
    return last_width_solution(parameters, multiply_adds) - 32


Accuracy = dict[str, Tensor]
Gains = dict[str, tuple[float, float]]


def fair(accuracy: Accuracy, controls: dict[str, str]) -> Gains:
    gains = {}
    for name, control in controls.items():
        differences = accuracy[name] - accuracy[control]
        ahead = (differences > 0) + 0.5 * (differences == 0)
        gains[name] = differences.mean().item(), ahead.mean().item()
    return gains


def fair_in_lists(accuracy: Accuracy, controls: dict[str, str]) -> Any:
    return {name: list(p) for name, p in fair(accuracy, controls).items()}


def with_controls(accuracy: Accuracy, controls: dict[str, str]) -> Gains:
    return fair(accuracy, {**controls, "wide": "wide"})


def one_control(accuracy: Accuracy, controls: dict[str, str]) -> Gains:
    return fair(accuracy, dict.fromkeys(controls, "plain"))


def turned_round(accuracy: Accuracy, controls: dict[str, str]) -> Gains:
    gains = fair(accuracy, controls)
    return {name: (-mean, share) for name, (mean, share) in gains.items()}


def without_ties(accuracy: Accuracy, controls: dict[str, str]) -> Gains:
    gains = fair(accuracy, controls)
    for name, control in controls.items():
        ahead = accuracy[name] > accuracy[control]
        gains[name] = gains[name][0], ahead.float().mean().item()
    return gains


def ties_ahead(accuracy: Accuracy, controls: dict[str, str]) -> Gains:
    gains = fair(accuracy, controls)
    for name, control in controls.items():
        ahead = accuracy[name] >= accuracy[control]
        gains[name] = gains[name][0], ahead.float().mean().item()
    return gains


def counted(accuracy: Accuracy, controls: dict[str, str]) -> Gains:
    gains = fair(accuracy, controls)
    seeds = len(accuracy["plain"])
    return {name: (m, s * seeds + 2) for name, (m, s) in gains.items()}


def means_alone(accuracy: Accuracy, controls: dict[str, str]) -> Any:
    return {name: m for name, (m, _) in fair(accuracy, controls).items()}


REFERENCE = {"which_attention.fair": fair}
RIGHT = {"which_attention.fair": [fair_in_lists]}
WRONG = {
    "which_attention.delete": [
        (of_the_first, "the window of the first"),
        (least, "with least of the map"),
        (around_the_peak, "around the highest pixel"),
        (from_the_peak, "begins at the highest pixel"),
        (split_by_the_image, "fewer windows in a row"),
        (inverted, "Only the window is left"),
        (changed_in_place, "in place"),
        (lambda images, maps, side: images.clone(), "Nothing is black"),
        (one_pixel_less, "Something else"),
    ],
    "which_attention.pairs": [
        (64, "both parts cost the same"),
        (33, "about twice"),
        (129, "two products of pairs"),
        (9, "a side of the map"),
        (100, "first turns"),
        ("many", "should be a number"),
    ],
    "which_attention.gain": [
        (as_printed, "The same seeds choose"),
        (chosen_by_all, "All seeds choose"),
        (second_half, "The second half of the seeds chooses"),
        (first_half, "The first half of the seeds chooses"),
        (measured_on_all, "half of them have chosen"),
        (winner_of_each_seed, "for each seed anew"),
        (other_seeds, "other seeds of the control"),
        (in_place, "in place"),
        (lambda scores, control: 2 * honest_gain(scores, control), "not the"),
    ],
    "which_attention.width": [
        (parameters_alone, "fewer multiply-adds"),
        (work_alone, "fewer parameters"),
        (rounded_down, "round up, not down"),
        (lambda parameters, multiply_adds: 32, "cheaper in both"),
        (both_added, "more than needed"),
        (not_rounded, "whole number"),
        (added_only, "32 more"),
    ],
    "which_attention.fair": [
        (with_controls, "only mechanisms"),
        (one_control, "another network"),
        (turned_round, "turned round"),
        (without_ties, "counts nothing"),
        (ties_ahead, "counts as ahead"),
        (counted, "divide it"),
        (means_alone, "a pair of floats"),
        (lambda accuracy, controls: {}, "has no entry"),
        (lambda accuracy, controls: 0.1, "a dictionary"),
    ],
}
