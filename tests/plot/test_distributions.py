"""Histograms of features in two sets of samples."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import plot


def test_a_panel_a_feature_with_both_sets(tmp_path):
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(90, 3)), generator.normal(5.0, size=(40, 3))
    figure = plot.distributions(first, second, names=["a", "b", "a very long name of a column"])
    drawn = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlabel() for axes in drawn] == ["a", "b", "a very long name of a c…"]
    assert len(drawn[0].patches) == 2
    # What lies beyond the first set is counted, in its outermost bin.
    edges = drawn[0].patches[1].get_path().vertices[:, 0]
    assert edges.max() == pytest.approx(first[:, 0].max())
    plot.save(figure, tmp_path / "a.png")


def test_many_features_are_cut_and_constant_ones_drawn():
    figure = plot.distributions(np.ones((5, 40)), np.ones((2, 40)), most=6)
    assert len([axes for axes in figure.axes if axes.axison]) == 6
    assert "(6 of 40)" in figure.get_suptitle()


@pytest.mark.parametrize(
    ("first", "second", "names", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 1)), None, r"shapes \(3, 2\) and \(3, 1\)"),
        (np.ones(3), np.ones(3), None, "expected"),
        (np.ones((0, 2)), np.ones((3, 2)), None, "expected"),
        (np.ones((3, 2)), np.ones((3, 2)), ["a"], "1 names were given for 2 features"),
    ],
)
def test_refused(first, second, names, message):
    with pytest.raises(ValueError, match=message):
        plot.distributions(first, second, names=names)
