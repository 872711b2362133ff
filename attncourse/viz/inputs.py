"""Checks of what the figures are given."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_map(weights: Tensor, name: str = "weights") -> NDArray[np.float64]:
    """Return a map of shape (h, w) or (1, h, w) as an array (h, w)."""
    shape = _shape(weights, name)
    if len(shape) == 3 and shape[0] == 1:
        weights = weights[0]
    elif len(shape) != 2:
        raise ValueError(
            f"{name} has shape {shape}; "
            "one map, (height, width) or (1, height, width), is needed"
        )
    array = _array(weights)
    if array.size == 0:
        raise ValueError(f"{name} has shape {shape}; it holds no position")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite")
    return array


def as_weights(weights: Tensor) -> NDArray[np.float64]:
    """Return a map as an array (h, w) and refuse negative weights."""
    array = as_map(weights)
    if array.min() < 0:
        raise ValueError(
            f"weights has the minimum {array.min():.4g}; "
            "weights of 0 or more are needed"
        )
    return array


def as_mask(mask: Tensor) -> NDArray[np.bool_]:
    """Return a ground-truth mask (H, W) or (1, H, W) as (H, W)."""
    if isinstance(mask, Tensor) and mask.dtype != torch.bool:
        raise ValueError(f"mask has dtype {mask.dtype}; torch.bool is needed")
    return as_map(mask, "mask") > 0


def as_image(image: Tensor) -> NDArray[np.float64]:
    """Return an image (1 or 3, h, w) as an array (h, w, 3)."""
    shape = _shape(image, "image")
    if len(shape) != 3 or shape[0] not in (1, 3) or 0 in shape:
        raise ValueError(
            f"image has shape {shape}; "
            "(channels, height, width) with 1 or 3 channels is needed"
        )
    array = _array(image)
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"image has values from {low:.4g} to {high:.4g}; "
            "values from 0 to 1 are needed"
        )
    return np.broadcast_to(array.transpose(1, 2, 0), (*shape[1:], 3))


def _shape(tensor: object, name: str) -> tuple[int, ...]:
    if not isinstance(tensor, Tensor):
        raise ValueError(
            f"{name} is a {type(tensor).__name__}; a torch tensor is needed"
        )
    return tuple(tensor.shape)


def _array(tensor: Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.detach().cpu().double().numpy()
    return array
