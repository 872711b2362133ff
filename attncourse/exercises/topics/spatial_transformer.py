"""Exercises of lesson 10, spatial transformers."""

from math import cos, sin
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


def _matrix() -> Tensor:
    """Draw a matrix that turns, zooms and shifts."""
    angle, x, y = (float(number) for number in torch.randn(3))
    zoom = 0.4 + float(torch.rand(()))
    return torch.tensor(
        [
            [zoom * cos(angle), -zoom * sin(angle), x],
            [zoom * sin(angle), zoom * cos(angle), y],
        ]
    )


def grid_solution(theta: Tensor, height: int, width: int) -> Tensor:
    """Input coordinates (x, y) of each place of the output."""
    x = (2 * torch.arange(width) + 1) / width - 1
    y = (2 * torch.arange(height) + 1) / height - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], -1)
    return places @ theta.T


@exercise(
    "spatial_transformer.grid",
    kind="write",
    solution=grid_solution,
    praise="These are the numbers of torch's `affine_grid` with "
    "`align_corners=False`.",
    hints=(
        "Begin with one axis: the centres of w equal cells of [-1, 1]. For "
        "w = 2 they are -0.5 and 0.5.",
        "Column j has x = (2 j + 1) / width - 1, row i has "
        "y = (2 i + 1) / height - 1; `torch.meshgrid` makes a grid of them.",
        "Stack x, y and 1 in this order along a last axis, and multiply by "
        "the transpose of theta.",
    ),
    forbidden=(F.affine_grid,),
)
def grid(answer: Any) -> None:
    """Judge `answer(theta, height, width)`."""
    theta = _matrix()
    yours = expect_tensor(answer(theta, 5, 3), "The grid", (5, 3, 2))
    target = grid_solution(theta, 5, 3)
    corners = F.affine_grid(theta[None], [1, 1, 5, 3], align_corners=True)[0]
    if close(yours, corners):
        raise Mistake(
            "The first and last places lie on -1 and 1, the outer edges of "
            "the image; they should lie in the middle of the outer pixels."
        )
    if close(yours, target.flip(-1)):
        raise Mistake("The two coordinates are swapped: x comes first.")
    x, y = grid_solution(torch.eye(2, 3), 5, 3).unbind(-1)
    swapped = torch.stack([y, x, torch.ones_like(x)], -1) @ theta.T
    if close(yours, swapped):
        raise Mistake("The matrix meets (y, x, 1) where it expects (x, y, 1).")
    if close(yours, grid_solution(torch.eye(2, 3), 5, 3)):
        raise Mistake("The matrix is not used: this is the grid itself.")
    if close(yours, target - theta[:, 2]):
        raise Mistake(
            "The shift is missing: put a 1 behind x and y, so that the third "
            "column of theta is added."
        )
    turned = torch.cat([theta[:, :2].T, theta[:, 2:]], 1)
    if close(yours, grid_solution(turned, 5, 3)):
        raise Mistake(
            "The matrix is transposed: with places in rows, multiply by "
            "`theta.T` from the right."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but the numbers are not those of the equation.",
    )


def undo_solution(theta: Tensor) -> Tensor:
    """Invert a matrix (2, 3)."""
    back = torch.linalg.inv(theta[:, :2])
    return torch.cat([back, -back @ theta[:, 2:]], 1)


@exercise(
    "spatial_transformer.undo",
    kind="write",
    solution=undo_solution,
    praise="Sampling with one and then with the other brings every place "
    "back.",
    hints=(
        "The matrix maps p to A p + t. Solve q = A p + t for p.",
        "p = A^-1 q - A^-1 t. Both parts need the inverse of A.",
        "`torch.linalg.inv` inverts A; put A^-1 and -A^-1 t side by side.",
    ),
)
def undo(answer: Any) -> None:
    """Judge `answer(theta)`."""
    theta = _matrix()
    yours = expect_tensor(answer(theta), "The matrix", (2, 3))
    target = undo_solution(theta)
    linear, shift = theta[:, :2], theta[:, 2:]
    back = target[:, :2]
    if close(yours, torch.cat([back, -shift], 1)):
        raise Mistake(
            "The shift is only negated: it is made after zoom and turn, so "
            "it has to pass through their inverse."
        )
    if close(yours, torch.cat([linear.T, -linear.T @ shift], 1)):
        raise Mistake(
            "The transpose inverts a rotation but not a zoom: the scale is "
            "now squared where it should be one."
        )
    if close(yours, torch.cat([back, back @ shift], 1)):
        raise Mistake("The shift has the wrong sign.")
    if close(yours, torch.cat([back, shift], 1)):
        raise Mistake("The shift is still the old one.")
    if close(yours, -theta):
        raise Mistake(
            "To negate all six numbers mirrors the image through its centre; "
            "it does not take the transformation back."
        )
    expect_close(
        yours,
        target,
        "Following theta and then your matrix does not lead back to where "
        "it started.",
    )


def fixed_sample(image: Tensor, theta: Tensor) -> Tensor:
    """Sample images with matrices, one convention for both steps."""
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, align_corners=False)


@exercise(
    "spatial_transformer.identity",
    kind="find",
    solution=fixed_sample,
    praise="The identity gives the image back, and grid and sampler mean "
    "the same coordinates.",
    hints=(
        "Sample with the identity matrix. What should come back?",
        "What do -1 and 1 stand for in `affine_grid`, and what in "
        "`grid_sample`?",
        "Both functions take `align_corners`; it must be the same in both, "
        "and in this course it is False.",
    ),
)
def identity(answer: Any) -> None:
    """Judge `answer(image, theta)`."""
    image, theta = torch.rand(2, 3, 7, 5), torch.eye(2, 3).repeat(2, 1, 1)
    yours = expect_tensor(answer(image, theta), "The result", (2, 3, 7, 5))
    if not close(yours, image):
        inner = close(yours[:, :, 1:-1, 1:-1], image[:, :, 1:-1, 1:-1])
        if inner:
            raise Mistake("The border is not that of the image.")
        mixed = F.affine_grid(theta, list(image.shape), align_corners=True)
        if close(yours, F.grid_sample(image, mixed, align_corners=False)):
            raise Mistake(
                "The identity does not give the image back: the grid reaches "
                "to the outer edges, and the sampler takes these for places "
                "half outside."
            )
        mixed = F.affine_grid(theta, list(image.shape), align_corners=False)
        if close(yours, F.grid_sample(image, mixed, align_corners=True)):
            raise Mistake(
                "The identity zooms in: now the sampler means the centres of "
                "the outer pixels by -1 and 1, and the grid their edges."
            )
        raise Mistake("The identity does not give the image back.")
    theta = torch.stack([_matrix(), _matrix()])
    yours = expect_tensor(answer(image, theta), "The result", (2, 3, 7, 5))
    if close(yours, image):
        raise Mistake(
            "The matrix is not used: every image comes back as it was."
        )
    corners = F.affine_grid(theta, list(image.shape), align_corners=True)
    if close(yours, F.grid_sample(image, corners, align_corners=True)):
        raise Mistake(
            "The two agree now, but on True: -1 and 1 are the centres of the "
            "outer pixels, and the same matrix means something else at "
            "another size."
        )
    nearest = F.affine_grid(theta, list(image.shape), align_corners=False)
    if close(
        yours,
        F.grid_sample(image, nearest, mode="nearest", align_corners=False),
    ):
        raise Mistake(
            "It takes the nearest pixel: no gradient reaches the matrix."
        )
    expect_close(
        yours,
        fixed_sample(image, theta),
        "The identity works, but a matrix that turns and shifts does not.",
    )


@exercise(
    "spatial_transformer.direction",
    kind="predict",
    solution="counter-clockwise",
    praise="y points down, so the frame that is read turns clockwise, and "
    "what is seen in it turns the other way.",
    hints=(
        "Follow one place: from where does the middle of the right edge, "
        "(1, 0), read?",
        "It reads from (cos 30, sin 30), to the right and below the centre, "
        "since y points down. So how is the frame turned?",
        "Turn a camera clockwise: which way does the picture in it turn?",
    ),
)
def direction(answer: Any) -> None:
    """Judge how a picture turns when read with a positive angle."""
    said = expect_choice(
        answer,
        "The direction",
        ("clockwise", "counter-clockwise", "mirrored", "not at all"),
    )
    if said == "clockwise":
        raise Mistake(
            "That is how the frame turns on the input; what is seen in a "
            "frame turns the other way."
        )
    if said == "mirrored":
        raise Mistake(
            "A mirror needs a negative determinant; this one is "
            "cos^2 + sin^2 = 1."
        )
    if said == "not at all":
        raise Mistake(
            "Only the identity leaves everything as it is; here (1, 0) reads "
            "from (cos 30, sin 30)."
        )


def window_solution(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    """Build the matrix that reads a square of pixels."""
    x = (2 * left + side) / width - 1
    y = (2 * top + side) / height - 1
    return torch.tensor([[side / width, 0.0, x], [0.0, side / height, y]])


@exercise(
    "spatial_transformer.window",
    kind="change",
    solution=window_solution,
    praise="At the window's own size this sampling equals slicing, pixel "
    "by pixel.",
    hints=(
        "The whole image has the width 2 in coordinates. What width has the "
        "window?",
        "The zoom is side / width along x and side / height along y. Now "
        "the centre: in pixels it is left + side / 2.",
        "A place of u pixels from the left edge has x = 2 u / width - 1.",
    ),
    own_work=True,
)
def window(answer: Any) -> None:
    """Judge `answer(left, top, side, height, width)`."""
    height, width = 11, 17
    side = int(torch.randint(3, 7, ()))
    left = int(torch.randint(1, width - side, ()))
    top = 1 + (left + 1) % (height - side - 1)
    yours = expect_tensor(
        answer(left, top, side, height, width), "The matrix", (2, 3)
    ).float()
    target = window_solution(left, top, side, height, width)
    if close(yours, undo_solution(target)):
        raise Mistake(
            "This is the inverse: it leads from the image to the window."
        )
    if close(yours[:, :2], target[:, :2].flip(0).flip(1)):
        raise Mistake(
            "Width and height are swapped: the first row of the matrix makes "
            "x, so it takes the width."
        )
    if not close(yours[:, :2], target[:, :2]):
        raise Mistake(
            "The zoom is wrong: the window should cover side / width of the "
            "image along x and side / height along y."
        )
    if close(yours[:, 2], target[:, 2].flip(0)):
        raise Mistake("The shift is (y, x); it should be (x, y).")
    corner = torch.tensor([2 * left / width - 1, 2 * top / height - 1])
    if close(yours[:, 2], corner):
        raise Mistake(
            "The shift is the corner of the window; (0, 0) of the output is "
            "its centre."
        )
    pixel = torch.tensor([1 / width, 1 / height])
    if close(yours[:, 2], target[:, 2] - pixel):
        raise Mistake(
            "It is half a pixel off: a window of n pixels that starts at "
            "left has its centre at left + n / 2, not left + (n - 1) / 2."
        )
    expect_close(yours, target, "The zoom is right, the shift is not.")
