"""Does a wide attention need its scale, and would a small start do?"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from attncourse.attention import scaled_dot_product_attention
from attncourse.data import Scenes, digits
from attncourse.trials.budget import Budget
from attncourse.trials.loop import evaluate, fit
from attncourse.trials.runs import Variant

SIDE = 8  # pixels of a digit
GRID = 3  # digits in a row of the scene
CUE = GRID**2 // 2  # the cell in the middle
PALETTE = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))
TRAINING_DIGITS = 1000
SPLITS = ("train", "validation", "test")
RATES = (1 / 16, 1 / 4, 1, 4, 16)


class ColourLookup:
    """A white digit in the middle; which colour has the other of its class?

    Nine real digits stand in a grid. Exactly one of the eight around the
    middle is of the same class as the white one. Each of the eight has one
    of six colours, drawn at random, and the label is the colour of that one.
    Its cell is the answer key.

    Parameters
    ----------
    count
        Scenes in one epoch.
    split
        ``"train"``, ``"validation"`` (both out of the training digits) or
        ``"test"``. They share no digit.
    seed
        Two seeds give two unrelated sequences of epochs.

    Raises
    ------
    ValueError
        If ``split`` is none of the three or ``count`` is below one.
    """

    def __init__(
        self, count: int, *, split: str = "train", seed: int = 0
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        source = digits("test" if split == "test" else "train")
        kept = {
            "train": slice(TRAINING_DIGITS),
            "validation": slice(TRAINING_DIGITS, None),
            "test": slice(None),
        }[split]
        labels = source.labels[kept]
        self.count = count
        self.split = split
        self.seed = seed
        self._digits = source.images[kept][labels.argsort(), 0].numpy()
        self._sizes = labels.bincount(minlength=10).numpy()

    def draw(self, epoch: int = 0) -> Scenes:
        """Draw all scenes of an epoch at once."""
        rng = np.random.default_rng(
            [self.seed, epoch, SPLITS.index(self.split)]
        )
        count, cells = self.count, GRID**2
        scene = np.arange(count)
        match = rng.integers(cells - 1, size=count)
        match += match >= CUE
        cue = rng.integers(10, size=(count, 1))
        classes = (cue + rng.integers(1, 10, (count, cells))) % 10
        classes[:, [CUE]] = cue
        classes[scene, match] = cue[:, 0]
        size = self._sizes[classes]
        rank = rng.integers(size)
        another = rank[:, CUE] + rng.integers(1, size[:, CUE])
        rank[scene, match] = another % size[:, CUE]
        first = self._sizes.cumsum() - self._sizes
        ink = self._digits[first[classes] + rank]  # (count, 9, 8, 8)

        chosen = rng.integers(len(PALETTE), size=(count, cells))
        colours = np.array(PALETTE, np.float32)[chosen]
        colours[:, CUE] = 1
        painted = np.einsum("nprc,npk->nkprc", ink, colours)
        key = np.zeros((count, 1, cells, SIDE, SIDE), np.bool_)
        key[scene, 0, match] = True
        return Scenes(
            torch.from_numpy(_canvas(painted)),
            torch.from_numpy(chosen[scene, match]),
            torch.from_numpy(_canvas(key)),
        )


class DigitLookup(nn.Module):
    """Answer a :class:`ColourLookup` by one attention and nothing else.

    The query is the digit in the middle, the keys are the eight around it,
    the values are their colours. All that is learnt are the projections of
    query and key. The answer is the colour of the palette that is nearest
    to the mixed one.

    Parameters
    ----------
    dim
        Width of query and key.
    scaled
        False leaves the division by the root of the width out.
    start
        Standard deviation of the entries of query and key before training.
    """

    palette: Tensor
    around: Tensor

    def __init__(
        self, dim: int, *, scaled: bool = True, start: float = 1.0
    ) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        super().__init__()
        self.query = nn.Linear(SIDE**2, dim, bias=False)
        self.key = nn.Linear(SIDE**2, dim, bias=False)
        for projection in (self.query, self.key):
            nn.init.normal_(projection.weight, std=start / SIDE)
        self.undo = 1.0 if scaled else dim**0.5
        self.register_buffer("palette", torch.tensor(PALETTE).float())
        self.register_buffer("around", torch.arange(GRID**2) != CUE)

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        *,
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "batch classes"]
        | tuple[
            Float[Tensor, "batch classes"],
            Float[Tensor, "batch 1 rows columns"],
        ]
    ):
        """Negative squared distance of the mixed colour to each other one."""
        tokens, colours = split_cells(images)
        mixed, weights = scaled_dot_product_attention(
            self.query(tokens[:, [CUE]]) * self.undo,  # (batch, 1, dim)
            self.key(tokens),  # (batch, 9, dim)
            colours,
            self.around,
            return_weights=True,
        )
        logits = -(mixed - self.palette).square().sum(-1)
        if not return_weights:
            return logits
        return logits, weights.unflatten(-1, (GRID, GRID))


def split_cells(
    images: Float[Tensor, "batch 3 height width"],
) -> tuple[Float[Tensor, "batch 9 64"], Float[Tensor, "batch 9 3"]]:
    """Cut a scene into digits: standardised pixels, and the colour of each."""
    cells = F.unfold(images, SIDE, stride=SIDE).mT.unflatten(-1, (3, -1))
    ink = cells.amax(2)
    colours = cells.sum(-1) / ink.sum(-1, keepdim=True)
    return F.layer_norm(ink, (SIDE**2,)), colours


def colour_distance(
    model: nn.Module,
    images: Float[Tensor, "batch 3 height width"],
    labels: Int64[Tensor, " batch"],
    masks: Tensor | None,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Mean squared distance to the right colour, and the logits."""
    logits = model(images)
    return -logits.gather(1, labels[:, None]).mean(), logits


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    """Train a variant at five learning rates and score the best of them.

    The best is the one with the highest accuracy on validation scenes.
    """
    held_out = ColourLookup(budget.test_scenes, split="validation").draw()
    test = ColourLookup(budget.test_scenes, split="test").draw()
    metrics: dict[str, float] = {}
    best = -1.0
    for rate in (factor * budget.lr for factor in RATES):
        torch.manual_seed(seed)
        model = VARIANTS[variant].build()
        keys_at_start = effective_keys(model, held_out)
        fit(
            model,
            ColourLookup(budget.scenes, seed=seed),
            epochs=budget.epochs,
            batch_size=budget.batch_size,
            lr=rate,
            seed=seed,
            progress=False,
            loss=colour_distance,
        )
        validated = evaluate(model, held_out)["accuracy"]
        scores = evaluate(model, test)
        metrics[f"accuracy_at_{rate:g}"] = scores["accuracy"]
        if validated > best:
            best = validated
            metrics |= {**scores, "rate": rate}
            metrics["keys_at_start"] = keys_at_start
    return metrics


@torch.no_grad()
def effective_keys(model: nn.Module, scenes: Scenes) -> float:
    """Return e to the mean entropy of the weights: 8 if all are equal."""
    _, weights = model(scenes.images, return_weights=True)
    entropy = torch.special.entr(weights).sum((1, 2, 3))
    return float(entropy.mean().exp())


def _canvas(cells: np.ndarray) -> np.ndarray:
    """Lay (count, channels, 9, 8, 8) cells out as square images."""
    count, channels = cells.shape[:2]
    rows = cells.reshape(count, channels, GRID, GRID, SIDE, SIDE)
    return rows.transpose(0, 1, 2, 4, 3, 5).reshape(
        count, channels, GRID * SIDE, GRID * SIDE
    )


def _variants(dim: int) -> dict[str, Variant]:
    plain = partial(DigitLookup, dim)
    return {
        f"scaled-{dim}": Variant(f"{dim} numbers, scaled", plain),
        f"unscaled-{dim}": Variant(
            f"{dim} numbers, not scaled", partial(plain, scaled=False)
        ),
    }


VARIANTS = {
    **_variants(8),
    **_variants(64),
    **_variants(512),
    "small-start-512": Variant(
        "512 numbers, not scaled, small start",
        partial(DigitLookup, 512, scaled=False, start=512**-0.25),
    ),
}
