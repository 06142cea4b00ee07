"""Where flattened images meet dense layers, and in which order their features then stand.

Here images are (height, width, channels), in PyTorch (channels, height, width). A layer that works
on flattened images, or makes them, therefore has its weights in another order there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tapegrad.layers.base import Layer

__all__ = ["Orders", "feature_orders"]

# Layers after which, and before which, PyTorch has its channels first.
_IMAGES = (
    "Conv",
    "DepthwiseConv",
    "SeparableConv",
    "MaxPooling",
    "AveragePooling",
    "UpSampling",
    "ZeroPadding",
    "Cropping",
    "SpatialDropout",
)
# Layers that treat every feature alike, or by itself.
_ELEMENTWISE = (
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "ELU",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "LeakyReLU",
    "ReLU",
    "Rescaling",
    "SpatialDropout1D",
    "SpatialDropout2D",
)
_BY_FEATURE = ("BatchNormalization", "LayerNormalization", "RMSNormalization", "PReLU")


@dataclass
class Orders:
    """For each feature of a layer here, its place in PyTorch's order.

    Attributes
    ----------
    inputs, outputs : numpy.ndarray or None
        Of the first axis of a kernel; of the last axis of all weights.
    """

    inputs: np.ndarray | None = None
    outputs: np.ndarray | None = None

    def apply(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Return weights of a layer, given in PyTorch's order, in the order here."""
        if self.inputs is not None:
            values = [values[0][self.inputs], *values[1:]]
        if self.outputs is not None:
            values = [value[..., self.outputs] for value in values]
        return values


@dataclass
class _Step:
    """A layer in its place between others."""

    layer: Layer
    shape: tuple[int | None, ...]
    before: list[_Step] = field(default_factory=list)
    after: list[_Step] = field(default_factory=list)


def feature_orders(
    model: Layer, flatten: str | bool | Mapping[str, Sequence[int]]
) -> dict[int, Orders]:
    """Return the orders of layers next to flattened images, by the identity of the layer."""
    found: dict[int, Orders] = {}
    if isinstance(flatten, Mapping):
        by_name = {layer.name: layer for layer in model._all_layers()}
        for name, shape in flatten.items():
            if name not in by_name:
                raise ValueError(f"load_torch_weights: flatten names {name!r}, which is no layer.")
            found[id(by_name[name])] = Orders(inputs=_order(tuple(shape)))
        return found
    if flatten not in ("auto", True, False):
        raise ValueError(
            f'load_torch_weights: flatten is "auto", False or a dict, but is {flatten!r}.'
        )
    if flatten is False:
        return found
    for step in _steps(model):
        kind = type(step.layer).__name__
        if kind not in ("Flatten", "Reshape"):
            continue
        given = step.shape[1:]
        made = step.layer.compute_output_shape(step.shape)[1:]
        if len(given) > 1 and len(made) == 1 and None not in given and _holds_images(step):
            _follow(step, _order(given), found)
        elif len(given) == 1 and len(made) > 1 and None not in made and _becomes_images(step):
            _trace_back(step, _order(made), found)
    return found


def _order(shape: tuple[Any, ...]) -> np.ndarray:
    """Return the place in (channels, …) order of each element of (…, channels), flattened.

    Examples
    --------
    >>> _order((2, 2))
    array([0, 2, 1, 3])
    """
    channels_first = (shape[-1], *shape[:-1])
    places = np.arange(int(np.prod(shape))).reshape(channels_first)
    return np.moveaxis(places, 0, -1).ravel()


def _steps(model: Any) -> list[_Step]:
    """Return the layers of a Sequential or functional model with what stands before and after."""
    graph = getattr(model, "_graph", None)
    if graph is not None:
        return _steps_of_nodes(graph.nodes)
    stack = getattr(model, "_stack", None)
    shape = getattr(model, "input_shape", None)
    if stack is None or shape is None:
        return []  # a model that says in call() what it does
    steps: list[_Step] = []
    _append_stack(stack, tuple(shape), steps)
    return steps


def _append_stack(stack: list[Any], shape: Any, steps: list[_Step]) -> Any:
    """Append the layers of a stack, those of stacks within it included."""
    for layer in stack:
        inner = getattr(layer, "_stack", None)
        if inner:
            shape = _append_stack(inner, shape, steps)
            continue
        step = _Step(layer, shape)
        if steps:
            step.before.append(steps[-1])
            steps[-1].after.append(step)
        steps.append(step)
        shape = layer.compute_output_shape(shape)
    return shape


def _steps_of_nodes(nodes: list[Any]) -> list[_Step]:
    steps: dict[int, _Step] = {}
    for node in nodes:
        inputs = node.inputs
        step = _Step(node.layer, inputs[0].shape if inputs else node.outputs.shape)
        for symbol in inputs:
            earlier = steps.get(id(symbol.node))
            if earlier is not None:
                step.before.append(earlier)
                earlier.after.append(step)
        steps[id(node)] = step
    return list(steps.values())


def _holds_images(step: _Step) -> bool:
    """Whether what comes into a step has its channels first in PyTorch."""
    while step.before:
        step = step.before[0]
        kind = type(step.layer).__name__
        if kind.startswith(_IMAGES):
            return True
        if kind not in (*_ELEMENTWISE, *_BY_FEATURE) and not _merges(kind):
            return kind == "InputLayer" and len(step.shape) == 4
    return len(step.shape) == 4  # the input itself: images


def _becomes_images(step: _Step) -> bool:
    """Whether what leaves a step is worked on with channels first in PyTorch."""
    while step.after:
        step = step.after[0]
        kind = type(step.layer).__name__
        if kind.startswith(_IMAGES):
            return True
        if kind not in (*_ELEMENTWISE, *_BY_FEATURE):
            return False
    return False


def _merges(kind: str) -> bool:
    return kind in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")


def _follow(step: _Step, order: np.ndarray, found: dict[int, Orders]) -> None:
    """Note the order for what follows a step, up to the dense layers that take the features in."""
    for later in step.after:
        kind = type(later.layer).__name__
        if kind == "Dense":
            found.setdefault(id(later.layer), Orders()).inputs = order
        elif kind in _BY_FEATURE:
            found.setdefault(id(later.layer), Orders()).outputs = order
            _follow(later, order, found)
        elif kind in _ELEMENTWISE:
            _follow(later, order, found)
        elif later.layer.weights or later.after:
            raise ValueError(
                f"load_torch_weights: flattened images reach layer {later.layer.name} ({kind}), so "
                "it is not clear in which order their features stand there; say it by "
                "flatten={layer name: (height, width, channels)}, or flatten=False."
            )


def _trace_back(step: _Step, order: np.ndarray, found: dict[int, Orders]) -> None:
    """Note the order for what makes the features of a step, back to the dense layer."""
    for earlier in step.before:
        kind = type(earlier.layer).__name__
        if kind == "Dense" or kind in _BY_FEATURE:
            found.setdefault(id(earlier.layer), Orders()).outputs = order
        if kind in _ELEMENTWISE or kind in _BY_FEATURE:
            _trace_back(earlier, order, found)
