"""Wrong answers to the exercises of lesson 10, and what each is told."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attncourse.exercises.topics.spatial_transformer import (
    fixed_sample,
    grid_solution,
    undo_solution,
    window_solution,
)


def corners(theta: Tensor, height: int, width: int) -> Tensor:
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height),
        torch.linspace(-1, 1, width),
        indexing="ij",
    )
    return torch.stack([x, y, torch.ones_like(x)], -1) @ theta.T


def y_first(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(theta, height, width).flip(-1)


def meets_y_first(theta: Tensor, height: int, width: int) -> Tensor:
    x, y = grid_solution(torch.eye(2, 3), height, width).unbind(-1)
    return torch.stack([y, x, torch.ones_like(x)], -1) @ theta.T


def not_shifted(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(theta, height, width) - theta[:, 2]


def transposed(theta: Tensor, height: int, width: int) -> Tensor:
    turned = torch.cat([theta[:, :2].T, theta[:, 2:]], 1)
    return grid_solution(turned, height, width)


def unused(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(torch.eye(2, 3), height, width)


def width_first(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(theta, height, width).transpose(0, 1)


def torchs(theta: Tensor, height: int, width: int) -> Tensor:
    size = [1, 1, height, width]
    return F.affine_grid(theta[None], size, align_corners=False)[0]


def only_negated(theta: Tensor) -> Tensor:
    return torch.cat([undo_solution(theta)[:, :2], -theta[:, 2:]], 1)


def transpose(theta: Tensor) -> Tensor:
    back = theta[:, :2].T
    return torch.cat([back, -back @ theta[:, 2:]], 1)


def wrong_sign(theta: Tensor) -> Tensor:
    back = undo_solution(theta)
    return torch.cat([back[:, :2], -back[:, 2:]], 1)


def old_shift(theta: Tensor) -> Tensor:
    return torch.cat([undo_solution(theta)[:, :2], theta[:, 2:]], 1)


def negated(theta: Tensor) -> Tensor:
    return -theta


def mixed(image: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(image.shape), align_corners=True)
    return F.grid_sample(image, grid, align_corners=False)


def mixed_otherwise(image: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, align_corners=True)


def both_true(image: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(image.shape), align_corners=True)
    return F.grid_sample(image, grid, align_corners=True)


def nearest(image: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, mode="nearest", align_corners=False)


def as_it_was(image: Tensor, theta: Tensor) -> Tensor:
    return image.clone()


def without_border(image: Tensor, theta: Tensor) -> Tensor:
    return F.pad(fixed_sample(image, theta)[:, :, 1:-1, 1:-1], (1, 1, 1, 1))


def swapped_zoom(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    matrix = window_solution(left, top, side, height, width)
    matrix[0, 0], matrix[1, 1] = side / height, side / width
    return matrix


def in_pixels(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    return torch.tensor([[side, 0.0, left], [0.0, side, top]])


def swapped_shift(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    matrix = window_solution(left, top, side, height, width)
    return torch.cat([matrix[:, :2], matrix[:, 2:].flip(0)], 1)


def corner(left: int, top: int, side: int, height: int, width: int) -> Tensor:
    matrix = window_solution(left, top, side, height, width)
    matrix[:, 2] -= torch.tensor([side / width, side / height])
    return matrix


def half_off(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    matrix = window_solution(left, top, side, height, width)
    matrix[:, 2] -= torch.tensor([1 / width, 1 / height])
    return matrix


def inverse(left: int, top: int, side: int, height: int, width: int) -> Tensor:
    return undo_solution(window_solution(left, top, side, height, width))


WRONG = {
    "spatial_transformer.grid": [
        (corners, "outer edges of the image"),
        (y_first, "x comes first"),
        (meets_y_first, r"meets \(y, x, 1\)"),
        (not_shifted, "The shift is missing"),
        (transposed, "The matrix is transposed"),
        (unused, "The matrix is not used"),
        (width_first, r"shape \(5, 3, 2\), but has \(3, 5, 2\)"),
        (torchs, "torch's `affine_grid`"),
    ],
    "spatial_transformer.undo": [
        (only_negated, "only negated"),
        (transpose, "inverts a rotation but not a zoom"),
        (wrong_sign, "wrong sign"),
        (old_shift, "still the old one"),
        (negated, "negate all six"),
    ],
    "spatial_transformer.identity": [
        (mixed, "half outside"),
        (mixed_otherwise, "zooms in"),
        (both_true, "agree now, but on True"),
        (nearest, "no gradient reaches"),
        (as_it_was, "The matrix is not used"),
        (without_border, "The border is not"),
    ],
    "spatial_transformer.direction": [
        ("clockwise", "That is how the frame turns"),
        ("mirrored", "negative determinant"),
        ("not at all", "Only the identity"),
        ("east", "should be one of 'clockwise'"),
    ],
    "spatial_transformer.window": [
        (swapped_zoom, "Width and height are swapped"),
        (in_pixels, "The zoom is wrong"),
        (swapped_shift, r"The shift is \(y, x\)"),
        (corner, "the corner of the window"),
        (half_off, "half a pixel off"),
        (inverse, "This is the inverse"),
    ],
}
