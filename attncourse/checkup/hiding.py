"""Hide positions of the keys from a module, and see whether it notices."""

import inspect
from dataclasses import dataclass

import torch
from torch import Tensor

from attncourse.checkup.subject import Inputs, Subject, difference, is_float
from attncourse.checkup.trace import flat


@dataclass(frozen=True)
class Masked:
    """How to mask the last positions of the keys of this module."""

    key: int | str
    shape: tuple[int, ...]
    batch: int
    hidden: Tensor  # positions of the keys, True where hidden
    meaning: str  # what True does: keep or block; or numbers to add

    @property
    def by_sample(self) -> bool:
        """Whether each sample has a mask of its own."""
        return self.shape[0] == self.batch or self.last_is_batch

    @property
    def last_is_batch(self) -> bool:
        """Whether the mask is (queries, keys, batch)."""
        return (
            len(self.shape) == 3
            and self.shape[1:] == (len(self.hidden), self.batch)
            and self.shape[0] != self.batch
        )

    def mask(
        self,
        hidden: Tensor,
        meaning: str = "",
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """A mask that hides these positions, of sample 0 alone if it can."""
        meaning = meaning or self.meaning
        if self.last_is_batch:
            wide = hidden[None, :, None].expand(self.shape).clone()
            wide[..., 1:] = False
        else:
            wide = (
                hidden.reshape(self.shape[-1:])
                if self.shape[-1] == len(hidden)
                else hidden.reshape(self.shape[-2:])
            )
            wide = wide.expand(self.shape).clone()
        if self.by_sample and not self.last_is_batch:
            wide[1:] = False
        if meaning == "add":
            kind = torch.get_default_dtype() if dtype is None else dtype
            zeros = torch.zeros(self.shape, dtype=kind, device=wide.device)
            return zeros.masked_fill(wide, -torch.inf)
        return wide if meaning == "block" else ~wide


def run_masked(
    subject: Subject,
    tried: Masked,
    hidden: Tensor,
    meaning: str,
    inputs: Inputs | None = None,
) -> Tensor:
    """The first output where these positions are hidden."""
    given = dict(subject.inputs if inputs is None else inputs)
    given[tried.key] = tried.mask(hidden, meaning, subject.first.dtype)
    return flat(subject.run(given, unfuse=True))[0]


def leak(subject: Subject, tried: Masked, meaning: str) -> float:
    """How much a change of hidden positions changes the visible output."""
    before = run_masked(subject, tried, tried.hidden, meaning)
    changed = dict(subject.inputs)
    for key in _key_names(subject):
        value = changed[key]
        new = _change(subject, value, tried.hidden)
        if tried.by_sample and subject.is_batched(value):
            axis, rest = subject.batch_axis, value.shape[subject.batch_axis]
            parts = new.narrow(axis, 0, 1), value.narrow(axis, 1, rest - 1)
            new = torch.cat(parts, axis)
        changed[key] = new
    after = run_masked(subject, tried, tried.hidden, meaning, changed)
    if tried.by_sample and subject.is_batched(before):
        before = before.narrow(subject.batch_axis, 0, 1)
        after = after.narrow(subject.batch_axis, 0, 1)
    return difference(
        _visible(subject, before, tried.hidden),
        _visible(subject, after, tried.hidden),
    )


def _change(subject: Subject, value: Tensor, hidden: Tensor) -> Tensor:
    """Other numbers at the hidden positions of an input that holds keys."""
    if value.ndim == 4:
        return value + hidden.reshape(value.shape[2:]).to(value)
    axis = 1 - subject.batch_axis
    if value.ndim != 3 or value.shape[axis] != len(hidden):
        return value
    shape = [1, 1, 1]
    shape[axis] = -1
    return value + hidden.to(value).view(shape)


def _visible(subject: Subject, output: Tensor, hidden: Tensor) -> Tensor:
    """The rows of the output whose own input was not changed."""
    if not _attends_itself(subject):
        return output
    seen = (~hidden).nonzero().flatten()
    if output.ndim == 4 and output[0, 0].numel() == len(hidden):
        return output.flatten(2)[..., seen]
    axis = 1 - subject.batch_axis
    if output.ndim == 3 and output.shape[axis] == len(hidden):
        return output.index_select(axis, seen)
    return output


def _key_names(subject: Subject) -> list[int | str]:
    """The inputs that hold keys and values: all but the first, if any."""
    floats = [k for k, value in subject.inputs.items() if is_float(value)]
    first = subject.first
    same_kind = [
        key for key in floats if subject.inputs[key].ndim == first.ndim
    ]
    if len(same_kind) == 1 or _attends_itself(subject):
        return same_kind
    return same_kind[1:]


def _attends_itself(subject: Subject) -> bool:
    """Whether queries and keys are the same input."""
    others = [
        value
        for value in subject.inputs.values()
        if is_float(value) and value.ndim == subject.first.ndim
    ]
    return len(others) == 1 or torch.equal(others[0], others[1])


def supply_mask(subject: Subject) -> None:
    """Add a mask that hides nothing, where the module demands one."""
    name = subject.mask_name
    if name is None or subject.first.ndim not in {3, 4}:
        return
    parameter = inspect.signature(subject.module.forward).parameters.get(name)
    position = _position(subject, name)
    given = name in subject.inputs or position in subject.inputs
    if parameter is None or parameter.default is not parameter.empty or given:
        return
    tried = fitting(subject, name)
    if tried is None:
        return
    nothing = torch.zeros_like(tried.hidden)
    for meaning in ("keep", "block"):
        mask = tried.mask(nothing, meaning)
        subject.inputs = {**subject.inputs, name: mask}
        if flat(subject.run())[0].isfinite().all():
            return


def _position(subject: Subject, name: str) -> int | None:
    """The position of a parameter among the positional ones."""
    names = list(inspect.signature(subject.module.forward).parameters)
    return names.index(name) if name in names else None


def fitting(subject: Subject, name: str) -> Masked | None:
    """The first usual shape and type of mask that the module takes."""
    first = subject.first
    keys = subject.inputs[_key_names(subject)[0]]
    position = _position(subject, name)
    key = (
        name
        if position is None or position not in subject.inputs
        else position
    )
    given = subject.inputs.get(key)
    batch = subject.batch
    if first.ndim == 4:
        height, width = first.shape[2:]
        count = height * width
        shapes = [
            (batch, 1, height, width),
            (batch, height, width),
            (batch, count),
            (count, count),
        ]
    else:
        axis = 1 - subject.batch_axis
        queries, count = first.shape[axis], keys.shape[axis]
        shapes = [
            (batch, count),
            (queries, count),
            (batch, queries, count),
            (batch, 1, queries, count),
            (batch, 1, 1, count),
            (queries, count, batch),
        ]
    if "padding" in name:
        shapes = [s for s in shapes if s[0] == batch]
    elif first.ndim == 3:
        shapes = [*shapes[1:], shapes[0]]
    if isinstance(given, Tensor):
        shapes.insert(0, tuple(given.shape))
    hidden = torch.zeros(count, dtype=torch.bool, device=first.device)
    hidden[-max(count // 3, 1) :] = True
    usual = _usual_shape(subject)
    for meaning in ("keep", "add"):
        for shape in shapes:
            tried = Masked(key, shape, batch, hidden, meaning)
            try:
                output = run_masked(subject, tried, hidden, meaning)
            except Exception:
                continue
            if usual is not None and output.shape != usual:
                continue  # it was broadcast to something else
            if usual is None and output.ndim != first.ndim:
                continue
            return tried
    return None


def _usual_shape(subject: Subject) -> torch.Size | None:
    """The shape of the first output, or None if it needs a mask first."""
    try:
        return flat(subject.run())[0].shape
    except Exception:
        return None
