"""Wrong answers to the exercises of lesson 9, and what each is told."""

from torch import Tensor
from torch.nn import functional as F

from attncourse.exercises.topics.residual_attention import Network


def naive(trunk: Tensor, scores: Tensor) -> Tensor:
    return scores.sigmoid() * trunk


def without_sigmoid(trunk: Tensor, scores: Tensor) -> Tensor:
    return (1 + scores) * trunk


def one_outside(trunk: Tensor, scores: Tensor) -> Tensor:
    return 1 + scores.sigmoid() * trunk


def added(trunk: Tensor, scores: Tensor) -> Tensor:
    return trunk + scores.sigmoid()


def inverted(trunk: Tensor, scores: Tensor) -> Tensor:
    return (1 - scores.sigmoid()) * trunk


def mixed_by(views: Tensor, shares: Tensor) -> Tensor:
    return (shares.unsqueeze(2) * views).sum(0)


def over_places(views: Tensor, scores: Tensor) -> Tensor:
    shares = scores.flatten(2).softmax(-1).view_as(scores)
    return mixed_by(views, shares)


def over_batch(views: Tensor, scores: Tensor) -> Tensor:
    return mixed_by(views, scores.softmax(1))


def sigmoids(views: Tensor, scores: Tensor) -> Tensor:
    return mixed_by(views, scores.sigmoid())


def raw_scores(views: Tensor, scores: Tensor) -> Tensor:
    return mixed_by(views, scores)


def mean_after(views: Tensor, scores: Tensor) -> Tensor:
    return (scores.softmax(0).unsqueeze(2) * views).mean(0)


def unweighted(views: Tensor, scores: Tensor) -> Tensor:
    return views.mean(0)


def half_of(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return F.adaptive_avg_pool2d(x, ((height + 1) // 2, (width + 1) // 2))


def as_printed(x: Tensor, network: Network) -> Tensor:
    return F.interpolate(
        network(half_of(x)),
        scale_factor=2,
        mode="bilinear",
        align_corners=False,
    )


def cropped_late(x: Tensor, network: Network) -> Tensor:
    return as_printed(x, network)[..., : x.shape[2], : x.shape[3]]


def corners(x: Tensor, network: Network) -> Tensor:
    return F.interpolate(
        network(half_of(x)),
        size=x.shape[2:],
        mode="bilinear",
        align_corners=True,
    )


def blocks(x: Tensor, network: Network) -> Tensor:
    return F.interpolate(network(half_of(x)), size=x.shape[2:])


def late(x: Tensor, network: Network) -> Tensor:
    large = F.interpolate(
        half_of(x), size=x.shape[2:], mode="bilinear", align_corners=False
    )
    return network(large)


def full_size(x: Tensor, network: Network) -> Tensor:
    return network(x)


WRONG = {
    "residual_attention.attended": [
        (naive, "the naive product"),
        (without_sigmoid, "The sigmoid is missing"),
        (one_outside, "added to the product"),
        (added, "adds the mask"),
        (inverted, "shuts the trunk"),
    ],
    "residual_attention.stacked": [
        (3, "do not add"),
        (1.5**6, "That is 1 \\+ M"),
        (0.5, "a single layer"),
        (0.5**12, "there and back"),
        (64, "times smaller"),
        (0.02, "once for each of the six"),
    ],
    "residual_attention.mixed": [
        (over_places, "over the places of each scale"),
        (over_batch, "the images compete"),
        (sigmoids, "These are sigmoids"),
        (raw_scores, "as they are"),
        (mean_after, "have divided already"),
        (unweighted, "the scores are not used"),
    ],
    "residual_attention.brought_back": [
        (as_printed, "one too many for odd sides"),
        (cropped_late, "not those of the fixed code"),
        (corners, "align_corners=True"),
        (blocks, "come back as blocks"),
        (late, "blurred map at full cost"),
        (full_size, "sees the map at full size"),
    ],
}
