"""Figures made of many small images."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import plot


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def everything_fits(figure):
    """Whether all images and labels lie on the sheet, and no label on an image."""
    figure.canvas.draw()
    axes = figure.axes[0]
    images = [image.get_window_extent() for image in axes.images]
    labels = [text.get_window_extent() for text in axes.texts]
    for box in images + labels:
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1
    for label in labels:
        assert not any(label.overlaps(image) for image in images)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (4, 6, 3), (9, 2)])
@pytest.mark.parametrize("count", [1, 7, 23])
def test_every_image_has_its_place(shape, count):
    images = np.random.default_rng(0).random((count, *shape))
    figure = plot.image_grid(images, columns=5, labels=range(count))
    axes = figure.axes[0]
    assert len(axes.images) == count
    assert texts(figure) == [str(i) for i in range(count)]
    boxes = np.array([image.get_extent() for image in axes.images])
    centres = np.stack([boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)], axis=1)
    np.testing.assert_allclose(centres[:, 0], np.arange(count) % 5)
    np.testing.assert_allclose(np.diff(centres[::5, 1]), 1.3)
    # Neighbours do not touch, and pixels are squares.
    assert np.all(boxes[:, 1] - boxes[:, 0] < 1)
    assert np.all(boxes[:, 2] - boxes[:, 3] < 1)
    np.testing.assert_allclose(
        (boxes[:, 1] - boxes[:, 0]) / shape[1], (boxes[:, 2] - boxes[:, 3]) / shape[0]
    )
    everything_fits(figure)


def test_images_share_a_scale():
    images = np.stack([np.full((2, 2), 3.0), np.full((2, 2), 5.0)])
    assert {i.get_clim() for i in plot.image_grid(images).axes[0].images} == {(3.0, 5.0)}
    figure = plot.image_grid(images, limits=(0.0, 8.0))
    assert {i.get_clim() for i in figure.axes[0].images} == {(0.0, 8.0)}
    figure = plot.image_grid(images - 9.0, signed=True)
    assert {i.get_clim() for i in figure.axes[0].images} == {(-6.0, 6.0)}
    assert len(figure.axes) == 2  # with a bar


def test_colours_are_drawn_between_zero_and_one():
    images = np.array([0, 255], np.uint8).reshape(1, 1, 2, 1).repeat(3, axis=3)
    drawn = plot.image_grid(images).axes[0].images[0].get_array()
    np.testing.assert_allclose(drawn[0], [[0.0] * 3, [1.0] * 3])


def test_rows_have_names():
    figure = plot.image_grid(np.zeros((6, 2, 2)), columns=3, row_labels=["original", "with noise"])
    assert texts(figure) == ["original", "with noise"]
    everything_fits(figure)


def test_what_is_no_grid():
    with pytest.raises(ValueError, match=r"shape \(8, 8\); expected \(images, height, width\)"):
        plot.image_grid(np.zeros((8, 8)))
    with pytest.raises(ValueError, match="images have shape"):
        plot.image_grid(np.zeros((0, 8, 8)))
    with pytest.raises(ValueError, match="2 labels were given; expected 3, one for each image"):
        plot.image_grid(np.zeros((3, 8, 8)), labels=["a", "b"])
    with pytest.raises(ValueError, match="1 row_labels were given; expected 2"):
        plot.image_grid(np.zeros((3, 8, 8)), columns=2, row_labels=["a"])


def test_filters_of_a_layer():
    layer = tg.layers.Conv2D(20, (3, 5), name="edges")
    with pytest.raises(ValueError, match="edges has no weights yet"):
        plot.filters(layer)
    layer.build((None, 8, 8, 1))
    figure = plot.filters(layer)
    kernel = layer.get_weights()[0]
    drawn = figure.axes[0].images
    assert len(drawn) == 20
    np.testing.assert_array_equal(drawn[19].get_array(), kernel[:, :, 0, 19])
    assert drawn[0].get_clim() == pytest.approx((-np.abs(kernel).max(), np.abs(kernel).max()))
    assert figure.get_suptitle() == "The 20 filters of edges"
    everything_fits(figure)


def test_filters_with_several_input_channels():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 8, 4))
    figure = plot.filters(kernel, channels=2)
    assert texts(figure) == ["channel 0", "channel 1"]
    drawn = figure.axes[0].images
    assert len(drawn) == 8
    np.testing.assert_array_equal(drawn[5].get_array(), kernel[:, :, 1, 1])
    everything_fits(figure)
    with pytest.raises(ValueError, match=r"the kernel of kernel has shape \(3, 3\)"):
        plot.filters(np.ones((3, 3)))
    dense = tg.layers.Dense(3, name="last")
    dense.build((None, 4))
    with pytest.raises(ValueError, match=r"the kernel of last has shape \(4, 3\)"):
        plot.filters(dense)


def test_feature_maps_of_a_model():
    model = tg.Sequential(
        [
            tg.Input((8, 8, 1)),
            tg.layers.Conv2D(6, 3, activation="relu", name="conv"),
            tg.layers.Flatten(name="flat"),
            tg.layers.Dense(10, activation="tanh", name="out"),
        ]
    )
    image = np.random.default_rng(0).random((1, 8, 8, 1)).astype("float32")
    maps = tg.Model(model.inputs, [layer.output for layer in model.layers])(image)
    names = [layer.name for layer in model.layers]
    figure = plot.feature_maps(maps, names, image=image[0], columns=4)
    assert texts(figure) == ["input", "conv\n6 × 6 × 6", "flat\n216", "out\n10"]
    drawn = figure.axes[0].images
    assert len(drawn) == 1 + 4 + 1 + 1
    np.testing.assert_array_equal(drawn[4].get_array(), maps[0].numpy()[0, :, :, 3])
    np.testing.assert_array_equal(drawn[6].get_array(), maps[2].numpy())
    # What has no negative values is white at zero, what has is white in the middle.
    assert drawn[1].get_clim() == (0.0, pytest.approx(maps[0].numpy().max()))
    low, high = drawn[6].get_clim()
    assert low == -high
    everything_fits(figure)


def test_feature_maps_of_nothing():
    assert plot.feature_maps([np.zeros((2, 2, 1))], ["dead"]).axes[0].images[0].get_clim() == (0, 1)
    with pytest.raises(ValueError, match="there is no map"):
        plot.feature_maps([], [])
    with pytest.raises(ValueError, match="1 names were given; expected 2, one for each map"):
        plot.feature_maps([np.zeros((2, 2, 1))] * 2, ["a"])
    with pytest.raises(ValueError, match=r"output of a has shape \(2, 4, 4, 3\)"):
        plot.feature_maps([np.zeros((2, 4, 4, 3))], ["a"])
