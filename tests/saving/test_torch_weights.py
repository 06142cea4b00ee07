"""PyTorch's state dicts: what the models then compute, and which are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from saving_networks import FOLDER

import tapegrad as tg
from tapegrad import layers
from tapegrad.saving import load_torch_weights
from tapegrad.saving.tensors_file import read_tensors, write_tensors


def mlp():
    return tg.Sequential(
        [tg.Input((4,)), *(layers.Dense(4, "tanh", name=f"d{i}") for i in range(11))]
    )


def cnn():
    return tg.Sequential(
        [
            tg.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, padding="same", groups=4, use_bias=False),
            layers.Conv2D(3, 1),
            layers.Conv2DTranspose(2, 2, strides=2),
            layers.PReLU(shared_axes=[1, 2]),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.Flatten(),
            layers.BatchNormalization(),
            layers.Dense(3),
        ]
    )


def cnn_graph():
    inputs = tg.Input((8, 8, 2))
    x = inputs
    for layer in cnn().layers:
        x = type(layer).from_config(layer.get_config())(x)
    return tg.Model(inputs, x)


def generator():
    return tg.Sequential(
        [
            tg.Input((3,)),
            layers.Dense(24),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Reshape((2, 2, 6)),
            layers.Conv2DTranspose(2, 2, strides=2),
        ]
    )


def recurrent():
    return tg.Sequential(
        [
            tg.Input((5,), dtype="int32"),
            layers.Embedding(11, 3),
            layers.LSTM(4, return_sequences=True, name="first"),
            layers.LSTM(4, return_sequences=True, name="second"),
            layers.Bidirectional(layers.GRU(2, return_sequences=True)),
            layers.SimpleRNN(3),
            layers.Dense(2),
        ]
    )


def attention():
    inputs = tg.Input((5, 6))
    x = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    x = layers.LayerNormalization()(layers.Add()([inputs, x]))
    return tg.Model(inputs, layers.Conv1D(4, 3)(x))


MODELS = {
    "torch_mlp": mlp,
    "torch_cnn": cnn,
    "torch_generator": generator,
    "torch_recurrent": recurrent,
    "torch_attention": attention,
}


def check(model, name, reference):
    value = reference[f"{name}/y0"]
    bound = 2e-4 * max(1.0, np.abs(value).max())
    output = model(reference[f"{name}/x0"]).numpy()
    np.testing.assert_allclose(output, value, rtol=0, atol=bound)


@pytest.mark.parametrize("name", MODELS)
def test_models_compute_what_they_do_in_torch(name, reference):
    model = MODELS[name]()
    load_torch_weights(model, FOLDER / f"{name}.safetensors")
    check(model, name, reference)


def test_graphs_find_where_images_are_flattened(reference):
    model = cnn_graph()
    load_torch_weights(model, FOLDER / "torch_cnn.safetensors")
    check(model, "torch_cnn", reference)


def test_where_images_are_flattened_can_be_said(reference):
    class Subclassed(tg.Model):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(3, 2)
            self.head = layers.Dense(2, name="head")

        def call(self, x):
            return self.head(layers.Flatten()(self.conv(x)))

    model = Subclassed()
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 2)).astype(np.float32)
    outputs = model(x).numpy()
    kernel, bias, matrix, offset = model.get_weights()
    rows = matrix.reshape(3, 4, 3, 2).transpose(2, 0, 1, 3).reshape(36, 2)  # channels first
    state = {
        "conv.weight": kernel.transpose(3, 2, 0, 1),
        "conv.bias": bias,
        "head.weight": rows.T,
        "head.bias": offset,
    }
    model.set_weights([0 * array for array in model.get_weights()])
    load_torch_weights(model, state, flatten={"head": (3, 4, 3)})
    np.testing.assert_array_equal(model(x).numpy(), outputs)
    load_torch_weights(model, state, flatten=False)
    assert not np.array_equal(model(x).numpy(), outputs)
    with pytest.raises(ValueError, match="flatten names 'tail', which is no layer"):
        load_torch_weights(model, state, flatten={"tail": (3, 4, 3)})


def test_separable_convolutions_are_two_modules():
    rng = np.random.default_rng(0)
    model = tg.Sequential(
        [tg.Input((5, 3)), layers.SeparableConv1D(4, 2, depth_multiplier=2, name="both")]
    )
    state = {
        "depth.weight": rng.normal(size=(6, 1, 2)),
        "point.weight": rng.normal(size=(4, 6, 1)),
        "point.bias": rng.normal(size=4),
    }
    load_torch_weights(model, state)
    depth, point, bias = model.get_weights()
    np.testing.assert_allclose(depth[1, 2, 1], state["depth.weight"][5, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(point[0], state["point.weight"][..., 0].T, rtol=1e-6)
    np.testing.assert_allclose(bias, state["point.bias"], rtol=1e-6)
    load_torch_weights(model, state, mapping={"both": ["depth", "point"]})
    with pytest.raises(ValueError, match="takes 2 modules, but the mapping names 1"):
        load_torch_weights(model, state, mapping={"both": "depth"})


def test_tensors_and_half_precision(tmp_path):
    """PyTorch's tensors are taken as they are; bfloat16 is the upper half of float32."""

    class FakeTensor:
        dtype = "torch.float32"

        def __init__(self, array):
            self.array = array

        def detach(self):
            return self

        def cpu(self):
            return self

        def numpy(self):
            return self.array

    model = tg.Sequential([tg.Input((2,)), layers.Dense(3)])
    weight = np.arange(6, dtype=np.float32).reshape(3, 2)
    load_torch_weights(model, {"weight": FakeTensor(weight), "bias": FakeTensor(weight[:, 0])})
    np.testing.assert_array_equal(model.get_weights()[0], weight.T)

    path = tmp_path / "half.safetensors"
    write_tensors(path, {"weight": weight.astype(np.float16), "bias": np.ones(3, np.float16)})
    load_torch_weights(model, path)
    np.testing.assert_array_equal(model.get_weights()[0], weight.T)
    halves = (weight.view(np.uint32) >> 16).astype("<u2").tobytes()
    entries = {
        "weight": {"dtype": "BF16", "shape": [3, 2], "data_offsets": [0, 12]},
        "bias": {"dtype": "BF16", "shape": [3], "data_offsets": [12, 18]},
    }
    header = json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + halves + bytes(6))
    load_torch_weights(model, path)
    np.testing.assert_array_equal(model.get_weights()[0], weight.T)


class TestMatching:
    def state(self, *names, inputs=4, outputs=4):
        rng = np.random.default_rng(0)
        return {
            key: value
            for name in names
            for key, value in {
                f"{name}.weight": rng.normal(size=(outputs, inputs)).astype(np.float32),
                f"{name}.bias": rng.normal(size=outputs).astype(np.float32),
            }.items()
        }

    def two(self):
        return tg.Sequential(
            [tg.Input((4,)), layers.Dense(4, name="one"), layers.Dense(4, name="two")]
        )

    def test_a_dict_keeps_its_order(self):
        model, state = self.two(), self.state("z", "a")
        load_torch_weights(model, state)
        np.testing.assert_array_equal(model.get_weights()[0], state["z.weight"].T)

    def test_a_file_does_not_so_names_decide_only_by_numbers(self, tmp_path):
        model, path = self.two(), tmp_path / "a.safetensors"
        state = self.state("block10.fc", "block9.fc")
        write_tensors(path, state)
        load_torch_weights(model, path)
        np.testing.assert_array_equal(model.get_weights()[0], state["block9.fc.weight"].T)

    def test_a_guess_is_refused(self, tmp_path):
        model, path = self.two(), tmp_path / "a.safetensors"
        state = self.state("encoder", "decoder")
        write_tensors(path, state)
        before = model.get_weights()
        with pytest.raises(ValueError, match="decoder, encoder all fit it, and a file does not"):
            load_torch_weights(model, path)
        for one, two in zip(before, model.get_weights()):
            np.testing.assert_array_equal(one, two)
        load_torch_weights(model, path, mapping={"one": "encoder"})
        np.testing.assert_array_equal(model.get_weights()[0], state["encoder.weight"].T)
        np.testing.assert_array_equal(model.get_weights()[2], state["decoder.weight"].T)

    def test_modules_that_are_left(self):
        model, state = self.two(), self.state("a", "b", "c")
        with pytest.raises(ValueError, match=r"c fit no layer; with strict=False"):
            load_torch_weights(model, state)
        load_torch_weights(model, state, strict=False)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda s: s.pop("b.bias"), r"for layer two \(Dense\) none .* b, does not .* no bias"),
            (lambda s: s.update({"b.scale": s["b.bias"]}), "it has scale, which the layer has no"),
            (
                lambda s: s.update({"b.weight": s["b.weight"][:, :3]}),
                r"its kernel would have shape \(3, 4\), the layer's has \(4, 4\)",
            ),
            (lambda s: [s.pop("b.weight"), s.pop("b.bias")], "fits it, as none are left"),
        ],
    )
    def test_what_does_not_fit(self, change, reason):
        model, state = self.two(), self.state("a", "b")
        change(state)
        before = model.get_weights()
        with pytest.raises(ValueError, match=reason) as error:
            load_torch_weights(model, state)
        assert "\n" not in str(error.value)
        for one, two in zip(before, model.get_weights()):
            np.testing.assert_array_equal(one, two)

    @pytest.mark.parametrize(
        ("mapping", "reason"),
        [
            ({"tow": "a"}, r'no layer \'tow\' with weights. Did you mean "two"'),
            ({"two": "fc"}, r"has no module 'fc' for layer two"),
            ({"two": "odd"}, r"for layer two \(Dense\) odd does not fit: it has no weight"),
        ],
    )
    def test_wrong_mappings(self, mapping, reason):
        state = self.state("a", "b") | {"odd.running_mean": np.zeros(3, np.float32)}
        with pytest.raises(ValueError, match=reason):
            load_torch_weights(self.two(), state, mapping)

    def test_files_with_code_are_not_read(self, tmp_path):
        with pytest.raises(ValueError, match=r"may hold code .* safetensors\.torch\.save_file"):
            load_torch_weights(self.two(), tmp_path / "model.pth")
        with pytest.raises(ValueError, match=r"may hold code .*load_torch_weights"):
            self.two().load_weights(tmp_path / "model.pt")

    def test_weights_of_torch_are_recognised(self):
        with pytest.raises(ValueError, match=r"PyTorch module, as in '.*'; read it with"):
            mlp().load_weights(FOLDER / "torch_mlp.safetensors")

    def test_models_that_are_not_built(self):
        with pytest.raises(ValueError, match="not built yet"):
            load_torch_weights(tg.Sequential([layers.Dense(2)]), {})

    def test_layers_without_counterpart(self):
        class Scale(layers.Layer):
            def build(self, input_shape):
                self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")

            def call(self, inputs):
                return inputs * self.factor

        model = tg.Sequential([tg.Input((4,)), Scale(name="scale")])
        with pytest.raises(ValueError, match=r"layer scale \(Scale\) has no counterpart"):
            load_torch_weights(model, {})

    def test_an_older_gru_is_refused(self):
        model = tg.Sequential([tg.Input((3, 4)), layers.GRU(2, reset_after=False)])
        state = {
            "gru.weight_ih_l0": np.zeros((6, 4)),
            "gru.weight_hh_l0": np.zeros((6, 2)),
            "gru.bias_ih_l0": np.zeros(6),
            "gru.bias_hh_l0": np.zeros(6),
        }
        with pytest.raises(ValueError, match="the layer needs reset_after=True"):
            load_torch_weights(model, state)

    def test_flattened_images_that_go_elsewhere(self):
        inputs = tg.Input((4, 4, 2))
        x = layers.Flatten()(layers.Conv2D(2, 3)(inputs))
        x = layers.Concatenate()([x, layers.Flatten()(inputs)])
        model = tg.Model(inputs, layers.Dense(2)(x))
        with pytest.raises(ValueError, match="flattened images reach layer concatenate"):
            load_torch_weights(model, {})


def test_read_tensors_of_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_tensors(tmp_path / "no.safetensors")
