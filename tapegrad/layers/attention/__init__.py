"""Layers of attention."""

from tapegrad.layers.attention.attention import AdditiveAttention, Attention
from tapegrad.layers.attention.group_query_attention import (
    GroupedQueryAttention,
    GroupQueryAttention,
)
from tapegrad.layers.attention.multi_head_attention import MultiHeadAttention

__all__ = [
    "AdditiveAttention",
    "Attention",
    "GroupQueryAttention",
    "GroupedQueryAttention",
    "MultiHeadAttention",
]
