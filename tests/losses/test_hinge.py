import torch
from torch.testing import assert_close

from attncourse.losses import discriminator_hinge, generator_hinge


def test_the_discriminator_pays_inside_the_margin_alone() -> None:
    real = torch.tensor([-1.0, 0.5, 3.0], requires_grad=True)
    fake = torch.tensor([-2.0, -0.5, 0.0, 1.0, -9.0], requires_grad=True)
    loss = discriminator_hinge(real, fake)
    assert_close(loss, torch.tensor((2 + 0.5) / 3 + (0.5 + 1 + 2) / 5))
    loss.backward()
    assert_close(real.grad, torch.tensor([-1, -1, 0]) / 3)
    assert_close(fake.grad, torch.tensor([0, 1, 1, 1, 0]) / 5)


def test_the_generator_may_always_gain() -> None:
    fake = torch.tensor([-2.0, 5.0, 9.0], requires_grad=True)
    loss = generator_hinge(fake)
    assert_close(loss, torch.tensor(-4.0))
    loss.backward()
    assert_close(fake.grad, torch.full((3,), -1 / 3))
