"""The training loop: data in batches, steps, epochs, validation."""

from tapegrad.training.trainer import Trainer

__all__ = ["Trainer"]
