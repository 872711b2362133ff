"""Residual networks of torchvision, with attention where you put it."""

from collections.abc import Callable, Collection, Mapping

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import ResNet, resnet18, resnet50, resnet101
from torchvision.models.resnet import BasicBlock, Bottleneck

OnChannels = Callable[[int], nn.Module]

BUILDERS = {18: resnet18, 50: resnet50, 101: resnet101}


def attention_resnet(
    depth: int,
    *,
    in_branch: OnChannels | None = None,
    after_stage: OnChannels | None = None,
    stages: Collection[int] = (1, 2, 3, 4),
    classes: int = 1000,
    small_images: bool = False,
) -> ResNet:
    r"""Build torchvision's residual network, with attention in its stages.

    In a branch each block becomes :math:`\operatorname{relu}(x + a(f(x)))`,
    after a stage its last map becomes :math:`a(x)`.

    Without attention it is torchvision's network. With it, all parameters
    of torchvision keep their names, so its trained weights still fit: see
    :func:`load_backbone`. Attention starts untrained; only a layer that
    starts as the identity, such as
    :class:`~attncourse.attention.NonLocal2d`, leaves the outputs as they
    were.

    Parameters
    ----------
    depth
        18, 50 or 101 layers.
    in_branch
        Called with a number of channels, returns the attention for the
        residual branch of a block, before the addition. This is the position
        of gates (``SqueezeExcitation``, ``EfficientChannelAttention``,
        ``CBAM``): behind the addition they would shrink the shortcut too.
    after_stage
        Called in the same way, once for each stage: attention behind its
        last block. This is the position of pairwise attention
        (``SelfAttention2d``, ``NonLocal2d``), which adds to the map by
        itself. Its cost grows with the square of the positions: choose late
        stages.
    stages
        Stages that get attention, 1 to 4. Stage s has 1 / 2^(s + 1) of the
        rows and columns of the image, four times that with
        ``small_images``.
    classes
        Number of classes.
    small_images
        Begin with a 3 x 3 convolution of stride 1 and no pooling, for
        images of about 32 pixels, which the usual beginning would bring to
        a single position.

    Returns
    -------
    ResNet
        From (batch, 3, height, width) of any size to (batch, classes). Its
        attention layers are called ``layer1.0.attention`` in a branch and
        ``layer1.attention`` after a stage.

    Raises
    ------
    ValueError
        If the depth is another one or a stage does not exist.

    References
    ----------
    He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition",
    CVPR 2016; Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR
    2018 (the position in the branch); Wang, Girshick, Gupta and He, "Non-local
    Neural Networks", CVPR 2018 (the position in the stage).
    """
    if depth not in BUILDERS:
        raise ValueError(f"depth must be one of {[*BUILDERS]}, got {depth}")
    unknown = sorted(set(stages) - {1, 2, 3, 4})
    if unknown:
        raise ValueError(f"stages must be among 1 to 4, got {unknown}")
    network = BUILDERS[depth](num_classes=classes)
    if small_images:
        network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out")
        network.maxpool = nn.Identity()
    built = network.layer1, network.layer2, network.layer3, network.layer4
    for number, stage in enumerate(built, start=1):
        if number not in stages:
            continue
        channels = network.fc.in_features // 2 ** (4 - number)
        if in_branch is not None:
            for index, block in enumerate(stage):
                stage[index] = AttentionBlock(block, in_branch(channels))
        if after_stage is not None:
            stage.add_module("attention", after_stage(channels))
    return network


class AttentionBlock(nn.Module):
    r"""A residual block with attention on its branch.

    .. math:: y = \operatorname{relu}(a(f(x)) + \operatorname{shortcut}(x))

    Parameters
    ----------
    block
        A block of torchvision. Its layers are taken over under their own
        names, so that its state dict still fits.
    attention
        Module from a map to a map of the same shape.
    """

    def __init__(
        self, block: BasicBlock | Bottleneck, attention: nn.Module
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = block.conv1, block.bn1
        self.conv2, self.bn2 = block.conv2, block.bn2
        self.bottleneck = isinstance(block, Bottleneck)
        if isinstance(block, Bottleneck):
            self.conv3, self.bn3 = block.conv3, block.bn3
        self.downsample = block.downsample
        self.attention = attention

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Add the attended branch to the shortcut."""
        branch = F.relu(self.bn1(self.conv1(x)))
        branch = self.bn2(self.conv2(branch))
        if self.bottleneck:
            branch = self.bn3(self.conv3(F.relu(branch)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(self.attention(branch) + shortcut)


def load_backbone(network: ResNet, weights: Mapping[str, Tensor]) -> None:
    """Copy the weights of a plain residual network; attention keeps its own.

    Parameters
    ----------
    network
        From :func:`attention_resnet`, of the depth of the weights.
    weights
        State dict of torchvision's network. To leave out the classifier of
        another number of classes, replace ``fc.weight`` and ``fc.bias`` in
        it by those of the network.

    Raises
    ------
    ValueError
        If a layer of the network that is no attention has no weights, there
        are weights too many, or a shape differs. The network is then
        unchanged.
    """
    own = network.state_dict()
    plain = {name for name in own if ".attention." not in name}
    if missing := sorted(plain - set(weights)):
        raise ValueError(f"weights must hold {missing}, got none of them")
    if extra := sorted(set(weights) - plain):
        raise ValueError(f"weights must fit the network, got also {extra}")
    for name in sorted(plain):
        if own[name].shape != weights[name].shape:
            raise ValueError(
                f"weights must have the shapes of the network: {name} is "
                f"{tuple(own[name].shape)} there, got "
                f"{tuple(weights[name].shape)}"
            )
    network.load_state_dict(dict(weights), strict=False)
