"""What the figures accept, and what they say about the rest."""

import numpy as np
import pytest
import torch

from attncourse.viz.inputs import as_image, as_map, as_mask, as_weights


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_takes_a_map_with_or_without_a_leading_one(dtype):
    weights = torch.rand(3, 5).to(dtype).requires_grad_()
    for shape in [(3, 5), (1, 3, 5)]:
        np.testing.assert_array_equal(
            as_map(weights.reshape(shape)), weights.detach().double().numpy()
        )


@pytest.mark.parametrize("shape", [(2, 3, 5), (1, 1, 3, 5), (5,), (0, 5)])
def test_refuses_anything_that_is_not_one_map(shape):
    with pytest.raises(ValueError, match=rf"weights.*{shape[0]}, ?"):
        as_map(torch.zeros(shape))


def test_refuses_values_that_no_colour_could_show():
    with pytest.raises(ValueError, match="not finite"):
        as_map(torch.tensor([[1.0, torch.nan]]))
    with pytest.raises(ValueError, match=r"minimum -2\b"):
        as_weights(torch.tensor([[1.0, -2.0]]))


@pytest.mark.usefixtures("as_shipped")
def test_names_the_type_that_came():
    with pytest.raises(ValueError, match=r"weights is a ndarray.*tensor"):
        as_map(np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"image is a list"):
        as_image([[0.0]])


def test_mask_must_be_boolean():
    key = torch.tensor([[True, False, True]])
    np.testing.assert_array_equal(as_mask(key[None]), key.numpy())
    with pytest.raises(ValueError, match=r"float32.*torch\.bool"):
        as_mask(torch.ones(3, 5))


def test_grey_and_colour_images_become_height_width_3():
    image = torch.rand(3, 5, 7)
    np.testing.assert_allclose(as_image(image)[2, 4], image[:, 2, 4])
    grey = as_image(image[:1])
    assert grey.shape == (5, 7, 3)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


def test_refuses_other_images():
    with pytest.raises(ValueError, match=r"\(2, 5, 7\).*1 or 3 channels"):
        as_image(torch.zeros(2, 5, 7))
    with pytest.raises(ValueError, match=r"\(5, 7\)"):
        as_image(torch.zeros(5, 7))
    with pytest.raises(ValueError, match=r"from 0 to 255.*0 to 1"):
        as_image(torch.tensor([0.0, 255.0]).reshape(1, 1, 2))
