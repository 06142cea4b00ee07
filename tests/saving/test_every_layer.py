"""Every layer, loss, metric, optimizer … comes back from its description."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import (
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from tapegrad.optimizers import schedules
from tapegrad.saving import deserialize, load_model, serialize

SEQUENCE, IMAGE, VOLUME = (5, 4), (6, 6, 2), (4, 4, 4, 2)

# What each layer is made with, and the shapes of its inputs if they are no sequence.
ARGUMENTS = {
    "Activation": {"activation": "tanh"},
    "ActivityRegularization": {"l2": 0.1},
    "AdaptiveAveragePooling1D": {"output_size": 2},
    "AdaptiveMaxPooling1D": {"output_size": 2},
    "AdaptiveAveragePooling2D": {"output_size": 2},
    "AdaptiveMaxPooling2D": {"output_size": (2, 3)},
    "AdaptiveAveragePooling3D": {"output_size": 2},
    "AdaptiveMaxPooling3D": {"output_size": 2},
    "AlphaDropout": {"rate": 0.2, "seed": 1},
    "Bidirectional": {"layer": layers.LSTM(2), "merge_mode": "sum"},
    "CategoryEncoding": {"num_tokens": 4},
    "Conv1D": {"filters": 3, "kernel_size": 2, "padding": "causal", "activation": "relu"},
    "Conv1DTranspose": {"filters": 3, "kernel_size": 2},
    "Conv2D": {"filters": 3, "kernel_size": (2, 3), "kernel_initializer": "he_normal"},
    "Conv2DTranspose": {"filters": 3, "kernel_size": 2, "strides": 2},
    "Cropping1D": {"cropping": (1, 2)},
    "Dense": {"units": 3, "kernel_regularizer": regularizers.L1L2(0.1, 0.2)},
    "DepthwiseConv1D": {"kernel_size": 2},
    "DepthwiseConv2D": {"kernel_size": 2, "depth_multiplier": 2},
    "Discretization": {"bin_boundaries": [-1.0, 0.0, 1.0]},
    "Dot": {"axes": 2, "normalize": True},
    "Dropout": {"rate": 0.2, "noise_shape": (None, 1, 4)},
    "EinsumDense": {"equation": "abc,cd->abd", "output_shape": (None, 3), "bias_axes": "d"},
    "Embedding": {"input_dim": 7, "output_dim": 3, "mask_zero": True},
    "GRU": {"units": 3, "return_sequences": True},
    "GaussianDropout": {"rate": 0.2},
    "GaussianNoise": {"stddev": 0.2},
    "GroupNormalization": {"groups": 2},
    "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
    "LSTM": {"units": 3, "go_backwards": True, "dropout": 0.1, "recurrent_dropout": 0.1},
    "Lambda": {"function": activations.tanh},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "value_dim": 2},
    "Normalization": {"mean": [1.0, 2.0, 3.0, 4.0], "variance": [1.0, 2.0, 3.0, 4.0]},
    "Operation": {"operation": "tanh"},
    "Permute": {"dims": (2, 1)},
    "RNN": {"cell": [layers.GRUCell(2), layers.LSTMCell(3)]},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 0.5, "offset": 1.0},
    "Reshape": {"target_shape": (-1, 2)},
    "SeparableConv1D": {"filters": 3, "kernel_size": 2},
    "SeparableConv2D": {"filters": 3, "kernel_size": 2},
    "SimpleRNN": {"units": 3, "activation": "relu"},
    "SpatialDropout1D": {"rate": 0.2},
    "SpatialDropout2D": {"rate": 0.2},
    "SpatialDropout3D": {"rate": 0.2},
    "SpectralNormalization": {"layer": layers.Dense(3)},
    "TimeDistributed": {"layer": layers.Dense(3, name="inner")},
}
TWO_INPUTS = {
    *("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"),
    *("AdditiveAttention", "Attention"),
}
TWO_ARGUMENTS = {"GroupQueryAttention", "MultiHeadAttention"}
SHAPES = {"RepeatVector": (4,), "Embedding": (5,), "CategoryEncoding": (3,)}
NOT_BY_THEMSELVES = {"Input", "InputLayer", "Layer", "Merge", "StackedRNNCells", "Wrapper"}
NOT_BY_THEMSELVES |= {"InputSpec"}  # no layer


def names():
    """Return the layers of the table of contents, each under one name."""
    seen = set()
    for name in layers.__all__:
        kind = getattr(layers, name)
        if isinstance(kind, type) and not name.endswith("Cell") and kind not in seen:
            seen.add(kind)
            if kind.__name__ not in NOT_BY_THEMSELVES:
                yield kind.__name__


def shape_for(name):
    if name in SHAPES:
        return SHAPES[name]
    return VOLUME if name.endswith("3D") else IMAGE if "2D" in name else SEQUENCE


@pytest.mark.parametrize("name", list(names()))
def test_layers(name, tmp_path):
    layer = getattr(layers, name)(**ARGUMENTS.get(name, {}))
    shape = shape_for(name)
    integers = name in ("Embedding", "CategoryEncoding")
    inputs = tg.Input(shape, dtype="int32" if integers else None)
    given = [inputs] * (2 if name in TWO_INPUTS | TWO_ARGUMENTS else 1)
    model = tg.Model(inputs, layer(given) if name in TWO_INPUTS else layer(*given))
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (2, *shape)) if integers else rng.normal(size=(2, *shape))
    path = tmp_path / "model.tapegrad"
    model.save(path)
    again = load_model(path)
    assert again.to_json() == model.to_json()
    np.testing.assert_array_equal(again(x).numpy(), model(x).numpy())
    for seed in (1, 2):  # what is drawn while training is the same, too
        tg.set_seed(seed)
        one = model(x, training=True).numpy()
        tg.set_seed(seed)
        np.testing.assert_array_equal(again(x, training=True).numpy(), one)


OTHERS = {
    losses: {},
    metrics: {
        "MeanMetricWrapper": {"fn": metrics.mean_squared_error},
        "SensitivityAtSpecificity": {"specificity": 0.3},
        "SpecificityAtSensitivity": {"sensitivity": 0.3},
        "PrecisionAtRecall": {"recall": 0.3},
        "RecallAtPrecision": {"precision": 0.3},
        "IoU": {"num_classes": 3, "target_class_ids": [1, 2]},
        "MeanIoU": {"num_classes": 3},
        "OneHotIoU": {"num_classes": 3, "target_class_ids": [1, 2]},
        "OneHotMeanIoU": {"num_classes": 3},
        "ConfusionMatrix": {"num_classes": 3},
    },
    optimizers: {},
    schedules: {
        "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
        "PiecewiseConstantDecay": {"boundaries": [2, 4], "values": [0.3, 0.2, 0.1]},
        "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3},
        "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
        "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "warmup_steps": 2},
        "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 3},
        "OneCycle": {"max_learning_rate": 0.1, "total_steps": 9},
        "Warmup": {"target": schedules.CosineDecay(0.1, 5), "warmup_steps": 3},
    },
    initializers: {},
    regularizers: {},
    constraints: {},
}
BASES = {
    *("Loss", "LossFunctionWrapper", "Metric", "Optimizer", "Chain", "LearningRateSchedule"),
    *("Initializer", "Regularizer", "Constraint"),
}


def others():
    for module, arguments in OTHERS.items():
        for name in module.__all__:
            kind = getattr(module, name)
            if isinstance(kind, type) and kind.__name__ == name and name not in BASES:
                yield pytest.param(kind, arguments.get(name, {}), id=f"{module.__name__}.{name}")


@pytest.mark.parametrize(("kind", "arguments"), list(others()))
def test_other_objects(kind, arguments):
    made = kind(**arguments)
    data = json.loads(json.dumps(serialize(made)))
    again = deserialize(data)
    assert type(again) is kind
    assert serialize(again) == data
