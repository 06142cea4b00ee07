"""Codes of samples as points in a plane."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import plot


def points(figure):
    offsets = [np.asarray(part.get_offsets()) for part in figure.axes[0].collections]
    return np.concatenate(offsets)


def test_two_numbers_are_drawn_as_they_are():
    codes = np.random.default_rng(0).normal(size=(30, 2))
    labels = np.arange(30) % 3
    figure = plot.latent_space(codes, labels, class_names=["a", "b", "c"])
    np.testing.assert_array_equal(points(figure), codes[np.argsort(labels, kind="stable")])
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["a", "b", "c"]
    np.testing.assert_allclose(texts[1].get_position(), np.median(codes[labels == 1], axis=0))
    colours = [tuple(part.get_facecolor()[0]) for part in figure.axes[0].collections]
    assert len(set(colours)) == 3
    np.testing.assert_array_equal(points(plot.latent_space(codes)), codes)


def test_more_numbers_are_projected():
    # A long and a short axis of an ellipse in four dimensions, and a shift that plays no part.
    generator = np.random.default_rng(0)
    plane = np.linalg.qr(generator.normal(size=(4, 2)))[0].T
    flat = generator.normal(size=(200, 2)) * [3.0, 1.0]
    flat -= flat.mean(axis=0)
    figure = plot.latent_space(flat @ plane + 5.0)
    drawn = points(figure)
    np.testing.assert_allclose(drawn.T @ drawn / 200, np.diag(drawn.var(axis=0)), atol=1e-9)
    np.testing.assert_allclose(drawn.var(axis=0).sum(), flat.var(axis=0).sum())
    share = drawn.var(axis=0)[0] / flat.var(axis=0).sum()
    assert figure.axes[0].get_xlabel() == f"first principal component ({share:.0%} of the variance)"


@pytest.mark.parametrize("classes", [1, 10, 20, 50])
def test_colours_differ(classes):
    codes = np.random.default_rng(0).normal(size=(classes, 2))
    figure = plot.latent_space(codes, range(classes))
    colours = {tuple(part.get_facecolor()[0]) for part in figure.axes[0].collections}
    assert len(colours) == classes
    assert [text.get_text() for text in figure.axes[0].texts] == [str(i) for i in range(classes)]


def test_what_is_no_latent_space():
    for shape in [(5,), (5, 1), (0, 2)]:
        with pytest.raises(ValueError, match="expected \\(samples, numbers\\)"):
            plot.latent_space(np.zeros(shape))
    with pytest.raises(ValueError, match=r"labels have shape \(3,\); expected \(4,\)"):
        plot.latent_space(np.zeros((4, 2)), [0, 1, 2])
    with pytest.raises(ValueError, match="labels go from 0 to 2, for 2 class names"):
        plot.latent_space(np.zeros((3, 2)), [0, 1, 2], class_names=["a", "b"])
    plot.latent_space(np.zeros((1, 3)), [0])  # one sample spans no plane
