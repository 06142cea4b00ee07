"""Layers and functions that join several inputs into one."""

from tapegrad.layers.merging.base import Merge
from tapegrad.layers.merging.concatenate import Concatenate, concatenate
from tapegrad.layers.merging.dot import Dot, dot
from tapegrad.layers.merging.elementwise import (
    Add,
    Average,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    maximum,
    minimum,
    multiply,
    subtract,
)

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Merge",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
