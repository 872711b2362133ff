"""The two sides of an adversarial game with hinges."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def discriminator_hinge(
    real: Float[Tensor, " real"], fake: Float[Tensor, " fake"]
) -> Float[Tensor, ""]:
    r"""What a discriminator pays for scores on the wrong side of a margin.

    .. math:: L_D = \operatorname{mean} \max(0, 1 - D(x))
              + \operatorname{mean} \max(0, 1 + D(G(z)))

    Real images should score above 1, generated ones below -1; a score
    beyond that has no gradient.

    Parameters
    ----------
    real, fake
        Scores of real images and of generated ones; detach the latter from
        the generator.

    References
    ----------
    Lim and Ye, "Geometric GAN", 2017; Zhang, Goodfellow, Metaxas and Odena,
    "Self-Attention Generative Adversarial Networks", ICML 2019.
    """
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def generator_hinge(fake: Float[Tensor, " fake"]) -> Float[Tensor, ""]:
    r"""What a generator pays: the negative mean score of its images.

    .. math:: L_G = -\operatorname{mean} D(G(z))

    There is no hinge here: the generator may always gain.

    Parameters
    ----------
    fake
        Scores of generated images.

    References
    ----------
    As for :func:`discriminator_hinge`.
    """
    return -fake.mean()
