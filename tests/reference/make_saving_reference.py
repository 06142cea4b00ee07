"""Write models with Keras 3 and PyTorch, in their own files, with what they compute.

Run it with both installed::

    KERAS_BACKEND=torch python tests/reference/make_saving_reference.py

It fills the folder `saving` beside itself; the tests read that folder and need neither.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import torch
from keras import layers
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent / "saving"
RESULTS: dict[str, np.ndarray] = {}
RNG = np.random.default_rng(0)


def fill(model: keras.Model) -> None:
    """Give a model weights that no initializer would: also biases and statistics."""
    values = []
    for weight in model.weights:
        value = 0.4 * RNG.normal(size=tuple(weight.shape))
        if "variance" in weight.path:
            value = np.abs(value) + 0.5
        values.append(value)
    model.set_weights(values)


def keep(name: str, model: keras.Model, *inputs: np.ndarray) -> None:
    """Note inputs and outputs."""
    for index, value in enumerate(inputs):
        RESULTS[f"{name}/x{index}"] = value
    outputs = model(list(inputs) if len(inputs) > 1 else inputs[0])
    for index, value in enumerate(outputs if isinstance(outputs, list | tuple) else [outputs]):
        RESULTS[f"{name}/y{index}"] = keras.ops.convert_to_numpy(value)


def numbers(*shape: int) -> np.ndarray:
    """Return normal numbers in single precision."""
    return RNG.normal(size=shape).astype(np.float32)


# ---- Keras ---------------------------------------------------------------------------


def mlp() -> None:
    """A perceptron after two steps of Adam: the files hold the optimizer's state as well."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="relu", kernel_regularizer="l2", name="hidden"),
            layers.Dropout(0.5, seed=1),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )
    fill(model)
    model.compile(
        keras.optimizers.Adam(0.02, beta_1=0.8),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy"],
    )
    x, y = numbers(8, 4), np.eye(3, dtype=np.float32)[np.arange(8) % 3]
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    model.save(HERE / "mlp.keras")
    model.save(HERE / "mlp.h5")
    keep("mlp", model, x)
    model.layers[1].rate = 0  # what it drops is no one's to repeat
    RESULTS["mlp/labels"] = y
    RESULTS["mlp/losses"] = np.array([model.train_on_batch(x, y)[0] for _ in range(3)])
    for index, value in enumerate(model.get_weights()):
        RESULTS[f"mlp/after{index}"] = value


def cnn() -> None:
    """Convolutions of all kinds, with statistics."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(3, 3, padding="same", depth_multiplier=2),
            layers.Conv2DTranspose(2, 2, strides=2),
            layers.LeakyReLU(),
            layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    fill(model)
    model.save(HERE / "cnn.keras")
    keep("cnn", model, numbers(2, 8, 8, 2))


def text() -> None:
    """Embedding with a mask, then recurrent layers."""
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(11, 3, mask_zero=True),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.GRU(3, return_sequences=True),
            layers.SimpleRNN(2),
            layers.Dense(1),
        ]
    )
    fill(model)
    model.save(HERE / "text.keras")
    x = RNG.integers(1, 11, (3, 6))
    x[1, 4:] = 0
    keep("text", model, x.astype(np.int32))


def attention() -> None:
    """Self-attention as a graph, with a sum and a layer for each position."""
    inputs = keras.Input((5, 6), name="tokens")
    x = layers.MultiHeadAttention(2, 3, dropout=0.1)(inputs, inputs)
    x = layers.LayerNormalization()(layers.Add()([inputs, x]))
    x = layers.TimeDistributed(layers.Dense(4, activation="gelu"))(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    fill(model)
    model.save(HERE / "attention.keras")
    keep("attention", model, numbers(2, 5, 6))


def graph() -> None:
    """Two inputs and outputs, a shared layer, a network in the network, unusual layers."""
    left, right = keras.Input((6, 4), name="left"), keras.Input((6, 4), name="right")
    shared = layers.Dense(4, activation="tanh", name="shared")
    inner = keras.Sequential(
        [keras.Input((6, 4)), layers.Conv1D(3, 3, name="deep"), layers.PReLU()], name="inner"
    )
    a, b = shared(left), shared(right)
    a = inner(a)
    b = layers.RNN([layers.GRUCell(2), layers.LSTMCell(3), layers.GRUCell(2)])(b)
    a = layers.SpectralNormalization(layers.Dense(2))(layers.Flatten()(a))
    outputs = [layers.Concatenate(name="both")([a, b]), layers.UnitNormalization()(b)]
    model = keras.Model([left, right], outputs, name="graph")
    fill(model)
    model.save(HERE / "graph.keras")
    keep("graph", model, numbers(2, 6, 4), numbers(2, 6, 4))


def operators() -> None:
    """Operators and functions between layers."""
    inputs = keras.Input((4,))
    x = (layers.Dense(4)(inputs) * 2.0 + inputs)[:, 1:] / 3.0
    x = keras.ops.mean(x, axis=-1, keepdims=True) - x
    model = keras.Model(inputs, keras.ops.tanh(1.0 - x))
    fill(model)
    model.save(HERE / "operators.keras")
    keep("operators", model, numbers(2, 4))


class Nested(keras.Model):
    """A subclassed model with layers in attributes, lists and dicts, and a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(3)
        self.blocks = [layers.Dense(2), [layers.Dense(4)], {"a": layers.Dense(5)}]
        self.scale = self.add_weight(shape=(2,), name="scale")
        self.zed = layers.Dense(2)

    def call(self, x):
        """Return the outputs."""
        x = self.blocks[1][0](self.blocks[0](self.hidden(x)))
        return self.zed(self.blocks[2]["a"](x)) * self.scale


def nested() -> None:
    """The subclassed model."""
    model = Nested()
    x = numbers(2, 3)
    model(x)
    fill(model)
    model.save_weights(HERE / "nested.weights.h5")
    keep("nested", model, x)


LAYERS = {
    "AdditiveAttention": [({}, 2)],
    "Attention": [({"use_scale": True, "score_mode": "concat"}, 2)],
    "BatchNormalization": [({}, 1), ({"scale": False}, 1)],
    "Conv1D": [({"filters": 3, "kernel_size": 2}, 1)],
    "Conv1DTranspose": [({"filters": 3, "kernel_size": 2}, 1)],
    "DepthwiseConv1D": [({"kernel_size": 2}, 1)],
    "EinsumDense": [({"equation": "abc,cd->abd", "output_shape": [None, 3], "bias_axes": "d"}, 1)],
    "GroupNormalization": [({"groups": 2}, 1)],
    "GroupQueryAttention": [
        ({"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, 2),
        ({"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 2, "use_bias": False}, 2),
    ],
    "GRU": [({"units": 3, "reset_after": False}, 1)],
    "LayerNormalization": [({}, 1)],
    "MultiHeadAttention": [({"num_heads": 2, "key_dim": 3, "use_bias": False}, 2)],
    "Normalization": [({}, 1)],
    "PReLU": [({}, 1)],
    "RMSNormalization": [({}, 1)],
    "SeparableConv1D": [({"filters": 3, "kernel_size": 2}, 1)],
    "SimpleRNN": [({"units": 3, "use_bias": False}, 1)],
    "UnitNormalization": [({}, 1)],
}


def paths() -> None:
    """What the weights of each layer are called, in a file that holds this layer alone."""
    found = []
    for name, cases in LAYERS.items():
        for options, count in cases:
            layer = getattr(layers, name)(**options)
            inputs = keras.Input((5, 4))
            given = [inputs] * count
            outputs = layer(given) if name in ("AdditiveAttention", "Attention") else layer(*given)
            keras.Model(inputs, outputs).save_weights(HERE / "one.weights.h5")
            found.append(
                {"layer": name, "options": options, "inputs": count, "paths": shapes_in_file()}
            )
    (HERE / "one.weights.h5").unlink()
    (HERE / "paths.json").write_text(json.dumps(found, indent=1) + "\n")


def shapes_in_file() -> dict[str, list[int]]:
    """Return the shapes of all datasets by path."""
    shapes: dict[str, list[int]] = {}

    def note(path: str, item) -> None:
        if hasattr(item, "shape"):
            shapes[path] = list(item.shape)

    with h5py.File(HERE / "one.weights.h5") as file:
        file.visititems(note)
    return shapes


def compress(path: Path) -> None:
    """Write an archive anew, compressed, as files in a repository should be."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


# ---- PyTorch -------------------------------------------------------------------------


def keep_module(name: str, module: nn.Module, inputs: torch.Tensor, given: np.ndarray) -> None:
    """Fill, save and run a module.

    Parameters
    ----------
    name
        Of the file.
    module
        The module.
    inputs
        What it is called on, channels first.
    given
        The same as it is called on here, channels last.
    """
    for key, value in module.state_dict().items():
        if value.is_floating_point():
            drawn = 0.4 * RNG.normal(size=tuple(value.shape))
            drawn = np.abs(drawn) + 0.5 if "running_var" in key else drawn
            value.copy_(torch.from_numpy(np.asarray(drawn, np.float32)))
    save_file(dict(module.state_dict()), HERE / f"{name}.safetensors")
    module.eval()
    with torch.no_grad():
        outputs = module(inputs)
    RESULTS[f"{name}/x0"] = given
    RESULTS[f"{name}/y0"] = outputs.numpy()


def torch_mlp() -> None:
    """Linear layers: the tenth sorts before the second if numbers are taken for letters."""
    parts = []
    for _ in range(11):
        parts += [nn.Linear(4, 4), nn.Tanh()]
    x = numbers(3, 4)
    keep_module("torch_mlp", nn.Sequential(*parts), torch.from_numpy(x), x)


def torch_cnn() -> None:
    """Convolutions of all kinds; flattened (channels, height, width)."""
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4, eps=1e-3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, padding=1, groups=4, bias=False),
        nn.Conv2d(8, 3, 1),
        nn.ConvTranspose2d(3, 2, 2, stride=2),
        nn.PReLU(2),
        nn.Conv2d(2, 4, 3, groups=2),
        nn.Flatten(),
        nn.BatchNorm1d(144, eps=1e-3),
        nn.Linear(144, 3),
    )
    x = numbers(2, 8, 8, 2)
    keep_module("torch_cnn", module, torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), x)


def torch_generator() -> None:
    """A dense layer whose output becomes an image."""
    module = nn.Sequential(
        nn.Linear(3, 24),
        nn.BatchNorm1d(24, eps=1e-3),
        nn.ReLU(),
        nn.Unflatten(1, (6, 2, 2)),
        nn.ConvTranspose2d(6, 2, 2, stride=2),
    )
    x = numbers(2, 3)
    keep_module("torch_generator", module, torch.from_numpy(x), x)
    images = RESULTS["torch_generator/y0"]
    RESULTS["torch_generator/y0"] = images.transpose(0, 2, 3, 1)


class Recurrent(nn.Module):
    """Embedding, two layers of LSTM, GRU in both directions, a plain recurrence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 3)
        self.lstm = nn.LSTM(3, 4, num_layers=2, batch_first=True)
        self.gru = nn.GRU(4, 2, batch_first=True, bidirectional=True)
        self.rnn = nn.RNN(4, 3, batch_first=True)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        """Return the outputs."""
        x, _ = self.lstm(self.embedding(x))
        x, _ = self.gru(x)
        x, _ = self.rnn(x)
        return self.head(x[:, -1])


def torch_recurrent() -> None:
    """The recurrent module."""
    x = RNG.integers(0, 11, (2, 5))
    keep_module("torch_recurrent", Recurrent(), torch.from_numpy(x), x)


class Attention(nn.Module):
    """Self-attention with layer normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6, eps=1e-3)
        self.conv = nn.Conv1d(6, 4, 3)

    def forward(self, x):
        """Return the outputs, channels last."""
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


def torch_attention() -> None:
    """The attention module."""
    x = numbers(2, 5, 6)
    keep_module("torch_attention", Attention(), torch.from_numpy(x), x)


def main() -> None:
    """Write all files."""
    HERE.mkdir(exist_ok=True)
    for make in (mlp, cnn, text, attention, graph, operators, nested):
        make()
    paths()
    for path in HERE.glob("*.keras"):
        compress(path)
    for make in (torch_mlp, torch_cnn, torch_generator, torch_recurrent, torch_attention):
        make()
    np.savez_compressed(HERE / "outputs.npz", **RESULTS)
    print({path.name: path.stat().st_size for path in sorted(HERE.iterdir())})


if __name__ == "__main__":
    main()
