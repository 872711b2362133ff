"""Watching how large the tensors are that an answer makes."""

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from torch import Tensor
from torch.overrides import TorchFunctionMode

from attncourse.exercises.guard import tensors_in


class watch_sizes(TorchFunctionMode):  # noqa: N801 - used as `with` is
    """Notices the tensors that are made of all of the given ones.

    Scores, for one, are made of query and key, in whatever layout::

        with watch_sizes(query, key) as seen:
            found = answer(query, key, value, 5)
        if seen.longest > 5: ...

    A tensor counts that torch computed, directly or by several steps, out
    of all ``sources``, or that was written into. What leaves torch (NumPy,
    Python's numbers) is not seen.

    Attributes
    ----------
    longest
        The largest size along one axis.
    largest
        The most elements of one tensor.
    held
        The most elements that existed at one time; views count once.
    """

    def __init__(self, *sources: Tensor) -> None:
        super().__init__()
        self.longest = self.largest = self.held = 0
        self._all = (1 << len(sources)) - 1
        self._made_of: dict[int, int] = {}
        self._alive: WeakValueDictionary[int, Tensor] = WeakValueDictionary()
        for bit, source in enumerate(sources):
            self._remember(source, 1 << bit)

    def __torch_function__(
        self,
        func: Callable,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        """Call `func` and notice what came out of what."""
        result = func(*args, **(kwargs or {}))
        mark = 0
        for given in tensors_in((args, kwargs)):
            mark |= self._mark(given)
        written = _written(func, args, kwargs or {})
        for made in tensors_in((result, written)):
            self._remember(made, mark | self._mark(made))
        return result

    def _mark(self, tensor: Tensor) -> int:
        known = self._alive.get(id(tensor)) is tensor
        return self._made_of[id(tensor)] if known else 0

    def _remember(self, tensor: Tensor, mark: int) -> None:
        base = tensor._base
        if base is not None and base is not tensor:
            self._remember(base, mark | self._mark(base))
        self._alive[id(tensor)] = tensor
        self._made_of[id(tensor)] = mark
        if mark == self._all:
            self.longest = max(self.longest, *tensor.shape, 0)
            self.largest = max(self.largest, tensor.numel())
            self.held = max(self.held, self._now())

    def _now(self) -> int:
        sizes: dict[int, int] = {}
        for tensor in list(self._alive.values()):
            if self._mark(tensor) == self._all:
                storage = tensor.untyped_storage()
                bytes_held = storage.nbytes() // tensor.element_size()
                sizes[storage.data_ptr()] = bytes_held
        return sum(sizes.values())


def _written(func: Callable, args: tuple, kwargs: dict) -> tuple:
    """Return what `func` writes into: by index, in place or by `out=`."""
    name = getattr(func, "__name__", "")
    in_place = name == "__setitem__" or (
        name.endswith("_") and not name.endswith("__")
    )
    return (args[0] if in_place and args else None, kwargs.get("out"))
