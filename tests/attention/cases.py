"""One case for every mechanism: how to build it and what to feed it.

The tests of ``test_every_mechanism.py`` and of ``test_deployment.py`` run over
this list, so a new mechanism gets all of them by adding a line here. Sizes
are distinct primes: no two axes can be swapped without a test noticing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from attncourse import attention

BATCH = 3
AXES = "weights_sum_to_one_over_these_axes_and_no_fewer"


@dataclass(frozen=True)
class Case:
    """A mechanism with inputs; the batch is the first axis of each."""

    name: str
    build: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    other: tuple[tuple[int, ...], ...]  # a second size it must accept
    weights: tuple[int, ...] | tuple[tuple[int, ...], ...]  # of one sample
    sums_over: tuple[int, ...] = ()  # axes over which they sum to one
    has_mask: bool = False
    skip: dict[str, str] = field(default_factory=dict)  # test -> reason

    @property
    def weight_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the weights of one sample; most have just one."""
        several = isinstance(self.weights[0], tuple)
        return self.weights if several else (self.weights,)

    def module(self) -> nn.Module:
        """The mechanism with every parameter away from its special start.

        Zero-initialised gates would hide what the mechanism computes.
        """
        torch.manual_seed(0)
        module = self.build()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return module.eval()

    def inputs(
        self,
        batch: int = BATCH,
        *,
        seed: int = 1,
        dtype: torch.dtype = torch.float32,
        other: bool = False,
    ) -> list[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return [
            torch.randn(batch, *shape, generator=generator).to(dtype)
            for shape in (self.other if other else self.shapes)
        ]


CASES = [
    Case(
        "MultiHeadAttention",
        lambda: attention.MultiHeadAttention(14, 2),
        shapes=((5, 14), (11, 14), (11, 14)),
        other=((7, 14), (3, 14), (3, 14)),
        weights=(2, 5, 11),
        sums_over=(3,),
        has_mask=True,
    ),
    Case(
        "AdditiveAttention",
        lambda: attention.AdditiveAttention(7, 5, 13),
        shapes=((37, 7), (11, 5), (11, 17)),
        other=((3, 7), (19, 5), (19, 2)),
        weights=(1, 37, 11),
        sums_over=(3,),
        has_mask=True,
    ),
    Case(
        "AdditivePooling2d",
        lambda: attention.AdditivePooling2d(7, 5),
        shapes=((7, 11, 13),),
        other=((7, 5, 3),),
        weights=(1, 11, 13),
        sums_over=(2, 3),
        has_mask=True,
    ),
    Case(
        "AttentionPooling",
        lambda: attention.AttentionPooling(14, 2),
        shapes=((14, 11, 13),),
        other=((14, 5, 3),),
        weights=(2, 11, 13),
        sums_over=(2, 3),
    ),
    Case(
        "GeneralizedMeanPooling",
        lambda: attention.GeneralizedMeanPooling(),
        shapes=((7, 11, 13),),
        other=((7, 5, 3),),
        weights=(1, 11, 13),
        sums_over=(2, 3),
    ),
    Case(
        "SqueezeExcitation",
        lambda: attention.SqueezeExcitation(14, 2),
        shapes=((14, 11, 13),),
        other=((14, 5, 3),),
        weights=(14,),
    ),
    Case(
        "SoftmaxChannelAttention",
        lambda: attention.SoftmaxChannelAttention(7),
        shapes=((7, 11, 13),),
        other=((7, 5, 3),),
        weights=(7,),
        sums_over=(1,),
    ),
    Case(
        "EfficientChannelAttention",
        lambda: attention.EfficientChannelAttention(17),
        shapes=((17, 11, 13),),
        other=((17, 5, 3),),
        weights=(17,),
    ),
    Case(
        "SpatialTransformer",
        lambda: attention.SpatialTransformer(3, steps=2, size=(5, 7)),
        shapes=((3, 11, 13),),
        other=((3, 17, 19),),
        weights=(1, 11, 13),
        skip={AXES: "what is read outside the map counts for nothing"},
    ),
    Case(
        "DynamicCapacity",
        lambda: attention.DynamicCapacity(3, 5, patches=2, width=7),
        shapes=((3, 24, 40),),
        other=((3, 19, 11),),
        weights=(1, 3, 5),
        sums_over=(2, 3),
        skip={
            "gradients_are_those_of_the_function": "the saliency is not "
            "differentiated; see test_dynamic_capacity.py for the logits",
            "autocast_to_bfloat16_stays_close": "where two positions are "
            "about as salient, rounding decides which one is refined",
        },
    ),
    Case(
        "RecurrentAttention",
        lambda: attention.RecurrentAttention(
            3, 5, glimpses=3, reader=attention.GlimpseReader(4), hidden_dim=17
        ),
        shapes=((3, 11, 13),),
        other=((3, 17, 19),),
        weights=(3, 11, 13),
        skip={
            AXES: "what is read outside the image counts for nothing",
            "every_parameter_is_reached": "the baseline is reached by the "
            "reinforcement loss alone; see test_recurrent_attention.py",
        },
    ),
    Case(
        "ChannelGate",
        lambda: attention.ChannelGate(14, 2),
        shapes=((14, 11, 13),),
        other=((14, 5, 3),),
        weights=(14,),
    ),
    Case(
        "SpatialGate",
        lambda: attention.SpatialGate(),
        shapes=((7, 11, 13),),
        other=((5, 3, 2),),
        weights=(1, 11, 13),
    ),
    Case(
        "CBAM",
        lambda: attention.CBAM(14, 2),
        shapes=((14, 11, 13),),
        other=((14, 5, 3),),
        weights=((14,), (1, 11, 13)),
    ),
    Case(
        "SelectiveKernel",
        lambda: attention.SelectiveKernel(14, (3, 5, 7), groups=2),
        shapes=((14, 11, 13),),
        other=((14, 5, 3),),
        weights=(3, 14),
        sums_over=(1,),
    ),
    Case(
        "SelfAttention2d",
        lambda: attention.SelfAttention2d(14, 2),
        shapes=((14, 5, 3),),
        other=((14, 2, 11),),
        weights=(1, 15, 15),
        sums_over=(3,),
    ),
    Case(
        "NonLocal2d",
        lambda: attention.NonLocal2d(14, pool=2),
        shapes=((14, 5, 3),),
        other=((14, 2, 11),),
        weights=(1, 15, 6),
        sums_over=(3,),
    ),
    Case(
        "NonLocal2d",
        lambda: attention.NonLocal2d(14, softmax=False),
        shapes=((14, 5, 3),),
        other=((14, 2, 11),),
        weights=(1, 15, 15),
        skip=dict.fromkeys(
            (
                "weights_have_their_documented_shape",
                "weights_sum_to_one_over_these_axes_and_no_fewer",
            ),
            "without softmax the weights are no shares",
        ),
    ),
    Case(
        "ResidualAttention",
        lambda: attention.ResidualAttention(14, 2, 7),
        shapes=((14, 11, 13),),
        other=((14, 5, 3),),
        weights=(14, 11, 13),
    ),
    Case(
        "MultiScaleAttention",
        lambda: attention.MultiScaleAttention(7, (1.0, 0.5, 0.2)),
        shapes=((7, 11, 13),),
        other=((7, 5, 2),),
        weights=(3, 11, 13),
        sums_over=(1,),
    ),
]
