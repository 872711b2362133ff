"""Is the map a cause?  Replace it by another and look again."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import Attended
from attncourse.data import Scenes
from attncourse.models import AttentionCNN
from attncourse.trials.loop import evaluate

Replace = Callable[[Tensor], Tensor]


def uniform_map(
    weights: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, "batch 1 height width"]:
    """Spread the total of each map evenly over its positions."""
    return weights.mean((2, 3), keepdim=True).expand_as(weights)


def shuffled_map(
    weights: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, "batch 1 height width"]:
    """Move the weights of each map to positions drawn by a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    flat = weights.flatten(2)
    order = torch.rand(flat.shape, generator=generator).argsort(-1)
    return flat.gather(-1, order.to(flat.device)).view(weights.shape)


class ReplacedMap(nn.Module):
    r"""A pooling whose map is replaced before it is used.

    .. math:: y_c = \sum_{ij} r(\alpha)_{ij} \, x_{cij}

    Parameters
    ----------
    pooling
        Module from (batch, channels, height, width) to (batch, channels)
        that is a sum weighted by the map it returns.
    replace
        Function from the map to the map that is used instead, for example
        :func:`uniform_map` or :func:`shuffled_map`.
    """

    def __init__(self, pooling: nn.Module, replace: Replace) -> None:
        super().__init__()
        self.pooling: Any = pooling  # has `attend`
        self.replace = replace

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Pool with the replaced map."""
        return self.attend(x).output

    def attend(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the replaced map."""
        replaced = self.replace(self.pooling.attend(x).weights)
        return Attended((x * replaced).sum((2, 3)), replaced)


def with_map_replaced(model: AttentionCNN, replace: Replace) -> AttentionCNN:
    """Return a copy of the model that pools with the replaced map."""
    changed = deepcopy(model)
    changed.pooling = ReplacedMap(changed.pooling, replace)
    return changed


class ClassActivation(nn.Module):
    r"""The network with its class activation map instead of its map.

    .. math:: m_{ij} = \max\Bigl(0, \sum_c w_{kc} \, x_{cij}\Bigr)

    where :math:`k` is the predicted class and :math:`w` the weights of the
    classifier: a map for networks that pool without attention. Where no
    position speaks for the class the map is flat.

    References
    ----------
    Zhou, Khosla, Lapedriza, Oliva and Torralba, "Learning Deep Features for
    Discriminative Localization", CVPR 2016.
    """

    def __init__(self, model: AttentionCNN) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.model(images)

    def attend(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Attended:
        """The same with the map of the class with the largest."""
        features = self.model.features(images)
        logits = self.model.classifier(self.model.pooling(features))
        chosen = self.model.classifier.weight[logits.argmax(1)]
        evidence = torch.einsum("bc,bchw->bhw", chosen, features).relu()
        flat = evidence.sum((1, 2), keepdim=True) == 0
        return Attended(logits, (evidence + flat).unsqueeze(1))


def activation_scores(model: AttentionCNN, shown: Scenes) -> dict[str, float]:
    """Score the class activation map."""
    found = evaluate(ClassActivation(model), shown)
    return {"cam_mass": found["mass"], "cam_pointing": found["pointing"]}


def drops(
    accuracy: float, shown: Scenes, changed: Mapping[str, nn.Module]
) -> dict[str, float]:
    """Accuracy that each changed network has lost."""
    unmasked = shown._replace(masks=None)
    return {
        f"drop_{name}": accuracy - evaluate(model, unmasked)["accuracy"]
        for name, model in changed.items()
    }
