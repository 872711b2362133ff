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


WRONG = {
    "spatial_transformer.grid": [
        (width_first, r"shape \(5, 3, 2\), but has \(3, 5, 2\)"),
        (torchs, "torch's `affine_grid`"),
    ],
    "spatial_transformer.identity": [(without_border, "The border is not")],
    "spatial_transformer.direction": [
        ("east", "should be one of 'counter-clockwise'"),
    ],
    "spatial_transformer.window": [(in_pixels, "The zoom is wrong")],
}

RIGHT = {"spatial_transformer.identity": [both_true]}
