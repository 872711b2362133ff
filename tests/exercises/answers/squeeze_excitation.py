"""Wrong answers to the exercises of lesson 5, and what each is told."""

from torch import Tensor
from torch.nn import functional as F

from attncourse.attention import SqueezeExcitation
from attncourse.exercises.topics.squeeze_excitation import gates_solution


def scores(
    x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
) -> Tensor:
    return gates_solution(x, w1, b1, w2, b2).logit()


def competing(*given: Tensor) -> Tensor:
    return scores(*given).softmax(1)


def without_relu(
    x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
) -> Tensor:
    return ((x.mean((2, 3)) @ w1.T + b1) @ w2.T + b2).sigmoid()


def of_columns(x: Tensor, *layers: Tensor) -> Tensor:
    return gates_solution(x.transpose(1, 3), *layers)


def of_rows(x: Tensor, *layers: Tensor) -> Tensor:
    return gates_solution(x.transpose(1, 2), *layers)


def summed(x: Tensor, *layers: Tensor) -> Tensor:
    return gates_solution(x * x[0, 0].numel(), *layers)


def of_maxima(x: Tensor, *layers: Tensor) -> Tensor:
    return gates_solution(x.amax((2, 3), keepdim=True), *layers)


def four_axes(*given: Tensor) -> Tensor:
    return gates_solution(*given)[..., None, None]


def borrowed(x: Tensor, *layers: Tensor) -> Tensor:
    layer = SqueezeExcitation(8, 8)
    return layer(x, return_weights=True)[1]


def along_batch(x: Tensor, taps: Tensor) -> Tensor:
    squeezed = x.mean((2, 3)).T
    scores = F.conv1d(squeezed[:, None], taps[None, None], padding=1)
    return x * scores[:, 0].T.sigmoid()[..., None, None]


def filtered(x: Tensor, taps: Tensor) -> Tensor:
    squeezed = x.mean((2, 3))
    return F.conv1d(squeezed[:, None], taps[None, None], padding=1)[:, 0]


def eca_scores(x: Tensor, taps: Tensor) -> Tensor:
    return x * filtered(x, taps)[..., None, None]


def eca_softmax(x: Tensor, taps: Tensor) -> Tensor:
    return x * filtered(x, taps).softmax(1)[..., None, None]


def eca_flipped(x: Tensor, taps: Tensor) -> Tensor:
    return x * filtered(x, taps.flip(0)).sigmoid()[..., None, None]


def eca_ring(x: Tensor, taps: Tensor) -> Tensor:
    ring = F.pad(x.mean((2, 3))[:, None], (1, 1), mode="circular")
    gates = F.conv1d(ring, taps[None, None])[:, 0].sigmoid()
    return x * gates[..., None, None]


def eca_unpadded(x: Tensor, taps: Tensor) -> Tensor:
    gates = F.conv1d(x.mean((2, 3))[:, None], taps[None, None])[:, 0]
    return x * gates.sigmoid()[..., None, None]


def as_printed(x: Tensor, scores: Tensor) -> Tensor:
    return x * scores.softmax(1)[..., None, None]


def by_the_root(x: Tensor, scores: Tensor) -> Tensor:
    return as_printed(x, scores) * x.shape[1] ** 0.5


def by_the_largest(x: Tensor, scores: Tensor) -> Tensor:
    shares = scores.softmax(1)
    return x * (shares / shares.amax(1, keepdim=True))[..., None, None]


def twice_the_sigmoid(x: Tensor, scores: Tensor) -> Tensor:
    return 2 * x * scores.sigmoid()[..., None, None]


def one_plus(x: Tensor, scores: Tensor) -> Tensor:
    return x + as_printed(x, scores)


def over_the_batch(x: Tensor, scores: Tensor) -> Tensor:
    return x * (len(x) * scores.softmax(0))[..., None, None]


def by_places(x: Tensor, scores: Tensor) -> Tensor:
    return as_printed(x, scores) * x[0, 0].numel()


WRONG = {
    "squeeze_excitation.gates": [
        (scores, "sigmoid that brings them"),
        (competing, "The channels compete"),
        (without_relu, "The ReLU between the two layers is missing"),
        (of_columns, "leaves columns"),
        (of_rows, "leaves rows"),
        (summed, "the sum over the places"),
        (of_maxima, "largest place of each channel"),
        (four_axes, r"shape \(3, 8\), but has \(3, 8, 1, 1\)"),
        (borrowed, "the package's own code"),
    ],
    "squeeze_excitation.parameters": [
        (33312, "That is one gate"),
        (65536, "The biases are missing"),
        (32768, "That is two matrices"),
        (525312, "one layer from 512 to 512"),
        (1050624, "a hidden layer of 512"),
        (32832, "the way down to 32 units alone"),
        (1000, "count two matrices and two biases"),
    ],
    "squeeze_excitation.ceiling": [
        (2 / 3, "three classes"),
        (0.5, "whatever the dot says"),
        (0.25, "guessing among four classes"),
        (0.75, "for one of the two dots"),
        (1, "smallest when it does not"),
        (62.5, "between zero and one"),
        (0.9, "half of those where they do not"),
    ],
    "squeeze_excitation.eca": [
        (along_batch, "still runs along the batch"),
        (eca_scores, "the sigmoid is missing"),
        (eca_softmax, "The channels compete now"),
        (eca_flipped, "The filter is turned round"),
        (eca_ring, "closed to a ring"),
        (eca_unpadded, "It raised RuntimeError"),
    ],
    "squeeze_excitation.neutral": [
        (as_printed, "Nothing has changed yet"),
        (by_the_root, "The root of C is not enough"),
        (by_the_largest, "Dividing by the largest weight"),
        (twice_the_sigmoid, "these are sigmoid gates"),
        (one_plus, "raises every channel"),
        (over_the_batch, "runs over the batch"),
        (by_places, "With equal scores"),
    ],
}
