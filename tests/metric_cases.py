"""Metrics with their options that are compared with Keras.

`make_metric_reference.py` runs them with Keras, the tests with tapegrad.
"""

from __future__ import annotations

import numpy as np

BATCHES = (slice(0, 15), slice(15, 32), slice(32, 40))

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
