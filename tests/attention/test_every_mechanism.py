"""What every mechanism must do, whatever it computes."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse import attention
from tests.attention.cases import BATCH, CASES, Case


def run(module: nn.Module, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """The output and the weights, of which CBAM has two."""
    output, weights = module.attend(*inputs)
    return output, *(weights if isinstance(weights, tuple) else (weights,))


def test_every_public_module_has_a_case() -> None:
    modules = {
        name
        for name in attention.__all__
        if isinstance(kind := getattr(attention, name), type)
        and issubclass(kind, nn.Module)
        and hasattr(kind, "attend")
    }
    assert modules == {case.name for case in CASES}


def test_both_paths_agree(case: Case) -> None:
    module = case.module().double()
    inputs = case.inputs(dtype=torch.float64)
    assert_close(module(*inputs), run(module, inputs)[0])


def test_weights_have_their_documented_shape(case: Case) -> None:
    _, *found = run(case.module(), case.inputs())
    for weights, shape in zip(found, case.weight_shapes, strict=True):
        assert weights.shape == (BATCH, *shape)
        assert (weights >= 0).all()


def test_weights_sum_to_one_over_these_axes_and_no_fewer(case: Case) -> None:
    _, *found = run(case.module().double(), case.inputs(dtype=torch.float64))
    if not case.sums_over:
        assert all(((gates > 0) & (gates < 1)).all() for gates in found)
        return
    (weights,) = found
    total = weights.sum(case.sums_over)
    assert_close(total, torch.ones_like(total))
    for axis in range(1, weights.ndim):
        partial = weights.sum(axis)
        covers_all = {axis} == set(case.sums_over)
        if not covers_all and weights.shape[axis] > 1:
            assert not torch.allclose(partial, torch.ones_like(partial))


def test_weights_are_shares_in_half_precision(case: Case) -> None:
    module = case.module().bfloat16()
    inputs = case.inputs(dtype=torch.bfloat16)
    output, *found = run(module, inputs)
    assert output.dtype == module(*inputs).dtype == torch.bfloat16
    for weights in found:
        if case.sums_over:
            total = weights.sum(case.sums_over)
            assert_close(total, torch.ones_like(total), atol=1e-2, rtol=0)
        assert weights.isfinite().all()


def test_samples_do_not_mix(case: Case) -> None:
    module = case.module()
    inputs = case.inputs()
    changed = [t.clone() for t in inputs]
    for tensor in changed:
        tensor[1] += 1
    before, after = run(module, inputs), run(module, changed)
    for old, new in zip(before, after, strict=True):
        assert_close(old[0], new[0])
        assert_close(old[2], new[2])
    assert not torch.allclose(before[0][1], after[0][1])


def test_a_second_size_works(case: Case) -> None:
    module = case.module()
    inputs = case.inputs(other=True)
    output, *_ = run(module, inputs)
    assert_close(module(*inputs), output)


def test_an_empty_batch_gives_an_empty_batch(case: Case) -> None:
    module = case.module()
    inputs = case.inputs(batch=0)
    output, *found = run(module, inputs)
    assert module(*inputs).shape == output.shape
    assert output.shape[0] == 0
    for weights, shape in zip(found, case.weight_shapes, strict=True):
        assert weights.shape == (0, *shape)


def test_inputs_stay_as_they_were(case: Case) -> None:
    module = case.module()
    inputs = case.inputs()
    kept = [t.clone() for t in inputs]
    module(*inputs)
    run(module, inputs)
    for now, then in zip(inputs, kept, strict=True):
        assert torch.equal(now, then)


@pytest.mark.parametrize("layout", ["sliced", "transposed", "channels_last"])
def test_memory_layout_does_not_matter(case: Case, layout: str) -> None:
    module = case.module()
    inputs = case.inputs()
    views = {
        "sliced": lambda t: torch.cat([t, t], -1)[..., : t.shape[-1]],
        "transposed": lambda t: (
            t.transpose(1, -1).contiguous().transpose(1, -1)
        ),
        "channels_last": lambda t: (
            t.contiguous(memory_format=torch.channels_last)
            if t.ndim == 4
            else t
        ),
    }
    strided = [views[layout](t) for t in inputs]
    assert_close(module(*strided), module(*inputs))
    for odd, even in zip(
        run(module, strided), run(module, inputs), strict=True
    ):
        assert_close(odd, even)


def test_gradients_are_those_of_the_function(case: Case) -> None:
    module = case.module().double()
    inputs = [t.requires_grad_() for t in case.inputs(2, dtype=torch.float64)]
    assert torch.autograd.gradcheck(
        lambda *args: run(module, list(args)),
        inputs,
        fast_mode=True,
    )
    assert torch.autograd.gradcheck(module, inputs, fast_mode=True)


def test_every_parameter_is_reached(case: Case) -> None:
    module = case.module()
    output = module(*case.inputs())
    output.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_autocast_to_bfloat16_stays_close(case: Case) -> None:
    module = case.module()
    inputs = case.inputs()
    exact = module(*inputs)
    with torch.autocast("cpu", torch.bfloat16):
        rough = module(*inputs)
        slow, *_ = run(module, inputs)
    scale = exact.abs().max()
    assert (rough.float() - exact).abs().max() < 0.05 * scale
    assert (slow.float() - exact).abs().max() < 0.05 * scale


def test_it_can_be_copied_pickled_and_loaded(case: Case) -> None:
    module = case.module()
    inputs = case.inputs()
    twin = case.build().eval()
    twin.load_state_dict(module.state_dict())
    for other in (
        twin,
        copy.deepcopy(module),
        pickle.loads(pickle.dumps(module)),
    ):
        assert_close(other(*inputs), module(*inputs))


def test_a_masked_position_has_no_say(masked_case: Case) -> None:
    case = masked_case
    module = case.module().double()
    inputs = case.inputs(dtype=torch.float64)
    mask = torch.rand(BATCH, 1, *case.weights[1:]) < 0.5
    mask[..., 0] = True
    _, weights = module.attend(*inputs, mask=mask)
    assert (weights[~mask.expand_as(weights)] == 0).all()
    total = weights.sum(case.sums_over)
    assert_close(total, torch.ones_like(total))
    assert_close(
        module(*inputs, mask=mask),
        module.attend(*inputs, mask=mask)[0],
    )
    everything = torch.ones_like(mask)
    assert_close(module(*inputs, mask=everything), module(*inputs))


def test_nothing_to_attend_gives_zeros_and_finite_gradients(
    masked_case: Case,
) -> None:
    case = masked_case
    module = case.module()
    mask = torch.ones(BATCH, 1, *case.weights[1:], dtype=torch.bool)
    mask[1] = False
    for weights_too in (False, True):
        inputs = [t.requires_grad_() for t in case.inputs()]
        module.zero_grad()
        if weights_too:
            output, weights = module.attend(*inputs, mask=mask)
            assert (weights[1] == 0).all()
        else:
            output = module(*inputs, mask=mask)
        output.square().sum().backward()
        gradients = [t.grad for t in (*module.parameters(), *inputs)]
        assert all(g is not None and g.isfinite().all() for g in gradients)
        assert output[0].abs().sum() > 0
        # A projection behind the attention adds its bias to the zeros.
        behind = getattr(module, "output", None)
        zero = 0 if behind is None else behind.bias
        assert (output[1] == zero).all()


@pytest.mark.usefixtures("as_shipped")
def test_a_mask_of_the_wrong_kind_is_refused(masked_case: Case) -> None:
    case = masked_case
    module = case.module()
    good = torch.ones(BATCH, 1, *case.weights[1:])
    with pytest.raises(ValueError, match="mask must be boolean"):
        module(*case.inputs(), mask=good)
    with pytest.raises(ValueError, match="does not broadcast"):
        module(*case.inputs(), mask=good.bool()[..., :-1])


def test_nothing_is_made_on_another_device_than_the_input(case: Case) -> None:
    module = case.module().to("meta")
    inputs = [t.to("meta") for t in case.inputs()]
    for result in (module(*inputs), *run(module, inputs)):
        assert result.device.type == "meta"


@pytest.mark.parametrize(
    ("build", "shapes"),
    [
        (lambda: attention.MultiHeadAttention(1, 1), [(5, 1)]),
        (
            lambda: attention.AdditiveAttention(1, 1, 1),
            [(5, 1), (7, 1), (7, 3)],
        ),
        (lambda: attention.AdditivePooling2d(1), [(1, 5, 3)]),
        (lambda: attention.AttentionPooling(1), [(1, 5, 3)]),
        (lambda: attention.SqueezeExcitation(1, 1), [(1, 5, 3)]),
        (lambda: attention.SoftmaxChannelAttention(1), [(1, 5, 3)]),
        (lambda: attention.EfficientChannelAttention(1), [(1, 5, 3)]),
        (lambda: attention.CBAM(1, 1), [(1, 5, 3)]),
        (
            lambda: attention.SelectiveKernel(1, groups=1, hidden_dim=1),
            [(1, 5, 3)],
        ),
        (lambda: attention.SelfAttention2d(1, 1), [(1, 5, 3)]),
        (lambda: attention.NonLocal2d(1, 1), [(1, 5, 3)]),
        (lambda: attention.ResidualAttention(1, 1, 1), [(1, 5, 3)]),
        (lambda: attention.MultiScaleAttention(1, hidden_dim=1), [(1, 5, 3)]),
        (lambda: attention.SpatialTransformer(1), [(1, 5, 3)]),
        (
            lambda: attention.DynamicCapacity(1, 1, patches=1, width=1),
            [(1, 5, 3)],
        ),
        (
            lambda: attention.RecurrentAttention(
                1,
                1,
                glimpses=1,
                reader=attention.GlimpseReader(1, 1),
                hidden_dim=1,
            ),
            [(1, 5, 3)],
        ),
    ],
)
def test_one_is_enough_of_everything(build, shapes) -> None:
    module = build().eval()
    output = module(*(torch.randn(2, *shape) for shape in shapes))
    assert output.shape[0] == 2
    assert output.isfinite().all()


@pytest.mark.parametrize(
    "build",
    [
        lambda **made: attention.SqueezeExcitation(14, 2, **made),
        lambda **made: attention.EfficientChannelAttention(14, **made),
        lambda **made: attention.SoftmaxChannelAttention(14, **made),
        lambda **made: attention.ChannelGate(14, 2, **made),
        lambda **made: attention.SpatialGate(**made),
        lambda **made: attention.CBAM(14, 2, **made),
        lambda **made: attention.SelfAttention2d(14, 2, **made),
        lambda **made: attention.NonLocal2d(14, 2, **made),
    ],
)
def test_parameters_are_made_where_and_as_asked(build) -> None:
    module = build(device="meta", dtype=torch.float64)
    values = [*module.parameters(), *module.buffers()]
    assert all(value.device.type == "meta" for value in values)
    assert all(
        value.dtype == torch.float64
        for value in values
        if value.is_floating_point()
    )


@pytest.mark.gpu
def test_the_gpu_gives_the_same(case: Case) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    module = case.module()
    inputs = case.inputs()
    expected = [module(*inputs), *run(module, inputs)]
    module.cuda()
    moved = [t.cuda() for t in inputs]
    found = [module(*moved), *run(module, moved)]
    for there, here in zip(found, expected, strict=True):
        assert_close(there.cpu(), here, atol=1e-4, rtol=1e-4)
