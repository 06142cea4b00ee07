"""Event files, read by TensorBoard's own reader."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.callbacks import TensorBoard

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder):
    events = accumulator.EventAccumulator(
        str(folder), size_guidance={"scalars": 0, "histograms": 0, "images": 0}
    )
    events.Reload()
    return events


def scalars(events, tag):
    return [(event.step, event.value) for event in events.Scalars(tag)]


def model_and_data():
    model = tg.Sequential(
        [
            tg.layers.Dense(3, activation="tanh", input_dim=2, name="hidden"),
            tg.layers.Dense(1, name="last"),
        ]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(10, 2))
    return model, x, x.sum(1)


def test_values_by_epoch(tmp_path):
    model, x, y = model_and_data()
    threads = threading.active_count()
    history = model.fit(
        x, y, epochs=3, verbose=0, validation_data=(x, y), callbacks=[TensorBoard(tmp_path)]
    ).history
    assert threading.active_count() == threads, "the writer's thread has ended"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train", "validation"]
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert set(train.Tags()["scalars"]) == {"epoch_loss", "epoch_mae", "epoch_learning_rate"}
    for name in ("loss", "mae"):
        found = scalars(train, f"epoch_{name}")
        assert [step for step, _ in found] == [0, 1, 2]
        np.testing.assert_allclose([value for _, value in found], history[name], rtol=1e-6)
        found = scalars(validation, f"epoch_{name}")
        np.testing.assert_allclose([v for _, v in found], history[f"val_{name}"], rtol=1e-6)
        found = scalars(validation, f"evaluation_{name}_vs_iterations")
        assert [step for step, _ in found] == [1, 2, 3]
    assert scalars(train, "epoch_learning_rate")[0] == (0, pytest.approx(0.01))


def test_values_by_batch(tmp_path):
    model, x, y = model_and_data()
    callback = TensorBoard(tmp_path, update_freq=2, write_steps_per_second=True)
    options = {"batch_size": 2, "verbose": 0, "validation_data": (x, y)}
    model.fit(x, y, epochs=2, callbacks=[callback], **options)
    train = read(tmp_path / "train")
    # Ten batches, numbered from 1 through both epochs.
    assert [step for step, _ in scalars(train, "batch_loss")] == [2, 4, 6, 8, 10]
    assert all(value > 0 for _, value in scalars(train, "epoch_steps_per_second"))
    assert len(scalars(train, "batch_steps_per_second")) == 5
    validation = read(tmp_path / "validation")
    assert [step for step, _ in scalars(validation, "batch_mae")] == [2, 4, 6, 8, 10]
    model.fit(x, y, callbacks=[TensorBoard(tmp_path / "b", update_freq="batch")], **options)
    assert len(scalars(read(tmp_path / "b" / "train"), "batch_loss")) == 5


def test_weights(tmp_path):
    model, x, y = model_and_data()
    callback = TensorBoard(tmp_path, histogram_freq=2, write_images=True)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[callback])
    train = read(tmp_path / "train")
    names = {f"{layer}/{weight}" for layer in ("hidden", "last") for weight in ("kernel", "bias")}
    assert set(train.Tags()["histograms"]) == {f"{name}/histogram" for name in names}
    assert set(train.Tags()["images"]) == {f"{name}/image/0" for name in names}
    first, last = train.Histograms("hidden/kernel/histogram")
    assert (first.step, last.step) == (0, 2)
    kernel = model.get_weights()[0].astype(float)
    histogram = last.histogram_value
    assert histogram.num == kernel.size == sum(histogram.bucket)
    assert histogram.min == kernel.min()
    np.testing.assert_allclose(histogram.sum, kernel.sum())
    np.testing.assert_allclose(histogram.sum_squares, (kernel**2).sum())
    assert len(histogram.bucket) == len(histogram.bucket_limit) == 31
    for limit, count in zip(histogram.bucket_limit[:-1], np.cumsum(histogram.bucket)):
        assert count == (kernel < limit).sum()
    (image, _) = train.Images("hidden/kernel/image/0")
    assert (image.height, image.width) == (2, 3)
    assert image.encoded_image_string.startswith(b"\x89PNG")


def test_a_resumed_run_counts_on(tmp_path):
    model, x, y = model_and_data()
    callback = TensorBoard(tmp_path, update_freq=1)
    model.fit(x, y, batch_size=5, verbose=0, callbacks=[callback])
    again = TensorBoard(tmp_path, update_freq=1)
    again.set_model(model)
    again.on_train_begin()
    again.set_state(callback.get_state())
    again.on_train_batch_begin(0)
    again.on_train_batch_end(0, {"loss": 1.0})
    again.on_train_end()
    steps = [step for step, _ in scalars(read(tmp_path / "train"), "batch_loss")]
    # Both writers may open their files within one second, which the names then do not order.
    assert sorted(steps) == [1, 2, 3]


def test_evaluate_writes_too(tmp_path):
    model, x, y = model_and_data()
    callback = TensorBoard(tmp_path)
    model.evaluate(x, y, verbose=0, callbacks=[callback])
    callback.on_train_end()
    assert scalars(read(tmp_path / "validation"), "evaluation_loss_vs_iterations")[0][0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profile_batch": 2}, "profile_batch must be 0"),
        ({"embeddings_freq": 1}, "embeddings_freq must be 0"),
        ({"update_freq": "step"}, "update_freq"),
        ({"update_freq": 0}, "update_freq"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TensorBoard(**arguments)


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .tapegrad\[tensorboard\]"):
        TensorBoard(tmp_path).on_train_begin()


def test_kernels_of_convolutions_as_images():
    from tapegrad.callbacks.tensorboard import _as_images

    assert _as_images(np.zeros((3, 4, 2, 5))).shape == (10, 3, 4)
    assert _as_images(np.zeros((3, 4, 5))).shape == (5, 3, 4)
    assert _as_images(np.zeros((7, 2))).shape == (1, 2, 7)
    assert _as_images(np.zeros(())).shape == (1, 1, 1)
