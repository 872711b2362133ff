"""Does REINFORCE learn where to look, and does a gradient do it better?"""

from functools import partial

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.attention.recurrent_attention import (
    GlimpseReader,
    Reader,
    RecurrentAttention,
    reinforce_loss,
)
from attncourse.data import ClutteredDigits, Scenes
from attncourse.metrics import mass_inside
from attncourse.models.glimpses import (
    CentreGlimpses,
    DifferentiableReader,
    InkGlimpses,
    RandomGlimpses,
)
from attncourse.trials.budget import Budget
from attncourse.trials.runs import Variant

CANVAS, DIGIT = 40, 16
GLIMPSES = 5


def glimpser(
    kind: type[RecurrentAttention] = RecurrentAttention,
    reader: Reader | None = None,
) -> RecurrentAttention:
    """Five glimpses; all kinds start from the same weights."""
    return kind(
        1,
        10,
        glimpses=GLIMPSES,
        reader=GlimpseReader(patch=8, scales=2) if reader is None else reader,
        hidden_dim=96,
        std=0.12,
    )


def reinforced(
    model: nn.Module,
    images: Float[Tensor, "batch 1 height width"],
    labels: Int64[Tensor, " batch"],
    masks: Bool[Tensor, "batch 1 height width"] | None,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch 10"]]:
    """Cross-entropy, baseline and REINFORCE."""
    assert isinstance(model, RecurrentAttention)
    episode = model.play(images)
    return reinforce_loss(episode, labels), episode.logits


@torch.no_grad()
def replay(
    model: RecurrentAttention,
    images: Float[Tensor, "batch 1 height width"],
    locations: Float[Tensor, "batch glimpses numbers"],
) -> Float[Tensor, "batch classes"]:
    """Logits when the glimpses are taken at these locations."""
    state = images.new_zeros(len(images), model.core.hidden_size)
    for location in locations.unbind(1):
        seen = model.what(model.reader.read(images, location).flatten(1))
        state = model.core((seen + model.where(location)).relu(), state)
    logits: Tensor = model.classifier(state)
    return logits


def inside(
    locations: Float[Tensor, "batch glimpses 2"],
    masks: Bool[Tensor, "batch 1 height width"],
) -> Bool[Tensor, "batch glimpses"]:
    """Whether each location lies on the mask."""
    height, width = masks.shape[2:]
    size = torch.tensor([width, height], device=locations.device)
    pixel = ((locations + 1) * size / 2).floor().long()
    within = ((pixel >= 0) & (pixel < size)).all(-1)
    column = pixel[..., 0].clamp(0, width - 1)
    row = pixel[..., 1].clamp(0, height - 1)
    scene = torch.arange(len(masks), device=locations.device)[:, None]
    found: Tensor = masks[scene, 0, row, column] & within
    return found


def scenes(
    count: int, *, split: str = "train", seed: int = 0
) -> ClutteredDigits:
    """One digit on a black canvas, no clutter."""
    return ClutteredDigits(
        count,
        size=CANVAS,
        digit_size=DIGIT,
        fragments=0,
        split=split,
        seed=seed,
    )


def elsewhere(
    model: RecurrentAttention,
    shown: Scenes,
    locations: Float[Tensor, "batch glimpses 2"],
    accuracy: float,
) -> dict[str, float]:
    """Accuracy lost with the locations of another image, or the centre."""
    tried = {
        "drop_others": locations.roll(1, 0),
        "drop_centre": torch.zeros_like(locations),
    }
    return {
        name: accuracy - _accuracy(replay(model, shown.images, each), shown)
        for name, each in tried.items()
    }


def _accuracy(logits: Float[Tensor, "batch classes"], shown: Scenes) -> float:
    return (logits.argmax(1) == shown.labels).float().mean().item()


VARIANTS = {
    "centre": Variant(
        "glimpses at the centre", partial(glimpser, CentreGlimpses)
    ),
    "random": Variant("glimpses at random", partial(glimpser, RandomGlimpses)),
    "reinforce": Variant(
        "REINFORCE with a baseline",
        glimpser,
        loss=reinforced,
        score=elsewhere,
    ),
    "differentiable": Variant(
        "the same glimpses, differentiable",
        partial(glimpser, reader=DifferentiableReader(patch=8, scales=2)),
        score=elsewhere,
    ),
    "ink": Variant(
        "glimpses at the centre of the ink", partial(glimpser, InkGlimpses)
    ),
}


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train one variant; score its accuracy and its locations."""
    chosen = VARIANTS[variant]
    torch.manual_seed(seed)
    model = chosen.build()
    assert isinstance(model, RecurrentAttention)
    drawn = scenes(budget.scenes, seed=seed)
    budget.fit(model, drawn, seed=seed, loss=chosen.loss)
    test = scenes(budget.test_scenes, split="test").draw()
    assert test.masks is not None
    with torch.no_grad():
        torch.manual_seed(seed)
        episode = model.play(test.images)
        torch.manual_seed(seed)
        maps = model.attend(test.images).weights
    accuracy = _accuracy(episode.logits, test)
    hits = inside(episode.locations, test.masks).float().mean(0)
    metrics = {
        "accuracy": accuracy,
        "hit": hits[-1].item(),
        "mass": mass_inside(maps[:, -1:], test.masks).mean().item(),
    }
    metrics |= {
        f"hit_{step}": hit.item() for step, hit in enumerate(hits, start=1)
    }
    return metrics | chosen.score(model, test, episode.locations, accuracy)
