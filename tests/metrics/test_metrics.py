"""Precision, recall and F1 over classes, the report, states and errors."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad import metrics as m


@pytest.fixture
def data(keras_reference):
    return keras_reference["rates/labels"], keras_reference["rates/scores"]


RATES = {"precision": m.Precision, "recall": m.Recall, "f1": m.F1Score}


@pytest.mark.parametrize("average", ["micro", "macro", "weighted", None])
@pytest.mark.parametrize("one_hot", [False, True], ids=["numbers", "one_hot"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", RATES)
def test_rates_over_classes_of_scikit_learn(
    data, keras_reference, name, weighted, one_hot, average
):
    labels, scores = data
    given = np.eye(5)[labels] if one_hot else labels
    weights = keras_reference["rates/weights"]
    metric = RATES[name](average=average)
    for part in (slice(0, 50), slice(50, 90)):
        extra = {"sample_weight": weights[part]} if weighted else {}
        metric.update_state(given[part], scores[part], **extra)
    key = f"rates/{name}/{average}/{'weighted' if weighted else 'plain'}"
    np.testing.assert_allclose(metric.result().numpy(), keras_reference[key], rtol=1e-12)


def test_rates_are_not_means_of_batches():
    metric = m.Precision()
    metric.update_state([1, 0, 0, 0], [1, 1, 1, 1])  # 1 of 4
    metric.update_state([1], [1])  # 1 of 1
    assert float(metric.result()) == pytest.approx(2 / 5)


def test_confusion_matrix(data, keras_reference):
    labels, scores = data
    expected = keras_reference["rates/confusion_matrix"]
    np.testing.assert_array_equal(m.confusion_matrix(labels, scores), expected)
    np.testing.assert_array_equal(m.confusion_matrix(labels, scores.argmax(1)), expected)
    metric = m.ConfusionMatrix(5)
    for part in (slice(0, 50), slice(50, 90)):
        metric.update_state(labels[part], scores[part])
    np.testing.assert_array_equal(metric.result().numpy(), expected)
    with pytest.raises(ValueError, match="class 4 lies outside 0 to 2"):
        m.confusion_matrix([0, 4], [0, 1], num_classes=3)


def test_classification_report(data, keras_reference):
    labels, scores = data
    report = m.classification_report(labels, scores, class_names=list("abcde"))
    for name in RATES:
        for average in ("micro", "macro", "weighted"):
            expected = keras_reference[f"rates/{name}/{average}/plain"]
            assert report[f"{name}_{average}"] == pytest.approx(float(expected))
        by_class = [report["classes"][letter][name] for letter in "abcde"]
        np.testing.assert_allclose(by_class, keras_reference[f"rates/{name}/None/plain"])
    support = [report["classes"][letter]["support"] for letter in "abcde"]
    assert support == np.bincount(labels, minlength=5).tolist()
    assert report["accuracy"] == pytest.approx(np.mean(labels == scores.argmax(1)))
    assert report["confusion_matrix"] == keras_reference["rates/confusion_matrix"].tolist()


def test_regression_report(keras_reference):
    report = m.regression_report(
        keras_reference["rates/true"], keras_reference["rates/pred"][:, None]
    )
    for name in ("r2", "rmse", "mae"):
        assert report[name] == pytest.approx(float(keras_reference[f"rates/{name}"]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_prediction_at_a_threshold_does_not_exceed_it(dtype):
    # 0.07 * 100 is 7.000000000000001 in double precision.
    metric = m.TruePositives(thresholds=[i / 100 for i in range(101)])
    metric.update_state([1.0], np.array([0.07], dtype=dtype))
    np.testing.assert_array_equal(metric.result(), [1.0] * 7 + [0.0] * 94)


def test_r2_of_labels_that_never_vary_is_0():
    metric = m.R2Score()
    rng = np.random.default_rng(2)
    for size in (3, 7, 1):
        weights = rng.random(size)
        metric.update_state(np.full((size, 1), 0.1), rng.random((size, 1)), weights)
        assert float(metric.result()) == 0.0


def test_r2_far_from_zero_keeps_its_digits():
    rng = np.random.default_rng(0)
    true = 1e8 + rng.normal(size=(60, 1))
    pred = true + 0.5 * rng.normal(size=(60, 1))
    metric = m.R2Score()
    for start in range(0, 60, 7):
        metric.update_state(true[start : start + 7], pred[start : start + 7])
    near = true - 1e8
    expected = 1 - ((true - pred) ** 2).sum() / ((near - near.mean()) ** 2).sum()
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_state_can_be_saved_and_taken_up(data):
    labels, scores = data
    for make in (
        lambda: m.SparseCategoricalAccuracy(),
        lambda: m.Recall(average="macro", num_classes=5),
        lambda: m.ConfusionMatrix(5),
    ):
        whole, half, resumed = make(), make(), make()
        whole.update_state(labels, scores)
        half.update_state(labels[:40], scores[:40])
        resumed.set_state(half.get_state())
        resumed.update_state(labels[40:], scores[40:])
        np.testing.assert_array_equal(resumed.result().numpy(), whole.result().numpy())


def test_metrics_written_for_keras_work():
    class Hits(m.Metric):
        def __init__(self):
            super().__init__(name="hits")
            self.hits = self.add_variable(shape=(), initializer="zeros", name="hits")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.hits.assign(self.hits + np.sum(np.asarray(y_true) == np.asarray(y_pred)))

        def result(self):
            return self.hits

    metric = Hits()
    assert float(metric([1, 2], [1, 3])) == 1.0
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_mean_before_the_first_batch_is_zero():
    for metric in (m.Mean(), m.Precision(), m.F1Score(), m.R2Score(), m.Recall(average="macro")):
        assert float(metric.result()) == 0.0


@pytest.mark.parametrize(
    ("metric", "true", "pred"),
    [
        (m.MeanSquaredError(), (3,), (4,)),
        (m.BinaryAccuracy(), (3,), (3, 2)),
        (m.SparseCategoricalAccuracy(), (3, 2), (3, 5)),
        (m.CategoricalAccuracy(), (3,), (3, 5)),
        (m.Precision(), (3,), (4,)),
        (m.Precision(average="macro"), (4,), (3, 5)),
        (m.F1Score(), (4,), (3, 5)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(metric, true, pred):
    with pytest.raises(ValueError, match="shape") as error:
        metric.update_state(np.zeros(true), np.ones(pred))
    assert str(pred) in str(error.value)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match='Did you mean "macro"'):
        m.Precision(average="makro")
    with pytest.raises(ValueError, match=r"thresholds must lie in \[0, 1\]"):
        m.Recall(thresholds=1.5)
    with pytest.raises(ValueError, match="beta must be positive"):
        m.FBetaScore(beta=0.0)
    with pytest.raises(ValueError, match='Did you mean "precision"'):
        m.get("precison")
    with pytest.raises(TypeError, match="A metric is"):
        m.get(3.0)
