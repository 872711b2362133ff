import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torchvision.ops import sigmoid_focal_loss

from attncourse.losses import focal_loss


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_two_classes_are_those_of_torchvision(gamma: float) -> None:
    logit = torch.linspace(-7, 7, 13, dtype=torch.float64)
    labels = torch.arange(13) % 2
    columns = torch.stack([torch.zeros_like(logit), logit], 1)
    expected = sigmoid_focal_loss(
        logit, labels.double(), alpha=-1, gamma=gamma, reduction="mean"
    )
    assert_close(focal_loss(columns, labels, gamma=gamma), expected)


def test_it_equals_the_formula_for_many_classes() -> None:
    logits = torch.randn(11, 5, dtype=torch.float64)
    labels = torch.arange(11) % 5
    p = logits.softmax(1)[range(11), labels]
    expected = ((1 - p) ** 2 * -p.log()).mean()
    assert_close(focal_loss(logits, labels), expected)


def test_without_focus_it_is_the_cross_entropy() -> None:
    logits, labels = torch.randn(11, 5), torch.arange(11) % 5
    found = focal_loss(logits, labels, gamma=0.0)
    assert_close(found, F.cross_entropy(logits, labels))


@pytest.mark.parametrize(
    ("gamma", "share"),
    [(0.0, 0.865), (1.0, 0.357), (2.0, 0.039), (5.0, 0.000)],
)
def test_gamma_takes_the_say_from_easy_samples(
    gamma: float, share: float
) -> None:
    """990 easy negatives (logit -3) against 10 hard positives (-1)."""
    labels = (torch.arange(1000) < 10).long()
    logit = (2.0 * labels - 3).requires_grad_()
    columns = torch.stack([torch.zeros(1000), logit], 1)
    focal_loss(columns, labels, gamma=gamma).backward()
    pull = logit.grad.abs()
    easy = pull[10:].sum() / pull.sum()
    assert_close(easy, torch.tensor(share), atol=1e-3, rtol=0)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_sure_answer_has_a_finite_gradient(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0, 0]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0]), gamma=gamma)
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_a_negative_focus_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must not be negative, got -0\.5"):
        focal_loss(torch.zeros(2, 3), torch.tensor([0, 1]), gamma=-0.5)
