"""Devices that exist, and those that do not."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg


def test_the_cpu_is_always_there():
    assert tg.devices()[0] == "cpu"
    with tg.device("cpu"):
        assert tg.tensor([1.0]).device == "cpu"


def test_unknown_devices_are_refused():
    with pytest.raises(ValueError, match="'tpu'"), tg.device("tpu"):
        pass


def test_a_device_that_is_missing_says_what_to_install():
    if "cuda" in tg.devices():
        with tg.device("cuda"):
            assert tg.tensor([1.0]).device == "cuda"
    else:
        with pytest.raises(RuntimeError), tg.device("cuda"):
            pass
        with pytest.raises(RuntimeError):
            tg.tensor([1.0]).to("cuda")
    assert tg.tensor([1.0]).device == "cpu"


def test_copies_between_devices_pass_gradients():
    from tapegrad._core.builtin import copy_to

    x = tg.tensor([1.0, 2.0])
    with tg.Tape() as tape:
        tape.watch(x)
        y = copy_to(x, device="cpu") * 3.0
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), [3.0, 3.0])


def test_an_operation_that_a_device_lacks_is_refused_by_name():
    from tapegrad._core.primitive import Primitive

    with pytest.raises(NotImplementedError, match=r"no_such_operation.*'cpu'"):
        Primitive("no_such_operation")(tg.tensor([1.0]))
