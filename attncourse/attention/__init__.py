"""The mechanisms, one file each; they need torch and nothing of the course.

Every module returns its output, and with ``return_weights=True`` the pair
``(output, weights)``. Masks are boolean with True = may be attended.
"""

from attncourse.attention.additive import AdditiveAttention, AdditivePooling2d
from attncourse.attention.dot_product import scaled_dot_product_attention
from attncourse.attention.multihead import MultiHeadAttention

__all__ = [
    "AdditiveAttention",
    "AdditivePooling2d",
    "MultiHeadAttention",
    "scaled_dot_product_attention",
]
