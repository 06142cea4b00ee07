"""Functions that listings use around a model."""

from tapegrad.utils.categorical import to_categorical
from tapegrad.utils.seeding import set_random_seed

__all__ = ["to_categorical", "set_random_seed"]
