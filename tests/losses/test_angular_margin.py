import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from attncourse.bugs import losses as wrong
from attncourse.losses import AngularMarginLoss, angular_margin


def cosines_at(angles: Tensor) -> tuple[Tensor, Tensor]:
    """One column for the own class, one for another at a right angle."""
    cosines = torch.stack([torch.zeros_like(angles), angles.cos()], 1)
    return cosines, torch.ones(len(angles), dtype=torch.int64)


def contract_a_wider_angle_scores_less(function) -> None:
    angles = torch.linspace(0.01, math.pi - 0.01, 997, dtype=torch.float64)
    found = function(*cosines_at(angles))
    assert (found[:, 1].diff() < 0).all()


def contract_the_ends_have_finite_gradients(function) -> None:
    ends = torch.tensor([[0.0, 1.0], [0.3, -1.0], [0, 1.0000001]])
    cosines = ends.requires_grad_()
    function(cosines, torch.tensor([1, 1, 1])).sum().backward()
    assert cosines.grad is not None
    assert cosines.grad.isfinite().all()


CONTRACTS = [
    contract_a_wider_angle_scores_less,
    contract_the_ends_have_finite_gradients,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_margin_keeps_its_contract(contract) -> None:
    contract(angular_margin)


def test_a_margin_without_guard_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_a_wider_angle_scores_less(wrong.margin_without_guard)


def test_an_arc_cosine_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_the_ends_have_finite_gradients(wrong.margin_by_arc_cosine)


@pytest.mark.parametrize("margin", [0.0, 0.3, 0.5, math.pi / 2])
def test_it_equals_the_formula(margin: float) -> None:
    angles = torch.linspace(0, math.pi, 101, dtype=torch.float64)
    cosines, labels = cosines_at(angles)
    found = angular_margin(cosines, labels, margin=margin)
    assert torch.equal(found[:, 0], cosines[:, 0])
    for angle, score in zip(
        angles.tolist(), found[:, 1].tolist(), strict=True
    ):
        if angle + margin <= math.pi:
            expected = math.cos(angle + margin)
        else:
            expected = math.cos(angle) - margin * math.sin(margin)
        assert math.isclose(score, expected, abs_tol=1e-7)


def test_the_loss_equals_loops() -> None:
    torch.manual_seed(0)
    loss = AngularMarginLoss(3, 5, scale=7.0, margin=0.3).double()
    embeddings = torch.randn(11, 3, dtype=torch.float64)
    labels = torch.arange(11) % 5
    expected = []
    for embedding, label in zip(embeddings, labels, strict=True):
        scores = []
        for index, centre in enumerate(loss.centres):
            cosine = embedding @ centre / (embedding.norm() * centre.norm())
            angle = math.acos(cosine.item())
            if index == label:
                angle += 0.3
                assert angle < math.pi
            scores.append(7.0 * math.cos(angle))
        total = sum(math.exp(s) for s in scores)
        expected.append(-math.log(math.exp(scores[label]) / total))
    assert_close(loss(embeddings, labels).item(), sum(expected) / 11)


def test_no_margin_leaves_a_softmax_of_scaled_cosines() -> None:
    loss = AngularMarginLoss(3, 5, margin=0.0)
    embeddings, labels = torch.randn(11, 3), torch.arange(11) % 5
    expected = F.cross_entropy(64 * loss.cosines(embeddings), labels)
    assert_close(loss(embeddings, labels), expected)


def test_an_embedding_on_its_centre_and_one_opposite_train() -> None:
    loss = AngularMarginLoss(3, 5)
    centre = loss.centres[2].detach()
    embeddings = torch.stack([centre, -2 * centre]).requires_grad_()
    value = loss(embeddings, torch.tensor([2, 2]))
    value.backward()
    assert value.isfinite()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert loss.centres.grad is not None
    assert loss.centres.grad.isfinite().all()


def test_training_leaves_a_gap_between_classes() -> None:
    torch.manual_seed(0)
    labels = torch.arange(10) % 5
    embeddings = torch.randn(10, 3).requires_grad_()
    loss = AngularMarginLoss(3, 5, scale=16.0, margin=0.5)
    optimiser = torch.optim.Adam([embeddings, *loss.parameters()], lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        loss(embeddings, labels).backward()
        optimiser.step()
    cosines = loss.cosines(embeddings).detach().clamp(-1, 1)
    own = cosines[range(10), labels].acos()
    cosines[range(10), labels] = -1
    assert (own + 0.5 < cosines.amax(1).acos()).all()


def test_autocast_does_not_round_the_cosines() -> None:
    loss = AngularMarginLoss(3, 5)
    embeddings, labels = torch.randn(11, 3), torch.arange(11) % 5
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(embeddings, labels)
    assert_close(found, loss(embeddings, labels))


def test_gradients_are_those_of_the_function() -> None:
    torch.manual_seed(0)
    cosines = (2 * torch.rand(7, 5).double() - 1).requires_grad_()
    labels = torch.arange(7) % 5
    assert torch.autograd.gradcheck(
        lambda c: angular_margin(c, labels), cosines
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0, "classes": 5}, "dim must be at least 1, got 0"),
        ({"dim": 3, "classes": 0}, "classes must be at least 1, got 0"),
        ({"dim": 3, "classes": 5, "scale": 0.0}, "scale must be positive"),
    ],
)
def test_impossible_settings_are_refused(options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AngularMarginLoss(**options)


def test_impossible_margins_and_labels_are_refused() -> None:
    cosines = torch.zeros(2, 5)
    for margin in (-0.1, 1.6):
        with pytest.raises(ValueError, match=rf"pi / 2, got {margin}"):
            angular_margin(cosines, torch.tensor([0, 1]), margin=margin)
    with pytest.raises(ValueError, match="between 0 and 4, got -1 to 5"):
        angular_margin(cosines, torch.tensor([-1, 5]))
