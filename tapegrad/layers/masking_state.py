"""Masks that travel on tensors, for layers that read or set them."""

from tapegrad._core.masking import get_mask, set_mask

__all__ = ["get_mask", "set_mask"]
