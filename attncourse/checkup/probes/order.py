"""What happens if the positions are given in another order?"""

import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from attncourse.checkup.finding import Finding
from attncourse.checkup.footprint import footprints, is_partition
from attncourse.checkup.probes.parameters import kept_tensors
from attncourse.checkup.subject import Inputs, Subject, difference, is_float
from attncourse.checkup.trace import flat, words_of

NAME = "order"
BLIND = words_of("""
    _adaptive_avg_pool2d _fused_rms_norm _native_batch_norm_legit_no_training
    _reshape_alias _safe_softmax _softmax _to_copy _unsafe_view abs add add_
    addcmul addmm alias amax any baddbmm bmm cat clamp clamp_min clone
    contiguous convolution detach div div_ elu empty_like eq erf exp exp_
    expand full_like gelu hardsigmoid hardswish hardtanh leaky_relu lift_fresh
    linalg_vector_norm log logical_not masked_fill masked_fill_ matmul max
    mean mean_ mean_dim mm mul mul_ nan_to_num native_batch_norm
    native_dropout native_group_norm native_layer_norm neg ones_like permute
    pow relu relu_ repeat reshape rsqrt rsub scalar_tensor select sigmoid
    sigmoid_ silu silu_ slice split split_with_sizes sqrt squeeze stack std
    sub sub_ sum t tanh transpose unbind unflatten unsqueeze var var_mean view
    where zeros_like
""")
"""Operations that treat all positions alike."""


def probe(subject: Subject) -> Iterator[Finding]:
    """Permute the positions, and look at how heads were cut."""
    subject = subject.exact
    first = subject.first
    pixels = first.ndim == 4 and subject.batch_axis == 0
    if subject.channels_last or (not pixels and first.ndim != 3):
        return
    count = first[0, 0].numel() if pixels else first.shape[_tokens(subject)]
    if count < 3 or subject.base_trace.dropouts:
        return
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(count, generator=generator).to(first.device)
    before = flat(subject.run())[0]
    after = flat(subject.run(_permuted(subject, subject.inputs, order)))[0]
    moved = _moved(subject, before, order)
    what = "pixels" if pixels else "tokens"
    same = difference(before, after)
    along = difference(moved, after) if moved is not None else torch.inf
    if same <= subject.tolerance:
        text = f"invariant: shuffled {what} change the output by {same:.1g}"
        yield _with_positions(subject) or Finding("passed", NAME, text)
    elif along <= subject.tolerance:
        text = f"equivariant: shuffled {what} shuffle the output alike"
        yield _with_positions(subject) or Finding("passed", NAME, text)
    else:
        cut = list(_heads(subject, order))
        yield from cut
        without = (
            not cut
            and not _knows_order(subject)
            and not _grouped(subject, before)
        )
        yield Finding(
            "error" if without else "note",
            NAME,
            f"shuffled {what} change the output by {min(same, along):.0%}"
            + (
                f", and all {len(subject.base_trace.steps)} operations "
                "treat positions alike"
                if without
                else ""
            ),
            "neither positions nor masks nor convolutions were seen, so a "
            "view puts the parts of different positions together"
            if without
            else f"the result depends on where a {what[:-1]} stands: by "
            "positions, convolutions or a causal mask, or by a wrong view",
            "transpose the axes before you join them with view or reshape"
            if without
            else "nothing, if position is meant to count",
        )


def _knows_order(subject: Subject) -> bool:
    """Whether something in the module can tell one position from another."""
    shape = subject.first.shape
    pixels = subject.first.ndim == 4
    sizes = set(shape[2:]) if pixels else {shape[_tokens(subject)]}
    if pixels:
        sizes |= {shape[2] * shape[3]}
    for step in subject.base_trace.steps:
        if step.name not in BLIND:
            return True
        if step.name == "convolution":
            if step.along:
                return True
        elif step.along in sizes and step.of_input:
            return True
        if step.name in {"cat", "masked_fill", "where", "masked_fill_"}:
            return True
    sizes |= {size + 1 for size in sizes} | {2 * size - 1 for size in sizes}
    plain = (
        nn.Linear,
        nn.LayerNorm,
        nn.RMSNorm,
        nn.MultiheadAttention,
        nn.modules.batchnorm._BatchNorm,
        nn.GroupNorm,
        nn.Conv1d,
        nn.Conv2d,
    )
    named = [
        *subject.module.named_parameters(),
        *subject.module.named_buffers(),
    ]
    for name, value in named:
        owner = subject.module.get_submodule(name.rpartition(".")[0])
        if not isinstance(owner, plain) and sizes & set(value.shape):
            return True
    loose = [v for _, v in kept_tensors(subject.module)]
    return any(sizes & set(value.shape) for value in loose)


def _grouped(subject: Subject, before: Tensor) -> bool:
    """Whether rows, columns or windows are the groups that attend."""
    if subject.first.ndim != 4:
        return False
    for axis in (2, 3):
        generator = torch.Generator().manual_seed(3)
        order = torch.randperm(subject.first.shape[axis], generator=generator)
        given = {
            key: value.index_select(axis, order.to(value.device))
            if is_float(value)
            and _positions(subject, value)
            == _positions(subject, subject.first)
            else value
            for key, value in subject.inputs.items()
        }
        after = flat(subject.run(given))[0]
        if before.shape == subject.first.shape[:1] + before.shape[1:] and (
            before.ndim == 4
            and before.shape[2:] == subject.first.shape[2:]
            and difference(before.index_select(axis, order), after)
            <= subject.tolerance
        ):
            return True
    seen = footprints(subject)
    return (
        seen is not None
        and not bool(seen.moves.all())
        and is_partition(seen.moves)
    )


def _with_positions(subject: Subject) -> Finding | None:
    """A table of codes that does not tell positions apart."""
    state = [
        *subject.module.named_parameters(),
        *subject.module.named_buffers(),
    ]
    for name, value in state:
        if re.search(r"(^|[._])(pe|pos|position\w*|pos_\w+)($|[._])", name):
            return Finding(
                "warning",
                NAME,
                f"{name} {tuple(value.shape)} is there, and yet shuffled "
                "positions shuffle the output alike",
                "all may have the same position code, or none",
                "add position i to token i: table[:, :count], not "
                "table[:, count]",
            )
    return None


def _positions(subject: Subject, value: Tensor) -> tuple[int, ...]:
    """The sizes of the axes of the positions."""
    if value.ndim == 4:
        return tuple(value.shape[2:])
    return (value.shape[_tokens(subject)],) if value.ndim == 3 else ()


def _tokens(subject: Subject) -> int:
    return 1 - subject.batch_axis


def _permuted(subject: Subject, inputs: Inputs, order: Tensor) -> Inputs:
    """All inputs of the first one's size with their positions permuted."""
    return {
        key: _moved(subject, value, order)
        if is_float(value)
        and _positions(subject, value) == _positions(subject, subject.first)
        else value
        for key, value in inputs.items()
    }


def _moved(subject: Subject, value: Tensor, order: Tensor) -> Tensor | None:
    """Permute pixels of a map, or tokens; None if they do not fit."""
    if value.ndim != subject.first.ndim:
        return None
    if value.ndim == 4:
        if value[0, 0].numel() != len(order):
            return None
        return value.flatten(2)[..., order].view_as(value)
    axis = _tokens(subject)
    if value.shape[axis] != len(order):
        return None
    return value.index_select(axis, order)


def _heads(subject: Subject, order: Tensor) -> Iterator[Finding]:
    """A change of one token must reach the scores of every head."""
    first = subject.first
    if first.ndim != 3:
        return
    tokens, last = _tokens(subject), first.shape[_tokens(subject)] - 1
    changed = {
        key: value.index_copy(
            tokens,
            torch.tensor([last], device=value.device),
            value.narrow(tokens, last, 1) + 1,
        )
        if is_float(value) and value.shape == first.shape
        else value
        for key, value in subject.inputs.items()
    }
    now = subject.base_trace.normalisations
    then = subject.traced(changed).normalisations
    for one, two in zip(now, then, strict=False):
        shape = one.scores.shape
        if one.product is None or shape[-2:] != (last + 1, last + 1):
            continue
        heads = one.scores[..., 0, 0].numel() // subject.batch
        gap = one.scores.nan_to_num() - two.scores.nan_to_num()
        moved = gap.abs().amax((-1, -2)) > 1e-9
        reached = moved.reshape(subject.batch, -1).sum(1)
        if heads > 1 and ((reached > 0) & (reached < heads)).all():
            yield Finding(
                "error",
                NAME,
                f"a change of one token reaches the scores of "
                f"{int(reached[0])} of {heads} heads",
                "the heads are cut from the token axis: each holds a run of "
                "neighbouring tokens instead of a part of every token",
                "view(batch, tokens, heads, head_dim).transpose(1, 2)",
            )
