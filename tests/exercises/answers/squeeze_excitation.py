"""Wrong answers to the exercises of lesson 5, and what each hears."""

from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import SqueezeExcitation


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


def over_batch_too(x: Tensor, taps: Tensor) -> Tensor:
    pooled = x.mean((0, 2, 3)).expand(len(x), -1)
    scores = F.conv1d(pooled[:, None], taps[None, None], padding=1)
    return x * scores[:, 0].sigmoid()[..., None, None]


def one_by_one(x: Tensor, taps: Tensor) -> Tensor:
    """Right, and without a convolution of torch."""
    z = F.pad(x.mean((2, 3)), (1, 1))
    scores = sum(taps[j] * z[:, j : j + x.shape[1]] for j in range(3))
    return x * scores.sigmoid()[..., None, None]


def scaled(x: Tensor, gates: Tensor) -> Tensor:
    return x * gates[..., None, None]


def shares(scores: Tensor, live: Tensor) -> Tensor:
    return scores.masked_fill(~live, float("-inf")).softmax(1)


def as_printed(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, scores.softmax(1))


def not_rescaled(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, shares(scores, live))


def by_all_channels(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, x.shape[1] * shares(scores, live))


def masked_late(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, x.shape[1] * scores.softmax(1) * live)


def masked_late_by_live(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    left = live.sum(1, keepdim=True)
    return scaled(x, left * scores.softmax(1) * live)


def by_the_root(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    left = live.sum(1, keepdim=True)
    return scaled(x, left**0.5 * shares(scores, live))


def by_the_batch(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, len(x) * shares(scores, live))


def by_the_largest(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    found = shares(scores, live)
    return scaled(x, found / found.amax(1, keepdim=True))


def twice_the_sigmoid(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, 2 * scores.sigmoid() * live)


def one_plus(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, live * (1 + shares(scores, live)))


def over_the_batch(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, len(x) * scores.softmax(0) * live)


def dead_as_they_were(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    left = live.sum(1, keepdim=True)
    return scaled(x, left * shares(scores, live) + (~live).float())


def only_even(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    return scaled(x, live.float())


def normalised(x: Tensor, scores: Tensor, live: Tensor) -> Tensor:
    """Right, by another way: divided by the mean over live channels."""
    weights = (scores - scores.amax(1, keepdim=True)).exp() * live
    mean = weights.sum(1, keepdim=True) / live.sum(1, keepdim=True)
    return scaled(x, weights / mean)


class OpenGate(nn.Module):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, channels // reduction)
        self.expand = nn.Linear(channels // reduction, channels)
        nn.init.zeros_(self.expand.weight)
        nn.init.constant_(self.expand.bias, 4.0)

    def gates(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.reduce(x.mean((2, 3))))
        return self.expand(hidden).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return scaled(x, self.gates(x))


class HalfOpen(OpenGate):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__(channels, reduction)
        nn.init.zeros_(self.expand.bias)


class TwiceTheGate(HalfOpen):
    def gates(self, x: Tensor) -> Tensor:
        return 2 * super().gates(x)


class OnePlus(OpenGate):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__(channels, reduction)
        nn.init.constant_(self.expand.bias, -4.0)

    def gates(self, x: Tensor) -> Tensor:
        return 1 + super().gates(x)


class WideOpen(OpenGate):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__(channels, reduction)
        nn.init.constant_(self.expand.bias, 200.0)


class WithoutBias(nn.Module):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = channels // reduction
        self.reduce = nn.Linear(channels, hidden, bias=False)
        self.expand = nn.Linear(hidden, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.reduce(x.mean((2, 3))))
        return scaled(x, (self.expand(hidden) + 4).sigmoid())


class OfTheMaximum(OpenGate):
    def gates(self, x: Tensor) -> Tensor:
        return super().gates(x[:, :, :1, :1])


class OfTheBatch(OpenGate):
    def gates(self, x: Tensor) -> Tensor:
        return super().gates(x + x.mean(0, keepdim=True))


REFERENCE = {"squeeze_excitation.open_gate": OpenGate}

RIGHT = {
    "squeeze_excitation.eca": [one_by_one],
    "squeeze_excitation.neutral": [normalised],
}

WRONG = {
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
        (over_batch_too, "the mean over the batch as well"),
        (eca_scores, "the sigmoid is missing"),
        (eca_softmax, "The channels compete now"),
        (eca_flipped, "The filter is turned round"),
        (eca_ring, "closed to a ring"),
        (eca_unpadded, "It raised RuntimeError"),
    ],
    "squeeze_excitation.neutral": [
        (as_printed, "Nothing has changed yet"),
        (not_rescaled, "mean one over live channels"),
        (by_all_channels, "the number of all channels"),
        (masked_late, "zero after the softmax"),
        (masked_late_by_live, "zero after the softmax"),
        (by_the_root, "is not enough"),
        (by_the_batch, "the size of the batch"),
        (by_the_largest, "no channel can be raised"),
        (twice_the_sigmoid, "these are sigmoid gates"),
        (one_plus, "raises every channel"),
        (over_the_batch, "runs over the batch"),
        (dead_as_they_were, "Dead channels should come out as zeros"),
        (only_even, "proportions of the softmax"),
    ],
    "squeeze_excitation.open_gate": [
        (HalfOpen, "within five per cent of one"),
        (TwiceTheGate, "not between zero and one"),
        (OnePlus, "not between zero and one"),
        (WideOpen, "gets no gradient"),
        (WithoutBias, "two layers with their biases"),
        (OfTheMaximum, "positions are shuffled"),
        (OfTheBatch, "depend on its batch"),
        (SqueezeExcitation, "package's own code"),
    ],
}
