"""Answers to the exercises of lesson 10, beside the tables of its judges."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.topics.spatial_transformer import (
    fixed_sample,
    grid_solution,
)


def width_first(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(theta, height, width).transpose(0, 1)


def torchs(theta: Tensor, height: int, width: int) -> Tensor:
    size = [1, 1, height, width]
    return F.affine_grid(theta[None], size, align_corners=False)[0]


def both_true(image: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(image.shape), align_corners=True)
    return F.grid_sample(image, grid, align_corners=True)


def without_border(image: Tensor, theta: Tensor) -> Tensor:
    return F.pad(fixed_sample(image, theta)[:, :, 1:-1, 1:-1], (1, 1, 1, 1))


def in_pixels(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    return torch.tensor([[side, 0.0, left], [0.0, side, top]])


def keep_inside(theta: Tensor) -> Tensor:
    room = (1 - theta[:, :, :2].abs().sum(2)).clamp(min=0)
    shift = theta[:, :, 2].clamp(-room, room)
    return torch.cat([theta[:, :, :2], shift[:, :, None]], 2)


def in_place(theta: Tensor) -> Tensor:
    theta[:] = keep_inside(theta)
    return theta


def zoomed(theta: Tensor) -> Tensor:
    return torch.cat([theta[:, :, :2] / 2, theta[:, :, 2:]], 2)


def moved_too_far(theta: Tensor) -> Tensor:
    kept = keep_inside(theta)
    outside = kept[:, :, 2:] != theta[:, :, 2:]
    shift = torch.where(outside, 0.5 * kept[:, :, 2:], kept[:, :, 2:])
    return torch.cat([kept[:, :, :2], shift], 2)


def both_axes(theta: Tensor) -> Tensor:
    kept = keep_inside(theta)
    outside = (kept != theta).any(2).any(1)[:, None, None]
    centred = torch.cat([theta[:, :, :2], 0 * theta[:, :, 2:]], 2)
    return torch.where(outside, centred, theta)


def towards_the_middle(theta: Tensor) -> Tensor:
    return torch.cat([theta[:, :, :2], theta[:, :, 2:] / 4], 2)


def large_as_it_was(theta: Tensor) -> Tensor:
    kept = keep_inside(theta)
    large = theta[:, :, :2].abs().sum(2).amax(1) > 1
    return torch.where(large[:, None, None], theta, kept)


def large_centred(theta: Tensor) -> Tensor:
    kept = keep_inside(theta)
    large = theta[:, :, :2].abs().sum(2).amax(1) > 1
    centred = torch.cat([theta[:, :, :2], 0 * theta[:, :, 2:]], 2)
    return torch.where(large[:, None, None], centred, kept)


WRONG = {
    "spatial_transformer.grid": [
        (width_first, r"shape \(5, 3, 2\), but has \(3, 5, 2\)"),
        (torchs, "torch's `affine_grid`"),
    ],
    "spatial_transformer.identity": [(without_border, "The border is not")],
    "spatial_transformer.direction": [
        ("east", "should be one of 'counter-clockwise'"),
    ],
    "spatial_transformer.keep_inside": [
        (in_place, "in place"),
        (zoomed, "only the third column"),
        (towards_the_middle, "was inside has moved"),
        (lambda theta: theta.clone(), "still sticks out"),
        (both_axes, "along which it was inside"),
        (moved_too_far, "too far"),
        (large_as_it_was, "wider than the image"),
        (large_centred, "not have moved along y"),
    ],
    "spatial_transformer.window": [(in_pixels, "The zoom is wrong")],
}

RIGHT = {"spatial_transformer.identity": [both_true]}

REFERENCE = {"spatial_transformer.keep_inside": keep_inside}
