"""What every metric must do beyond Keras's values: states, names, descriptions, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import losses
from tapegrad import metrics as m
from tapegrad._core.masking import set_mask

RNG = np.random.default_rng(4)
CHANCES = RNG.random((12, 3))
ONE_HOT = np.eye(3)[RNG.integers(0, 3, 12)]
LABELS = ONE_HOT.argmax(1)

# Each class with what it needs, and the labels that it takes with CHANCES.
MAKE = {
    "Mean": (lambda: m.Mean(), None),
    "Sum": (lambda: m.Sum(), None),
    "MeanMetricWrapper": (lambda: m.MeanMetricWrapper(losses.huber, delta=0.2), ONE_HOT),
    "SparseCategoricalAccuracy": (lambda: m.SparseCategoricalAccuracy(), LABELS),
    "SparseTopKCategoricalAccuracy": (lambda: m.SparseTopKCategoricalAccuracy(k=2), LABELS),
    "TopKCategoricalAccuracy": (lambda: m.TopKCategoricalAccuracy(k=2), ONE_HOT),
    "SparseCategoricalCrossentropy": (lambda: m.SparseCategoricalCrossentropy(), LABELS),
    "SensitivityAtSpecificity": (lambda: m.SensitivityAtSpecificity(0.5), ONE_HOT),
    "SpecificityAtSensitivity": (lambda: m.SpecificityAtSensitivity(0.5), ONE_HOT),
    "PrecisionAtRecall": (lambda: m.PrecisionAtRecall(0.5), ONE_HOT),
    "RecallAtPrecision": (lambda: m.RecallAtPrecision(0.5), ONE_HOT),
    "AUC": (lambda: m.AUC(multi_label=True, label_weights=[1.0, 2.0, 3.0]), ONE_HOT),
    "Precision": (lambda: m.Precision(average="macro"), ONE_HOT),
    "IoU": (lambda: m.IoU(3, [0, 1], sparse_y_pred=False), LABELS),
    "MeanIoU": (lambda: m.MeanIoU(3, sparse_y_pred=False), LABELS),
    "OneHotIoU": (lambda: m.OneHotIoU(3, [0, 1]), ONE_HOT),
    "OneHotMeanIoU": (lambda: m.OneHotMeanIoU(3), ONE_HOT),
    "ConfusionMatrix": (lambda: m.ConfusionMatrix(3), LABELS),
}
CLASSES = [
    x for x in vars(m).values() if isinstance(x, type) and issubclass(x, m.Metric) and x != m.Metric
]


def make(cls):
    return MAKE.get(cls.__name__, (cls, ONE_HOT))[0]()


def update(metric, part=slice(None)):
    true = MAKE.get(type(metric).__name__, (None, ONE_HOT))[1]
    if true is None:
        metric.update_state(CHANCES[part])
    else:
        metric.update_state(true[part], CHANCES[part])


@pytest.mark.parametrize("cls", CLASSES)
def test_a_restored_state_goes_on_bit_by_bit(cls):
    whole, first = make(cls), make(cls)
    for metric in (whole, first):
        update(metric, slice(0, 5))
        update(metric, slice(5, 7))
    state = first.get_state()
    assert state
    resumed = make(cls)  # has seen no batch yet
    resumed.set_state(state)
    for metric in (whole, resumed):
        update(metric, slice(7, 12))
    np.testing.assert_array_equal(resumed.result().numpy(), whole.result().numpy())
    first.set_state({name: array * 0 for name, array in state.items()})
    whole.reset_state()
    np.testing.assert_array_equal(first.result().numpy(), whole.result().numpy())
    with pytest.raises(ValueError, match="saved state has no"):
        resumed.set_state({})


@pytest.mark.parametrize("cls", CLASSES)
def test_descriptions_make_equal_metrics(cls):
    metric = make(cls)
    again = m.deserialize(m.serialize(metric))
    assert type(again) is cls
    assert again.get_config() == metric.get_config()
    assert again.name == metric.name
    update(metric)
    for other in (again, m.get(m.serialize(metric))):
        update(other)
        np.testing.assert_array_equal(other.result().numpy(), metric.result().numpy())


@pytest.mark.parametrize("cls", CLASSES)
def test_tensors_and_arrays_and_single_precision(cls):
    true = MAKE.get(cls.__name__, (None, ONE_HOT))[1]
    results = []
    for convert in (np.asarray, tg.tensor, lambda x: x.tolist()):
        metric = make(cls)
        arguments = [CHANCES] if true is None else [true, CHANCES]
        metric.update_state(*[convert(x) for x in arguments])
        results.append(metric.result())
        assert results[-1].dtype == "float64"
    np.testing.assert_array_equal(results[0].numpy(), results[1].numpy())
    np.testing.assert_allclose(results[0].numpy(), results[2].numpy(), rtol=1e-5)


def test_results_of_another_dtype():
    metric = m.MeanSquaredError(dtype="float32")
    update(metric)
    assert metric.result().dtype == "float32"
    assert m.MeanIoU(3, dtype="int").result().dtype == "float64"


KERAS_NAMES = [
    "AUC", "Accuracy", "BCE", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU",
    "CategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation",
    "CosineSimilarity", "F1Score", "FBetaScore", "FalseNegatives", "FalsePositives", "Hinge",
    "KLDivergence", "LogCoshError", "MAE", "MAPE", "MSE", "MSLE", "Mean", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError",
    "PearsonCorrelation", "Poisson", "Precision", "R2Score", "Recall", "RootMeanSquaredError",
    "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy",
    "SquaredHinge", "Sum", "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "accuracy",
    "auc", "bce", "binary_accuracy", "binary_crossentropy", "binary_io_u", "categorical_accuracy",
    "categorical_crossentropy", "categorical_hinge", "concordance_correlation",
    "cosine_similarity", "f1_score", "f_beta_score", "false_negatives", "false_positives", "hinge",
    "kl_divergence", "log_cosh_error", "mae", "mape", "mean", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "mse", "msle", "pearson_correlation", "poisson", "precision", "r2_score", "recall",
    "root_mean_squared_error", "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "sum", "top_k_categorical_accuracy",
    "true_negatives", "true_positives",
]  # fmt: skip


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_every_name_of_keras(name):
    assert isinstance(m.get(name), m.Metric)


def test_names_that_keras_has_for_those_that_need_arguments():
    for name in ("MeanIoU", "mean_io_u", "sensitivity_at_specificity", "one_hot_mean_io_u"):
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            m.get(name)
    with pytest.raises(ValueError, match='Did you mean "auc"'):
        m.get("aucc")


def test_names_of_losses_that_no_metric_has():
    metric = m.get("binary_focal_crossentropy")
    assert (metric.name, metric.direction) == ("binary_focal_crossentropy", "down")
    assert type(m.get("kld")) is m.KLDivergence
    assert type(m.get("cosine_similarity")) is m.CosineSimilarity  # more is better
    assert float(m.get(losses.Huber(0.5, reduction="sum"))([[0.0]], [[2.0]])) == 0.875


@pytest.mark.parametrize("cls", [m.MeanSquaredError, m.LogCoshError, m.BinaryCrossentropy, m.Hinge])
def test_vectors_stream_by_sample_not_by_batch(cls):
    true, pred = np.array([0.0, 1.0, 1.0]), np.array([0.3, 0.6, 0.1])
    whole, parts = cls(), cls()
    whole.update_state(true, pred)
    for part in (slice(0, 1), slice(1, 3)):
        parts.update_state(true[part], pred[part])
    assert float(parts.result()) == pytest.approx(float(whole.result()))


def test_a_label_a_time_step_under_a_mask():
    true, pred = np.zeros((2, 3)), np.arange(6.0).reshape(2, 3, 1)
    mask = np.array([[True, False, False], [True, True, False]])
    for metric in (m.MeanSquaredError(), m.get("huber"), m.MeanAbsoluteError()):
        metric.update_state(true, set_mask(tg.tensor(pred), mask))
        errors = np.array([0.0, 3.0, 4.0])
        expected = {"huber": errors - 0.5, "mean_squared_error": errors**2}
        values = expected.get(metric.name, errors) * (errors > 0)
        assert float(metric.result()) == pytest.approx(values.mean())
    weighted = m.MeanSquaredError()
    weighted.update_state(true, set_mask(tg.tensor(pred), mask), sample_weight=[1.0, 0.5])
    # Keras's way: the means over time of values and of weights, added up over samples.
    assert float(weighted.result()) == pytest.approx((0.5 * 9 + 0.5 * 16) / (1 + 0.5 + 0.5))


def test_whole_numbers_and_booleans_as_predictions():
    for kind in (np.uint8, np.int64, bool):
        metric = m.MeanSquaredError()
        metric.update_state(np.array([0, 1], kind), np.array([1, 0], kind))
        assert float(metric.result()) == 1.0
        chosen = m.Precision()
        chosen.update_state(np.array([0, 1], kind), np.array([1, 1], kind))
        assert float(chosen.result()) == 0.5


def test_predictions_that_are_not_numbers_are_never_positive():
    for metric in (m.TruePositives(), m.TruePositives(thresholds=[0.0, 0.3, 0.9]), m.AUC()):
        metric.update_state([1, 1], [np.nan, 0.5])
        assert np.isfinite(metric.result().numpy()).all()
    assert float(m.TruePositives()([1, 1], [np.nan, 0.6])) == 1.0


def test_inner_metrics_are_kept_and_reset():
    class Both(m.Metric):
        def __init__(self):
            super().__init__(name="both")
            self.mean = m.Mean()
            self.seen = self.add_weight(name="seen")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.mean.update_state(y_pred)
            self.seen.assign(self.seen + 1.0)

        def result(self):
            return self.mean.result() + self.seen.value

    metric, other = Both(), Both()
    metric.update_state(None, [1.0, 3.0])
    other.set_state(metric.get_state())
    assert float(other.result()) == 3.0
    assert len(metric.variables) == 1
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_thresholds_may_come_in_any_order():
    several = m.TruePositives(thresholds=[0.9, 0.1, 0.5])
    several.update_state(ONE_HOT, CHANCES)
    single = []
    for threshold in (0.9, 0.1, 0.5):
        metric = m.TruePositives(threshold)
        metric.update_state(ONE_HOT, CHANCES)
        single.append(float(metric.result()))
    assert several.result().tolist() == single
    assert several.thresholds == [0.9, 0.1, 0.5]


@pytest.mark.parametrize(
    ("metric", "true", "pred"),
    [
        (m.AUC(), (12,), (12, 3)),
        (m.AUC(multi_label=True), (12,), (12,)),
        (m.AUC(multi_label=True, num_labels=4), (12, 3), (12, 3)),
        (m.TruePositives(), (12, 1), (12, 3)),
        (m.Precision(class_id=3), (12, 3), (12, 3)),
        (m.Recall(class_id=0), (12,), (12,)),
        (m.SensitivityAtSpecificity(0.5), (12,), (12, 3)),
        (m.MeanIoU(3), (12,), (12, 3)),
        (m.TopKCategoricalAccuracy(), (12,), (12, 3)),
        (m.SparseCategoricalAccuracy(), (12, 3), (12, 3)),
        (m.CategoricalAccuracy(), (12,), (12, 3)),
        (m.R2Score(), (12, 3, 2), (12, 3, 2)),
        (m.PearsonCorrelation(), (12, 2), (12, 3)),
        (m.CosineSimilarity(), (12, 1), (12, 3)),
        (m.LogCoshError(), (12,), (12, 3)),
    ],
)
def test_labels_that_do_not_fit_are_refused(metric, true, pred):
    with pytest.raises(ValueError, match=r"shape") as error:
        metric.update_state(np.zeros(true), np.full(pred, 0.5))
    assert str(pred) in str(error.value)


@pytest.mark.parametrize(
    "metric", [m.AUC(), m.Precision(), m.MeanIoU(3), m.R2Score(), m.MeanSquaredError()]
)
def test_weights_that_do_not_fit_are_refused(metric):
    with pytest.raises(ValueError, match=r"sample_weight .*\(5,\)"):
        metric.update_state(np.zeros(12), np.zeros(12, dtype=np.int64), sample_weight=np.ones(5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: m.AUC(curve="ROCK"), "Known: PR, PRGAIN, ROC"),
        (lambda: m.AUC(summation_method="minor"), 'Did you mean "minoring"'),
        (lambda: m.AUC(num_thresholds=1), "num_thresholds must be more than 1"),
        (lambda: m.AUC(thresholds=[0.5, 2.0]), r"thresholds must lie in \[0, 1\]"),
        (lambda: m.AUC(num_labels=3), "multi_label=True"),
        (lambda: m.FalsePositives([0.5, -1.0]), r"thresholds must lie in \[0, 1\]"),
        (lambda: m.PrecisionAtRecall(1.2), r"recall must lie in \[0, 1\]"),
        (lambda: m.RecallAtPrecision(0.5, num_thresholds=0), "num_thresholds must be positive"),
        (lambda: m.IoU(3, [3]), "target class 3 lies outside 0 to 2"),
        (lambda: m.R2Score("uniform"), 'Did you mean "uniform_average"'),
        (lambda: m.R2Score(num_regressors=-1), "must not be negative"),
    ],
)
def test_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_class_numbers_for_decisions_name_the_way_out():
    for metric in (m.Precision(), m.AUC(), m.FalseNegatives()):
        with pytest.raises(ValueError, match="to_categorical"):
            metric.update_state(LABELS, CHANCES)


def test_top_k_names_a_class_out_of_range():
    with pytest.raises(ValueError, match="label 3 in y_true"):
        m.SparseTopKCategoricalAccuracy(k=1)([3], [[0.1, 0.2, 0.7]])


def test_too_few_labels_for_an_adjusted_score():
    metric = m.R2Score(num_regressors=5)
    metric.update_state([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    with pytest.warns(UserWarning, match="more than 6 labels"):
        assert float(metric.result()) == pytest.approx(0.5)


def test_no_batch_yet():
    for cls in CLASSES:
        assert np.isfinite(make(cls).result().numpy()).all()
