"""Every loss with its gradient, recorded and in the ordinary way."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jitted import assert_same_bits

import tapegrad as tg
from tapegrad._core.masking import set_mask

_PATH = Path(__file__).parents[1] / "losses" / "test_all_against_keras.py"
_SPEC = importlib.util.spec_from_file_location("all_losses", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
CASES, KINDS = _MODULE.CASES, _MODULE.KINDS


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    path = Path(__file__).parents[1] / "reference" / "loss_reference.npz"
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _data(reference: dict[str, np.ndarray], name: str, kind: str) -> list[np.ndarray] | None:
    """Labels, predictions, weights and mask of a case as far as it has them."""
    _, _, true_name, pred_name = CASES[name]
    if f"{name}/none{kind}" not in reference:
        return None
    arrays = [reference[f"data/{true_name}"], reference[f"data/{pred_name}"]]
    if kind == "/weighted":
        rank = reference[f"{name}/none"].ndim
        arrays.append(reference["data/weights"].reshape((4,) + (1,) * (rank - 1)))
    elif kind in ("/steps", "/masked_weighted"):
        arrays.append(reference["data/step_weights"])
    if "masked" in kind:
        arrays.append(reference["data/mask"])
    return arrays


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(reference: Any, name: str, dtype: str):
    cls, options, _, _ = CASES[name]
    compared = 0
    for kind in KINDS:
        arrays = _data(reference, name, kind)
        if arrays is None:
            continue
        arrays[1] = arrays[1].astype(dtype)
        for reduction in ("sum_over_batch_size", "none", "mean_with_sample_weight"):
            loss = cls(reduction=reduction, **options)

            def value_and_gradient(true: Any, pred: Any, *more: Any) -> Any:
                others = list(more)
                mask = others.pop() if "masked" in kind else None  # noqa: B023
                with tg.Tape() as tape:
                    tape.watch(pred)
                    given = pred * 1.0
                    if mask is not None:
                        set_mask(given, mask)
                    value = loss(true, given, sample_weight=others[0] if others else None)  # noqa: B023
                return value, tape.gradient(value, pred)

            calls = [tuple(arrays), tuple([a[::-1] for a in arrays])]
            assert_same_bits(value_and_gradient, *calls)
            compared += 1
    assert compared
