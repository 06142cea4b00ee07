"""Write what the metrics of Keras 3 return over batches, for the tests to compare with.

Run it with Keras installed, here with PyTorch as its backend::

    KERAS_BACKEND=torch python tests/reference/make_metric_reference.py

It writes `metric_reference.npz` beside itself; the tests read that file and need no Keras.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np
import torch
from keras import metrics as m
from keras.src import backend

HERE = Path(__file__).parent
RESULTS: dict[str, np.ndarray] = {}
BATCHES = (slice(0, 15), slice(15, 32), slice(32, 40))


def keep(name: str, value) -> None:
    """Note a result under a name."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    RESULTS[name] = np.array(value)  # a copy: what Keras returns may change with the next batch


def data() -> dict[str, np.ndarray]:
    """Return labels and predictions of 40 samples."""
    rng = np.random.default_rng(30)
    logits = 1.5 * rng.normal(size=(40, 4))
    chances = rng.random(40)
    labels = rng.integers(0, 4, 40)
    steps = rng.normal(size=(40, 3, 4))
    exponentials = np.exp(logits)
    return {
        "logits": logits,
        "scores": exponentials / exponentials.sum(1, keepdims=True),
        "many_chances": 1 / (1 + np.exp(-logits)),
        "labels": labels,
        "guesses": np.where(rng.random(40) < 0.6, labels, rng.integers(0, 4, 40)),
        "void_labels": np.where(rng.random(40) < 0.2, 255, labels),
        "one_hot": np.eye(4)[labels],
        "many": (rng.random((40, 4)) > 0.6).astype(float),
        "chances": chances,
        "grid": rng.integers(0, 11, 40) / 10,  # exactly on thresholds
        "binary": (rng.random(40) < 0.2 + 0.6 * chances).astype(float),
        "column": chances[:, None],
        "ids": np.argsort(-exponentials, axis=1),
        "targets": rng.normal(size=(40, 3)) + 2,
        "outputs": rng.normal(size=(40, 3)) + 2,
        "positive": rng.exponential(size=(40, 3)),
        "steps": steps,
        "step_labels": rng.integers(0, 4, (40, 3)),
        "step_targets": rng.normal(size=(40, 3, 4)),
        "mask": rng.random((40, 3)) > 0.3,
        "weights": rng.random(40) + 0.2,
        "step_weights": rng.random((40, 3)),
        "label_weights": np.array([0.5, 0.0, 2.0, 1.0]),
    }


# The metric, its arguments, the labels and the predictions.
CASES: dict[str, tuple[str, dict, str, str]] = {
    "binary_accuracy_column": ("BinaryAccuracy", {"threshold": 0.4}, "binary", "column"),
    "top_k_ids": (
        "SparseTopKCategoricalAccuracy",
        {"k": 2, "from_sorted_ids": True},
        "labels",
        "ids",
    ),
    "top_k_steps": ("SparseTopKCategoricalAccuracy", {"k": 2}, "step_labels", "steps"),
    "sparse_accuracy_steps": ("SparseCategoricalAccuracy", {}, "step_labels", "steps"),
    **{
        f"{name}{suffix}": (name, options, "binary", pred)
        for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
        for suffix, options, pred in (
            ("", {}, "chances"),
            ("_several", {"thresholds": [0.7, 0.2, 0.5]}, "chances"),
            ("_even", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, "grid"),
        )
    },
    "precision_even": ("Precision", {"thresholds": list(np.arange(11) / 10)}, "binary", "grid"),
    "recall_uneven": ("Recall", {"thresholds": [0.1, 0.3, 0.6]}, "binary", "grid"),
    "recall_top_k_class": ("Recall", {"top_k": 2, "class_id": 1}, "one_hot", "scores"),
    "precision_many": ("Precision", {}, "many", "many_chances"),
    **{
        f"auc_{curve}_{method}": (
            "AUC",
            {"curve": curve, "summation_method": method, "num_thresholds": 50},
            "binary",
            "chances",
        )
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
    },
    "auc": ("AUC", {}, "binary", "chances"),
    "auc_grid": ("AUC", {"num_thresholds": 11}, "binary", "grid"),
    "auc_column": ("AUC", {"curve": "PR"}, "binary", "column"),
    "auc_thresholds": ("AUC", {"thresholds": [0.8, 0.1, 0.35]}, "binary", "chances"),
    "auc_even_thresholds": ("AUC", {"thresholds": [0.25, 0.5, 0.75]}, "binary", "chances"),
    "auc_logits": ("AUC", {"from_logits": True}, "many", "logits"),
    "auc_flat": ("AUC", {}, "many", "many_chances"),
    "auc_labels": ("AUC", {"multi_label": True}, "many", "many_chances"),
    "auc_labels_pr": (
        "AUC",
        {"multi_label": True, "num_labels": 4, "curve": "PR", "label_weights": [0.5, 0, 2, 1]},
        "many",
        "many_chances",
    ),
    "auc_labels_roc": (
        "AUC",
        {"multi_label": True, "label_weights": [0.5, 0, 2, 1]},
        "many",
        "many_chances",
    ),
    "auc_label_weights": ("AUC", {"label_weights": [0.5, 0, 2, 1]}, "many", "many_chances"),
    "sensitivity": ("SensitivityAtSpecificity", {"specificity": 0.6}, "binary", "chances"),
    "sensitivity_grid": (
        "SensitivityAtSpecificity",
        {"specificity": 0.5, "num_thresholds": 11},
        "binary",
        "grid",
    ),
    "sensitivity_one": (
        "SensitivityAtSpecificity",
        {"specificity": 0.2, "num_thresholds": 1},
        "binary",
        "chances",
    ),
    "specificity": (
        "SpecificityAtSensitivity",
        {"sensitivity": 0.7, "class_id": 2},
        "many",
        "many_chances",
    ),
    "precision_at": ("PrecisionAtRecall", {"recall": 0.6}, "binary", "chances"),
    "recall_at": ("RecallAtPrecision", {"precision": 0.6}, "binary", "chances"),
    "recall_at_nowhere": ("RecallAtPrecision", {"precision": 1.0}, "binary", "grid"),
    "f_beta": ("FBetaScore", {"beta": 0.5, "threshold": 0.4}, "many", "many_chances"),
    "iou": ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, "labels", "guesses"),
    "iou_absent": ("IoU", {"num_classes": 7, "target_class_ids": [1, 6]}, "labels", "guesses"),
    "mean_iou": ("MeanIoU", {"num_classes": 4}, "labels", "guesses"),
    "mean_iou_ignored": ("MeanIoU", {"num_classes": 4, "ignore_class": 2}, "labels", "guesses"),
    "mean_iou_void": ("MeanIoU", {"num_classes": 4, "ignore_class": 255}, "void_labels", "guesses"),
    "mean_iou_scores": (
        "MeanIoU",
        {"num_classes": 4, "sparse_y_pred": False},
        "step_labels",
        "steps",
    ),
    "binary_iou": ("BinaryIoU", {}, "binary", "chances"),
    "binary_iou_grid": (
        "BinaryIoU",
        {"target_class_ids": [1], "threshold": 0.3},
        "binary",
        "grid",
    ),
    "one_hot_iou": (
        "OneHotIoU",
        {"num_classes": 4, "target_class_ids": [1, 3]},
        "one_hot",
        "scores",
    ),
    "one_hot_mean_iou": (
        "OneHotMeanIoU",
        {"num_classes": 4, "sparse_y_pred": True},
        "one_hot",
        "guesses",
    ),
    "mape": ("MeanAbsolutePercentageError", {}, "targets", "outputs"),
    "msle": ("MeanSquaredLogarithmicError", {}, "targets", "outputs"),
    "mse_steps": ("MeanSquaredError", {}, "step_targets", "steps"),
    "rmse_steps": ("RootMeanSquaredError", {}, "step_targets", "steps"),
    "cosine": ("CosineSimilarity", {}, "targets", "outputs"),
    "cosine_axis": ("CosineSimilarity", {"axis": 1}, "step_targets", "steps"),
    "log_cosh": ("LogCoshError", {}, "targets", "outputs"),
    "r2_none": ("R2Score", {"class_aggregation": None}, "targets", "outputs"),
    "r2_weighted": (
        "R2Score",
        {"class_aggregation": "variance_weighted_average"},
        "targets",
        "outputs",
    ),
    "r2_adjusted": ("R2Score", {"num_regressors": 5}, "targets", "outputs"),
    "pearson": ("PearsonCorrelation", {}, "targets", "outputs"),
    "pearson_axis": ("PearsonCorrelation", {"axis": 1}, "step_targets", "steps"),
    "concordance": ("ConcordanceCorrelation", {}, "targets", "outputs"),
    "concordance_axis": ("ConcordanceCorrelation", {"axis": 1}, "step_targets", "steps"),
    "kld": ("KLDivergence", {}, "one_hot", "scores"),
    "poisson": ("Poisson", {}, "positive", "positive"),
    "bce_smooth": (
        "BinaryCrossentropy",
        {"from_logits": True, "label_smoothing": 0.2},
        "many",
        "logits",
    ),
    "cce_smooth": ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "one_hot", "scores"),
    "scce_ignore": (
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "ignore_class": 1},
        "step_labels",
        "steps",
    ),
    "hinge": ("Hinge", {}, "many", "logits"),
    "squared_hinge": ("SquaredHinge", {}, "many", "logits"),
    "categorical_hinge": ("CategoricalHinge", {}, "one_hot", "logits"),
}


def stream(name: str, metric, true, pred, weights=None, mask=None) -> None:
    """Keep what a metric returns after all batches."""
    metric.reset_state()
    for part in BATCHES:
        given = torch.tensor(pred[part])
        if mask is not None:
            backend.set_keras_mask(given, torch.tensor(mask[part]))
        extra = {} if weights is None else {"sample_weight": weights[part].copy()}
        metric.update_state(true[part], given, **extra)
    keep(name, metric.result())


def wrapped_losses(numbers: dict[str, np.ndarray], prefix: str) -> None:
    """Losses taken as metrics."""
    for name in ("huber", "binary_focal_crossentropy", "categorical_focal_crossentropy"):
        metric = m.MeanMetricWrapper(getattr(keras.losses, name))
        true = numbers["targets" if name == "huber" else "one_hot"]
        pred = numbers["outputs" if name == "huber" else "scores"]
        stream(f"{prefix}/wrapped/{name}", metric, true, pred, numbers["weights"])


def means(numbers: dict[str, np.ndarray], prefix: str) -> None:
    """Sums and means of values of one to three axes, with weights of fewer axes."""
    for cls in (m.Mean, m.Sum):
        for value in ("chances", "targets", "steps"):
            for weight in (None, "weights", "step_weights", "number"):
                if weight == "step_weights" and value == "chances":
                    continue
                metric = cls()
                for i, part in enumerate(BATCHES):
                    given = 0.5 + i if weight == "number" else None
                    if weight in numbers:
                        given = numbers[weight][part].copy()
                    metric.update_state(numbers[value][part], sample_weight=given)
                keep(f"{prefix}/{cls.__name__}/{value}/{weight}", metric.result())


def main() -> None:
    """Write the file."""
    warnings.simplefilter("ignore")
    for name, array in data().items():
        keep(f"data/{name}", array)
    for dtype in ("float64", "float32"):
        keras.backend.set_floatx(dtype)
        numbers = {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in data().items()}
        for name, (cls, options, true_name, pred_name) in CASES.items():
            kwargs = {"dtype": dtype} if "IoU" in cls else {}
            true, pred = numbers[true_name], numbers[pred_name]
            metric = getattr(m, cls)(**options, **kwargs)
            stream(f"{dtype}/{name}/plain", metric, true, pred)
            steps = true_name.startswith("step") and "axis" not in name
            weights = numbers["step_weights" if steps else "weights"]
            if "IoU" in cls and not steps and true.ndim > 1:
                weights = numbers["weights"]
            stream(f"{dtype}/{name}/weighted", metric, true, pred, weights)
            if steps and "iou" not in name and "rmse" not in name:
                mask = numbers["mask"]
                stream(f"{dtype}/{name}/masked", metric, true, pred, None, mask)
                stream(f"{dtype}/{name}/masked_weighted", metric, true, pred, weights, mask)
        wrapped_losses(numbers, dtype)
        means(numbers, dtype)
    np.savez_compressed(HERE / "metric_reference.npz", **RESULTS)
    print(len(RESULTS), "results")


if __name__ == "__main__":
    main()
