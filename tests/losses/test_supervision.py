import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import AdditivePooling2d, SpatialGate
from attncourse.bugs import losses as wrong
from attncourse.losses import attention_bce, attention_kl


def masks_of(height: int, width: int) -> Tensor:
    """Three masks: a block, a row, a single pixel."""
    masks = torch.zeros(3, 1, height, width, dtype=torch.bool)
    masks[0, 0, 1:3, 2:5] = True
    masks[1, 0, -1] = True
    masks[2, 0, 0, 1] = True
    return masks


def shares_of(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(shape, generator=generator, dtype=torch.float64)
    return scores.flatten(2).softmax(-1).unflatten(2, shape[2:])


def covered(mask: Tensor, rows: int, columns: int) -> Tensor:
    """Area of each cell inside the mask, counted on a common fine grid."""
    height, width = mask.shape
    fine = mask.repeat_interleave(rows, 0).repeat_interleave(columns, 1)
    cells = fine.double().unflatten(0, (rows, height))
    return cells.unflatten(2, (columns, width)).mean((1, 3))


@pytest.mark.parametrize("size", [(5, 7), (3, 2), (11, 13)])
def test_kl_equals_the_formula(size: tuple[int, int]) -> None:
    masks, weights = masks_of(5, 7), shares_of(3, 2, *size)
    found = attention_kl(weights, masks)
    for sample in range(3):
        area = covered(masks[sample, 0], *size)
        target = area / area.sum()
        expected = 0.0
        for head in range(2):
            for t, a in zip(
                target.flatten(), weights[sample, head].flatten(), strict=True
            ):
                expected += float(t * (t / a).log()) / 2 if t > 0 else 0
        assert math.isclose(found[sample].item(), expected, rel_tol=1e-12)


@pytest.mark.parametrize("size", [(5, 7), (3, 2), (11, 13)])
def test_bce_equals_the_formula(size: tuple[int, int]) -> None:
    masks, gates = masks_of(5, 7), torch.rand(3, 2, *size).double()
    found = attention_bce(gates, masks)
    for sample in range(3):
        area = covered(masks[sample, 0], *size)
        w = gates[sample]
        terms = area * w.log() + (1 - area) * (1 - w).log()
        assert_close(found[sample], -terms.mean())


def test_the_best_map_is_even_in_the_mask() -> None:
    masks = masks_of(5, 7)
    even = masks / masks.sum((2, 3), keepdim=True)
    assert_close(attention_kl(even, masks), torch.zeros(3))
    assert_close(attention_bce(masks.float(), masks), torch.zeros(3))
    flat = torch.full((3, 1, 5, 7), 1 / 35)
    areas = masks.float().mean((1, 2, 3))
    assert_close(attention_kl(flat, masks), -areas.log())


def contract_training_brings_the_map_into_the_mask(loss) -> None:
    """Gradient descent on the scores of the map alone."""
    masks = masks_of(5, 7)
    scores = torch.zeros(3, 1, 35, requires_grad=True)
    optimiser = torch.optim.SGD([scores], lr=10.0)
    for _ in range(20):
        optimiser.zero_grad()
        weights = scores.softmax(-1).unflatten(2, (5, 7))
        loss(weights, masks).sum().backward()
        optimiser.step()
    mass = (scores.softmax(-1) * masks.flatten(2)).sum((1, 2))
    assert (mass > 0.9).all()


def test_training_brings_the_map_into_the_mask() -> None:
    contract_training_brings_the_map_into_the_mask(attention_kl)


def test_a_focal_loss_of_the_weights_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_training_brings_the_map_into_the_mask(
            wrong.focal_loss_of_attention
        )
    inside = torch.tensor(0.9, requires_grad=True)
    one_position = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    wrong.focal_loss_of_attention(
        inside.expand(1, 1, 1, 1), one_position
    ).sum().backward()
    assert_close(inside.grad, torch.tensor(0.786), atol=1e-3, rtol=0)


def contract_the_auxiliary_loss_reaches_the_attention(add) -> None:
    """The pooled vector is detached: the task says nothing to the scores."""
    torch.manual_seed(0)
    layer = AdditivePooling2d(7, 3)
    pooled, weights = layer.attend(torch.randn(3, 7, 5, 7))
    head = nn.Linear(7, 2)
    task = head(pooled.detach()).square().mean()
    auxiliary = attention_kl(weights, masks_of(5, 7)).mean()
    total = add(task, auxiliary)
    assert_close(total, task + auxiliary)
    total.backward()
    slope = layer.score.weight.grad
    assert slope is not None
    assert slope.abs().sum() > 0


def test_the_auxiliary_loss_reaches_the_attention() -> None:
    contract_the_auxiliary_loss_reaches_the_attention(torch.add)


def test_a_detached_term_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_the_auxiliary_loss_reaches_the_attention(wrong.detached_term)


def test_gates_learn_the_mask() -> None:
    torch.manual_seed(0)
    masks = masks_of(5, 7)
    x = masks + 0.1 * torch.randn(3, 2, 5, 7)
    gate = SpatialGate(3)
    optimiser = torch.optim.Adam(gate.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        _, gates = gate.attend(x)
        losses.append(attention_bce(gates, masks).mean())
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.2 * losses[0]


def test_weights_of_zero_and_one_stay_finite() -> None:
    masks = masks_of(5, 7)
    misses = torch.zeros(3, 1, 5, 7)
    misses[:, :, 3, 6] = 1  # in none of the masks
    for loss in (attention_kl, attention_bce):
        weights = misses.clone().requires_grad_()
        value = loss(weights, masks)
        assert value.isfinite().all()
        assert (value > 1).all()
        value.sum().backward()
        assert weights.grad is not None
        assert weights.grad.isfinite().all()


@pytest.mark.parametrize("loss", [attention_kl, attention_bce])
def test_half_precision_is_raised_under_autocast_too(loss) -> None:
    masks = masks_of(5, 7)
    weights = shares_of(3, 2, 5, 7)
    expected = loss(weights, masks).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(weights.bfloat16(), masks)
    assert found.dtype == torch.float32
    assert_close(found, expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("loss", [attention_kl, attention_bce])
def test_gradients_are_those_of_the_function(loss) -> None:
    scores = torch.randn(3, 2, 6, dtype=torch.float64, requires_grad=True)
    masks = masks_of(5, 7)
    assert torch.autograd.gradcheck(
        lambda s: loss(s.softmax(-1).unflatten(2, (3, 2)), masks), scores
    )


def test_what_cannot_be_compared_is_refused() -> None:
    masks, weights = masks_of(5, 7), shares_of(3, 2, 5, 7)
    with pytest.raises(ValueError, match=r"sum to one .* got 2 in sample 1"):
        attention_kl(
            weights * torch.tensor([1, 2, 1])[:, None, None, None], masks
        )
    with pytest.raises(ValueError, match=r"must not exceed one, got 1\.5"):
        attention_bce(torch.full((3, 1, 5, 7), 1.5), masks)
    for loss in (attention_kl, attention_bce):
        with pytest.raises(ValueError, match="must not be negative"):
            loss(-weights, masks)
        with pytest.raises(ValueError, match="none in sample 0"):
            loss(weights, masks & False)


def test_a_sigmoid_map_is_sent_to_the_other_loss() -> None:
    gates = F.sigmoid(torch.randn(3, 1, 5, 7))
    with pytest.raises(ValueError, match="for gates use attention_bce"):
        attention_kl(gates, masks_of(5, 7))
