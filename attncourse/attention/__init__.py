"""The mechanisms, one file each; they need torch and nothing of the course.

``layer(x)`` returns the output, ``layer.attend(x)`` the pair
``Attended(output, weights)``. Masks are boolean with True = may be attended.
"""

from attncourse.attention.additive import AdditiveAttention, AdditivePooling2d
from attncourse.attention.attended import Attended
from attncourse.attention.attention_pooling import AttentionPooling
from attncourse.attention.cbam import (
    CBAM,
    CBAMWeights,
    ChannelGate,
    SpatialGate,
)
from attncourse.attention.dot_product import (
    attention_weights,
    scaled_dot_product_attention,
)
from attncourse.attention.dynamic_capacity import DynamicCapacity
from attncourse.attention.efficient_channel import EfficientChannelAttention
from attncourse.attention.generalized_mean import GeneralizedMeanPooling
from attncourse.attention.multi_scale import MultiScaleAttention
from attncourse.attention.multihead import MultiHeadAttention
from attncourse.attention.non_local import NonLocal2d
from attncourse.attention.positions import (
    LearnedPositions2d,
    RelativePositionBias2d,
    RotaryPositions2d,
    sinusoidal_positions,
    sinusoidal_positions_2d,
)
from attncourse.attention.recurrent_attention import (
    GaussianReader,
    GlimpseReader,
    RecurrentAttention,
    reinforce_loss,
)
from attncourse.attention.residual_attention import ResidualAttention
from attncourse.attention.selective_kernel import SelectiveKernel
from attncourse.attention.self_attention_2d import SelfAttention2d
from attncourse.attention.softmax_channel import SoftmaxChannelAttention
from attncourse.attention.spatial_transformer import SpatialTransformer
from attncourse.attention.squeeze_excitation import SqueezeExcitation
from attncourse.attention.timm_weights import load_timm_state

__all__ = [
    "CBAM",
    "AdditiveAttention",
    "AdditivePooling2d",
    "Attended",
    "AttentionPooling",
    "CBAMWeights",
    "ChannelGate",
    "DynamicCapacity",
    "EfficientChannelAttention",
    "GaussianReader",
    "GeneralizedMeanPooling",
    "GlimpseReader",
    "LearnedPositions2d",
    "MultiHeadAttention",
    "MultiScaleAttention",
    "NonLocal2d",
    "RecurrentAttention",
    "RelativePositionBias2d",
    "ResidualAttention",
    "RotaryPositions2d",
    "SelectiveKernel",
    "SelfAttention2d",
    "SoftmaxChannelAttention",
    "SpatialGate",
    "SpatialTransformer",
    "SqueezeExcitation",
    "attention_weights",
    "load_timm_state",
    "reinforce_loss",
    "scaled_dot_product_attention",
    "sinusoidal_positions",
    "sinusoidal_positions_2d",
]
