"""Collect the attention weights of a model while it runs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def watch(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Record the weights of every attention layer in ``model``.

    Watched are the course's layers and any module of your own that has
    ``attend``, or takes ``return_weights`` in its ``forward``;
    ``nn.MultiheadAttention`` (weights of each head, not their mean); and the
    attention layers of timm. Of layers inside each other the innermost is
    watched. The model computes the same outputs as before, without its fused
    kernels, and is as it was when the block ends.

    Parameters
    ----------
    model
        Any module.

    Yields
    ------
    A dictionary from the name of a layer, as in ``named_modules()``, to the
    detached weights of its last call. A model that is itself an attention
    layer has the name ``""``.

    Raises
    ------
    ValueError
        If the model has no attention layer that can be watched.

    Examples
    --------
    >>> with watch(model) as maps:
    ...     logits = model(images)
    >>> maps["pooling"].shape
    torch.Size([8, 1, 15, 15])
    """
    maps: dict[str, Tensor] = {}
    watchers = [
        (watcher, name, module)
        for name, module in model.named_modules()
        if (watcher := _watcher_for(module)) is not None
    ]
    if not watchers:
        raise ValueError(
            f"{type(model).__name__} has no attention layer to watch: none "
            f"of its modules is an nn.MultiheadAttention, an attention layer "
            f"of timm, or has `attend`"
        )
    # In eval mode torch's transformer layers skip their attention module.
    fast_path = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as restore:
        restore.callback(torch.backends.mha.set_fastpath_enabled, fast_path)
        torch.backends.mha.set_fastpath_enabled(False)
        for watcher, name, module in watchers:
            restore.enter_context(watcher(module, name, maps))
        yield maps


Watcher = Callable[[Any, str, dict[str, Tensor]], AbstractContextManager[None]]


def _watcher_for(module: nn.Module) -> Watcher | None:
    if isinstance(module, nn.MultiheadAttention):
        return _watch_torch
    if _gives_weights(module) and not any(
        _gives_weights(child) for child in module.modules() if child != module
    ):
        return _watch_attend if _attends(module) else _watch_argument
    if hasattr(module, "fused_attn") and hasattr(module, "attn_drop"):
        return _watch_timm
    return None


def _gives_weights(module: nn.Module) -> bool:
    return _attends(module) or _takes_argument(module)


def _attends(module: nn.Module) -> bool:
    """Whether `attend` belongs to the same `forward`.

    A class that overrides `forward` alone may have inherited the weights of
    another computation.
    """
    for kind in type(module).__mro__:
        if "attend" in vars(kind):
            return True
        if "forward" in vars(kind):
            return False
    return False


def _takes_argument(module: nn.Module) -> bool:
    return "return_weights" in signature(module.forward).parameters


@contextmanager
def _replaced(
    module: nn.Module, **methods: Callable[..., Any]
) -> Iterator[None]:
    """Shadow methods of the class, on this instance, for a while."""
    kept = {name: vars(module).get(name) for name in methods}
    for name, method in methods.items():
        setattr(module, name, method)
    try:
        yield
    finally:
        for name, before in kept.items():
            if before is None:
                delattr(module, name)
            else:
                setattr(module, name, before)


def _watch_attend(
    module: Any, name: str, maps: dict[str, Tensor]
) -> AbstractContextManager[None]:
    plain = {"forward": module.forward, "attend": module.attend}

    def attend(*args: Any, **rest: Any) -> Any:
        with _replaced(module, **plain):  # each may call the other
            attended = module.attend(*args, **rest)
        maps[name] = attended[1].detach()
        return attended

    def forward(*args: Any, **rest: Any) -> Any:
        return attend(*args, **rest)[0]

    return _replaced(module, forward=forward, attend=attend)


def _watch_argument(
    module: Any, name: str, maps: dict[str, Tensor]
) -> AbstractContextManager[None]:
    forward = module.forward

    def recording(
        *args: Any, return_weights: bool = False, **rest: Any
    ) -> Any:
        output, weights = forward(*args, return_weights=True, **rest)
        maps[name] = weights.detach()
        return (output, weights) if return_weights else output

    return _replaced(module, forward=recording)


def _watch_torch(
    module: Any, name: str, maps: dict[str, Tensor]
) -> AbstractContextManager[None]:
    forward = module.forward
    parameters = signature(forward)

    def recording(*args: Any, **rest: Any) -> Any:
        call = parameters.bind(*args, **rest)
        call.apply_defaults()
        asked = dict(call.arguments)
        call.arguments |= {"need_weights": True, "average_attn_weights": False}
        output, weights = forward(*call.args, **call.kwargs)
        if weights.ndim == 3:  # (heads, queries, keys) of one sample
            weights = weights.unsqueeze(0)
        maps[name] = weights.detach()
        if not asked["need_weights"]:
            return output, None
        if asked["average_attn_weights"]:
            weights = weights.mean(1)
        return output, weights

    return _replaced(module, forward=recording)


@contextmanager
def _watch_timm(
    module: nn.Module, name: str, maps: dict[str, Tensor]
) -> Iterator[None]:
    """Unfused, timm's layers hand their weights to a dropout module."""

    def record(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        maps[name] = args[0].detach()

    fused = module.fused_attn
    setattr(module, "fused_attn", False)  # noqa: B010
    handle = module.get_submodule("attn_drop").register_forward_pre_hook(
        record
    )
    try:
        yield
    finally:
        handle.remove()
        setattr(module, "fused_attn", fused)  # noqa: B010
