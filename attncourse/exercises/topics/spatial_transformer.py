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
    refuse,
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
    """Input coordinates (x, y) of each position of the output."""
    x = (2 * torch.arange(width) + 1) / width - 1
    y = (2 * torch.arange(height) + 1) / height - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    positions = torch.stack([columns, rows, torch.ones_like(rows)], -1)
    return positions @ theta.T


def _corners(theta: Tensor, height: int, width: int) -> Tensor:
    x, y = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows, torch.ones_like(rows)], -1) @ theta.T


def _y_first(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(theta, height, width).flip(-1)


def _meets_y_first(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(theta[:, [1, 0, 2]], height, width)


def _matrix_unused(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(torch.eye(2, 3), height, width)


def _not_shifted(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(theta, height, width) - theta[:, 2]


def _transposed(theta: Tensor, height: int, width: int) -> Tensor:
    turned = torch.cat([theta[:, :2].T, theta[:, 2:]], 1)
    return grid_solution(turned, height, width)


def _inverted(theta: Tensor, height: int, width: int) -> Tensor:
    return grid_solution(undo_solution(theta), height, width)


GRID_WRONG = (
    (
        _corners,
        "The first and last positions lie on -1 and 1, the outer edges of "
        "the image; they should lie in the middle of the outer pixels.",
    ),
    (_y_first, "The two coordinates are swapped: x comes first."),
    (
        _meets_y_first,
        "The matrix meets (y, x, 1) where it expects (x, y, 1).",
    ),
    (_matrix_unused, "The matrix is not used: this is the grid itself."),
    (
        _not_shifted,
        "The shift is missing: put a 1 behind x and y, so that the third "
        "column of theta is added.",
    ),
    (
        _transposed,
        "The matrix is transposed: with positions in rows, multiply by "
        "`theta.T` from the right.",
    ),
    (
        _inverted,
        "The matrix is inverted: theta itself leads from a position of the "
        "output to the one of the input that is read there.",
    ),
)


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
    wrong=GRID_WRONG,
)
def grid(answer: Any) -> None:
    """Judge `answer(theta, height, width)`."""
    theta = _matrix()
    yours = expect_tensor(answer(theta, 5, 3), "The grid", (5, 3, 2))
    refuse(yours, GRID_WRONG, theta, 5, 3)
    expect_close(
        yours,
        grid_solution(theta, 5, 3),
        "The shape is right, but the numbers are not those of the equation.",
    )


def undo_solution(theta: Tensor) -> Tensor:
    """Invert a matrix (2, 3)."""
    back = torch.linalg.inv(theta[:, :2])
    return torch.cat([back, -back @ theta[:, 2:]], 1)


def _only_negated(theta: Tensor) -> Tensor:
    return torch.cat([undo_solution(theta)[:, :2], -theta[:, 2:]], 1)


def _transpose(theta: Tensor) -> Tensor:
    back = theta[:, :2].T
    return torch.cat([back, -back @ theta[:, 2:]], 1)


def _wrong_sign(theta: Tensor) -> Tensor:
    return undo_solution(theta) * torch.tensor([1.0, 1.0, -1.0])


def _old_shift(theta: Tensor) -> Tensor:
    return torch.cat([undo_solution(theta)[:, :2], theta[:, 2:]], 1)


def _negated(theta: Tensor) -> Tensor:
    return -theta


UNDO_WRONG = (
    (
        _only_negated,
        "The shift is only negated: it is made after zoom and turn, so it "
        "has to pass through their inverse.",
    ),
    (
        _transpose,
        "The transpose inverts a rotation but not a zoom: the scale is now "
        "squared where it should be one.",
    ),
    (_wrong_sign, "The shift has the wrong sign."),
    (_old_shift, "The shift is still the old one."),
    (
        _negated,
        "To negate all six numbers mirrors the image through its centre; it "
        "does not take the transformation back.",
    ),
)


@exercise(
    "spatial_transformer.undo",
    kind="write",
    solution=undo_solution,
    praise="Sampling with one and then with the other brings every position "
    "back.",
    hints=(
        "The matrix maps p to A p + t. Solve q = A p + t for p.",
        "p = A^-1 q - A^-1 t. Both parts need the inverse of A.",
        "`torch.linalg.inv` inverts A; put A^-1 and -A^-1 t side by side.",
    ),
    wrong=UNDO_WRONG,
)
def undo(answer: Any) -> None:
    """Judge `answer(theta)`."""
    theta = _matrix()
    yours = expect_tensor(answer(theta), "The matrix", (2, 3))
    refuse(yours, UNDO_WRONG, theta)
    expect_close(
        yours,
        undo_solution(theta),
        "Following theta and then your matrix does not lead back to where "
        "it started.",
    )


def fixed_sample(image: Tensor, theta: Tensor) -> Tensor:
    """Sample images with matrices, one convention for both steps."""
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, align_corners=False)


def _sampled(
    image: Tensor,
    theta: Tensor,
    made: bool,
    read: bool,
    mode: str = "bilinear",
) -> Tensor:
    grid = F.affine_grid(theta, list(image.shape), align_corners=made)
    return F.grid_sample(image, grid, mode=mode, align_corners=read)


def _mixed(image: Tensor, theta: Tensor) -> Tensor:
    return _sampled(image, theta, True, False)


def _mixed_otherwise(image: Tensor, theta: Tensor) -> Tensor:
    return _sampled(image, theta, False, True)


def _nearest(image: Tensor, theta: Tensor) -> Tensor:
    return _sampled(image, theta, False, False, "nearest")


def _nearest_of_corners(image: Tensor, theta: Tensor) -> Tensor:
    return _sampled(image, theta, True, True, "nearest")


def _as_it_was(image: Tensor, theta: Tensor) -> Tensor:
    return image.clone()


NO_GRADIENT = "It takes the nearest pixel: no gradient reaches the matrix."
IDENTITY_WRONG = (
    (
        _mixed,
        "The identity does not give the image back: the grid reaches to the "
        "outer edges, and the sampler takes these for positions half "
        "outside.",
    ),
    (
        _mixed_otherwise,
        "The identity zooms in: now the sampler means the centres of the "
        "outer pixels by -1 and 1, and the grid their edges.",
    ),
    (
        _as_it_was,
        "The matrix is not used: every image comes back as it was.",
    ),
    (_nearest, NO_GRADIENT),
    (_nearest_of_corners, NO_GRADIENT),
)


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
    wrong=IDENTITY_WRONG,
)
def identity(answer: Any) -> None:
    """Judge `answer(image, theta)`."""
    image, eye = torch.rand(2, 3, 7, 5), torch.eye(2, 3).repeat(2, 1, 1)
    back = expect_tensor(answer(image, eye), "The result", (2, 3, 7, 5))
    inner = (..., slice(1, -1), slice(1, -1))
    if not close(back, image):
        if close(back[inner], image[inner]):
            raise Mistake("The border is not that of the image.")
        refuse(back, IDENTITY_WRONG[:2], image, eye)
        raise Mistake("The identity does not give the image back.")
    theta = torch.stack([_matrix(), _matrix()])
    yours = expect_tensor(answer(image, theta), "The result", (2, 3, 7, 5))
    refuse(yours, IDENTITY_WRONG, image, theta)
    if close(yours, _sampled(image, theta, True, True)):
        return  # one convention in both calls, which is what was asked
    expect_close(
        yours,
        fixed_sample(image, theta),
        "The identity works, but a matrix that turns and shifts does not.",
    )


DIRECTION_WRONG = (
    (
        "clockwise",
        "That is how the frame turns on the input; what is seen in a frame "
        "turns the other way.",
    ),
    (
        "mirrored",
        "A mirror needs a negative determinant; this one is "
        "cos^2 + sin^2 = 1.",
    ),
    (
        "not at all",
        "Only the identity leaves everything as it is; here (1, 0) reads "
        "from (cos 30, sin 30).",
    ),
)


@exercise(
    "spatial_transformer.direction",
    kind="predict",
    solution="counter-clockwise",
    praise="y points down, so the frame that is read turns clockwise, and "
    "what is seen in it turns the other way.",
    hints=(
        "Follow one position: from where does the middle of the right edge, "
        "(1, 0), read?",
        "It reads from (cos 30, sin 30), to the right and below the centre, "
        "since y points down. So how is the frame turned?",
        "Turn a camera clockwise: which way does the picture in it turn?",
    ),
    wrong=DIRECTION_WRONG,
)
def direction(answer: Any) -> None:
    """Judge how a picture turns when read with a positive angle."""
    known = [choice for choice, _ in DIRECTION_WRONG]
    said = expect_choice(
        answer, "The direction", ("counter-clockwise", *known)
    )
    refuse(said, DIRECTION_WRONG)


def window_solution(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    """Build the matrix that reads a square of pixels."""
    x = (2 * left + side) / width - 1
    y = (2 * top + side) / height - 1
    return torch.tensor([[side / width, 0.0, x], [0.0, side / height, y]])


def _window_inverted(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    return undo_solution(window_solution(left, top, side, height, width))


def _swapped_zoom(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    matrix = window_solution(left, top, side, height, width)
    matrix[0, 0], matrix[1, 1] = side / height, side / width
    return matrix


def _swapped_shift(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    matrix = window_solution(left, top, side, height, width)
    return torch.cat([matrix[:, :2], matrix[:, 2:].flip(0)], 1)


def _corner(left: int, top: int, side: int, height: int, width: int) -> Tensor:
    matrix = window_solution(left, top, side, height, width)
    matrix[:, 2] -= torch.tensor([side / width, side / height])
    return matrix


def _half_off(
    left: int, top: int, side: int, height: int, width: int
) -> Tensor:
    matrix = window_solution(left, top, side, height, width)
    matrix[:, 2] -= torch.tensor([1 / width, 1 / height])
    return matrix


WINDOW_WRONG = (
    (
        _window_inverted,
        "This is the inverse: it leads from the image to the window.",
    ),
    (
        _swapped_zoom,
        "Width and height are swapped: the first row of the matrix makes x, "
        "so it takes the width.",
    ),
    (_swapped_shift, "The shift is (y, x); it should be (x, y)."),
    (
        _corner,
        "The shift is the corner of the window; (0, 0) of the output is its "
        "centre.",
    ),
    (
        _half_off,
        "It is half a pixel off: a window of n pixels that starts at left "
        "has its centre at left + n / 2, not left + (n - 1) / 2.",
    ),
)


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
        "A position u pixels from the left edge has x = 2 u / width - 1.",
    ),
    own_work=True,
    wrong=WINDOW_WRONG,
)
def window(answer: Any) -> None:
    """Judge `answer(left, top, side, height, width)`."""
    height, width = 11, 17
    side = int(torch.randint(3, 7, ()))
    left = int(torch.randint(1, width - side, ()))
    top = 1 + (left + 1) % (height - side - 1)
    size = (left, top, side, height, width)
    yours = expect_tensor(answer(*size), "The matrix", (2, 3)).float()
    target = window_solution(*size)
    refuse(yours, WINDOW_WRONG, *size)
    expect_close(
        yours[:, :2],
        target[:, :2],
        "The zoom is wrong: the window should cover side / width of the "
        "image along x and side / height along y.",
    )
    expect_close(yours, target, "The zoom is right, the shift is not.")


def _centre_inside(theta: Tensor) -> Tensor:
    return torch.cat([theta[:, :, :2], theta[:, :, 2:].clamp(-1, 1)], 2)


def _as_if_upright(theta: Tensor) -> Tensor:
    room = 1 - theta[:, :, :2].diagonal(dim1=1, dim2=2).abs()
    room = room.clamp(min=0)
    shift = theta[:, :, 2].clamp(-room, room)
    return torch.cat([theta[:, :, :2], shift[:, :, None]], 2)


def _centred(theta: Tensor) -> Tensor:
    return torch.cat([theta[:, :, :2], 0 * theta[:, :, 2:]], 2)


KEEP_INSIDE_WRONG = (
    (
        _centre_inside,
        "The centre of the frame stays inside the image; its corners still "
        "stick out.",
    ),
    (
        _as_if_upright,
        "This is right for frames that stand upright. Turned by 45 degrees, "
        "a square reaches further along each axis than half its side.",
    ),
    (
        _centred,
        "Every frame is in the middle now; move it no further than it has to.",
    ),
)


def _turned() -> Tensor:
    """Draw a zoom and a turn whose frame fits into the image."""
    zoom, angle = 0.35 + 0.15 * torch.rand(()), 0.3 + 0.5 * torch.rand(())
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    return torch.stack([cosine, -sine, sine, cosine]).view(2, 2)


def _reach(matrix: Tensor, shift: Tensor) -> Tensor:
    """How far from the centre of the image the corners lie, by axis."""
    ends = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    return (ends @ matrix.mT + shift[:, None]).abs().amax(1)


@exercise(
    "spatial_transformer.keep_inside",
    kind="write",
    answer="function",
    hand_in=True,
    praise="Zoom and angle are as they were, and no frame reads more black "
    "border than it has to.",
    hints=(
        "Where do the four corners (-1, -1), (1, -1), (-1, 1), (1, 1) of the "
        "output read? Which of them reaches furthest along x?",
        "The first row of theta makes x. Over the four corners, its first "
        "two entries come with all signs.",
        "Knowing how far a frame reaches from its centre, you know between "
        "which two values its centre may lie. A frame that reaches further "
        "than 1 has no such values: there the centre is 0.",
    ),
    wrong=KEEP_INSIDE_WRONG,
)
def keep_inside(answer: Any) -> None:
    """Judge `answer(theta)` by the frames that come out."""
    turned = _turned()
    room = 1 - _reach(turned, torch.zeros(1, 2))[0]
    out = room + torch.rand(2) + 0.1
    far = torch.tensor([3.0, 1.0]) * -out
    inside = 0.8 * room
    shifts = [inside, torch.stack([out[0], -inside[1]]), far, out]
    theta = torch.cat(
        [turned.expand(4, 2, 2), torch.stack(shifts)[:, :, None]], 2
    )
    large = torch.cat([3 * turned[:1], turned[1:]])
    centre = torch.stack([0.5 * out[0], inside[1]])
    too_wide = torch.cat([large, centre[:, None]], 1)[None]
    theta = torch.cat([theta, too_wide])
    given = theta.clone()
    yours = expect_tensor(answer(theta), "The result", (5, 2, 3))
    refuse(yours, KEEP_INSIDE_WRONG, given)
    if not close(yours[:, :, :2], given[:, :, :2]):
        raise Mistake(
            "Zoom and angle have changed; only the third column may."
        )
    if not close(yours[0], given[0]):
        raise Mistake("A frame that was inside has moved.")
    reach = _reach(yours[:, :, :2], yours[:, :, 2])
    if (reach[:4] > 1 + 1e-4).any():
        raise Mistake("A frame that would fit still sticks out of the image.")
    fits = given[1:4, :, 2].abs() <= room
    if not close(yours[1:4, :, 2][fits], given[1:4, :, 2][fits]):
        raise Mistake(
            "A frame has moved along an axis along which it was inside."
        )
    if not close(reach[1:4][~fits], torch.ones(5)):
        raise Mistake(
            "A frame that stuck out has moved too far: it should just touch "
            "the edge."
        )
    if not close(yours[4, 0, 2], torch.zeros(())):
        raise Mistake(
            "A frame that is wider than the image should have its centre at "
            "x = 0."
        )
    expect_close(
        yours[4],
        torch.cat([large, torch.stack([0 * room[0], inside[1]])[:, None]], 1),
        "The frame that is too wide fits along y and was inside there; it "
        "should not have moved along y.",
    )
