"""One training loop and one evaluation for every network of the course."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import ceil, isfinite
from time import perf_counter
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from tqdm.auto import tqdm

from attncourse.data import Scenes
from attncourse.metrics import mass_inside, pointing_game


@runtime_checkable
class SceneSource(Protocol):
    """Anything that draws the scenes of an epoch."""

    def draw(self, epoch: int) -> Scenes:
        """Return the scenes of this epoch, the same ones every time."""


Loss = Callable[
    [nn.Module, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]
]


_TRAINING_DEVICE: ContextVar[str | None] = ContextVar("device", default=None)


@contextmanager
def training_on(device: str | None) -> Iterator[None]:
    """Let `fit` train on a device, and bring each model back afterwards.

    Runs that train and score networks on the CPU use a GPU that way without
    being written for one. None changes nothing.
    """
    token = _TRAINING_DEVICE.set(device)
    try:
        yield
    finally:
        _TRAINING_DEVICE.reset(token)


@dataclass(frozen=True)
class History:
    """What a training run went through, one number per epoch.

    Two histories are equal when loss and accuracy are; time does not count.
    """

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    seconds: float = field(compare=False)


def classification(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    labels: Int64[Tensor, " batch"],
    masks: Bool[Tensor, "batch 1 height width"] | None,
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Cross-entropy of the logits, and the logits; masks are not used."""
    logits = model(images)
    return F.cross_entropy(logits, labels), logits


def fit(
    model: nn.Module,
    scenes: Scenes | SceneSource,
    *,
    epochs: int,
    batch_size: int = 64,
    lr: float = 4e-3,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = True,
    loss: Loss = classification,
    fast: bool = False,
) -> History:
    """Train a classifier in place and return its history.

    AdamW (weight decay 1e-4), a one-cycle learning rate with 20 % warm-up,
    gradient norm clipped at 5. The model is left in evaluation mode.

    Parameters
    ----------
    model
        Module that maps `(batch, channels, height, width)` to logits.
    scenes
        The scenes themselves, or anything with `draw(epoch)`, which is asked
        for new scenes in every epoch.
    epochs, batch_size, lr
        Length of the training, images per step, peak learning rate.
    seed
        Decides the order of the data, and nothing else does: two models
        trained with one seed see the same batches. It also seeds dropout.
        The state of the global random generators is put back afterwards.
    device
        Where to train; by default where the model is, or where
        :func:`training_on` says.
    progress
        Show a bar once the run has lasted two seconds.
    loss
        Returns the loss and the logits of one batch, given the model, the
        images, the labels and the masks.
    fast
        Update all weights in one kernel, and keep images and filters with
        their channels last in memory: the same mathematics, rounded
        otherwise. A network that flattens a map with `view` cannot be
        trained that way.

    Raises
    ------
    ValueError
        If `epochs`, `batch_size` or `lr` is not positive, there are no
        scenes or only a single step to do, or the number of scenes changes
        from epoch to epoch.
    FloatingPointError
        If the loss is not finite.
    """
    sizes = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    for name, size in sizes.items():
        if not size > 0:
            raise ValueError(f"{name} must be positive, got {size}")
    start = perf_counter()
    home = _device(model)
    chosen = _TRAINING_DEVICE.get() if device is None else None
    device = torch.device(device or chosen or home)
    layout = torch.channels_last if fast else torch.preserve_format
    model.to(device).to(memory_format=layout).train()
    order = torch.Generator().manual_seed(seed)
    current = _draw(scenes, 0)
    count = len(current.labels)
    if count == 0:
        raise ValueError("scenes must hold at least one image, got none")
    steps = epochs * ceil(count / batch_size)
    if steps == 1:
        raise ValueError(
            "epochs and batch_size leave one step; at least two are needed"
        )
    optimiser = AdamW(
        model.parameters(), lr=lr, weight_decay=1e-4, fused=fast or None
    )
    # OneCycleLR divides by zero where the warm-up is exactly one step.
    warm_up = max(0.2, 1.5 / steps)
    schedule = OneCycleLR(optimiser, lr, total_steps=steps, pct_start=warm_up)
    losses, accuracies = [], []
    bar = tqdm(total=steps, desc="fit", delay=2, disable=not progress)
    with bar, _seeded(seed, device):
        for epoch in range(epochs):
            if epoch:
                current = _draw(scenes, epoch)
            if len(current.labels) != count:
                raise ValueError(
                    f"scenes must hold as many images in every epoch: "
                    f"{count} in the first, {len(current.labels)} in "
                    f"epoch {epoch}"
                )
            summed, right = 0.0, 0
            shuffled = torch.randperm(count, generator=order)
            batches = _batches(current, shuffled, batch_size, device)
            for step, (images, labels, masks) in enumerate(batches):
                images = images.to(memory_format=layout)
                objective, logits = loss(model, images, labels, masks)
                if not isfinite(value := objective.item()):
                    raise FloatingPointError(
                        f"the loss became {value} in step {step} of epoch "
                        f"{epoch}: try a smaller lr than {lr}"
                    )
                optimiser.zero_grad()
                objective.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                optimiser.step()
                schedule.step()
                summed += value * len(labels)
                right += int((logits.argmax(1) == labels).sum())
                bar.update()
            losses.append(summed / count)
            accuracies.append(right / count)
            bar.set_postfix(
                loss=losses[-1], accuracy=accuracies[-1], refresh=False
            )
    model.eval()
    model.to(device if chosen is None else home)
    if fast:
        model.to(memory_format=torch.contiguous_format)
    return History(tuple(losses), tuple(accuracies), perf_counter() - start)


def evaluate(
    model: nn.Module,
    scenes: Scenes | SceneSource,
    *,
    batch_size: int = 256,
) -> dict[str, float]:
    """Return the metrics of a model on scenes; the model is not changed.

    Always `accuracy`. When the model has `attend` and the scenes have masks,
    also `mass` (share of the map inside the mask), `pointing` (share of maps
    that peak inside it), and what `pointing` would be by `pointing_chance`
    and at the `pointing_centre`, and `area` (share of the image that the
    mask covers, the `mass` of a uniform map).

    Raises
    ------
    ValueError
        If there are no scenes or `batch_size` is not positive.
    """
    found = per_scene(model, _draw(scenes, 0), batch_size=batch_size)
    return {name: each.mean().item() for name, each in found.items()}


@torch.no_grad()
def per_scene(
    model: nn.Module, scenes: Scenes, *, batch_size: int = 256
) -> dict[str, Float[Tensor, " count"]]:
    """Return what :func:`evaluate` averages, a number for each scene."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be positive, got {batch_size}")
    if len(scenes.labels) == 0:
        raise ValueError("scenes must hold at least one image, got none")
    attend = getattr(model, "attend", None)
    scores: dict[str, list[Tensor]] = defaultdict(list)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    order = torch.arange(len(scenes.labels))
    batches = _batches(scenes, order, batch_size, _device(model))
    for images, labels, masks in batches:
        if attend is not None and masks is not None:
            logits, weights = attend(images)
            game = pointing_game(weights, masks)
            scores["mass"].append(mass_inside(weights, masks))
            scores["pointing"].append(game.hits)
            scores["pointing_chance"].append(game.chance)
            scores["pointing_centre"].append(game.centre)
            scores["area"].append(masks.float().mean((1, 2, 3)))
        else:
            logits = model(images)
        scores["accuracy"].append((logits.argmax(1) == labels).float())
    for module, training in modes:
        module.training = training
    return {
        name: torch.cat(parts).double().cpu()
        for name, parts in sorted(scores.items())
    }


def _draw(scenes: Scenes | SceneSource, epoch: int) -> Scenes:
    return scenes if isinstance(scenes, Scenes) else scenes.draw(epoch)


def _device(model: nn.Module) -> torch.device:
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


def _batches(
    scenes: Scenes,
    order: Int64[Tensor, " count"],
    batch_size: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    for chosen in order.split(batch_size):
        masks = scenes.masks
        yield (
            scenes.images[chosen].to(device),
            scenes.labels[chosen].to(device),
            None if masks is None else masks[chosen].to(device),
        )
