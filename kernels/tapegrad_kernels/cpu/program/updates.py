"""Optimizer updates, elementwise over flat buffers, and what counts and gathers around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad_kernels._compile import Block, block, on_warmup
from tapegrad_kernels._compile.launch import chunk_block, parallel_launcher
from tapegrad_kernels._compile.pointers import int64_at
from tapegrad_kernels._scalar import update_numbers
from tapegrad_kernels._scalar.update_numbers import Formula
from tapegrad_kernels.cpu._memory import copy_bytes
from tapegrad_kernels.cpu.optimizers._elementwise import ARRAYS, BLOCKS, CHUNK
from tapegrad_kernels.cpu.optimizers._settings import KINDS, SETTINGS, apply_update
from tapegrad_kernels.cpu.optimizers.counters import schedule_block
from tapegrad_kernels.cpu.program.builder import Builder, cut
from tapegrad_kernels.cpu.program.lowering import NotNative, lowers
from tapegrad_kernels.cpu.program.operand import Operand

REALS = (np.dtype(np.float32), np.dtype(np.float64))


def checked_buffers(*buffers: Operand) -> tuple[Operand, ...]:
    """The buffers, if they are what updates take; else the kernel says what is wrong."""
    first = buffers[0]
    for buffer in buffers:
        if not isinstance(buffer, Operand) or buffer.dtype not in REALS:
            raise NotNative("an update of buffers that are not real")
        if buffer.dtype != first.dtype or buffer.shape != first.shape or buffer.ndim != 1:
            raise NotNative("an update of buffers that differ")
        if not buffer.is_contiguous:
            raise NotNative("an update of buffers with gaps")
    return buffers


def setting_words(b: Builder, settings: Sequence[Any]) -> tuple[int, list[Any]]:
    """How the settings are read, and the words that stand for them in a record."""
    kinds, words = 0, []
    for position, setting in enumerate(settings):
        if isinstance(setting, Operand):
            if setting.size != 1:
                raise NotNative("a setting of several numbers")
            if setting.dtype not in KINDS:
                setting = b.contiguous(setting, np.float64)
            kinds |= KINDS[setting.dtype] << 2 * position
            words.append(setting)
        else:
            words.append(float(setting))
    return kinds, words + [0.0] * (SETTINGS - len(words))


def constant_setting(name: str, setting: Any) -> float:
    """A setting that chooses between formulas, and so must be a number."""
    if isinstance(setting, Operand):
        raise NotNative(f"{name} that is read when the update runs")
    return float(setting)


def lower_numbered(
    b: Builder,
    name: str,
    update: Block,
    formula: Formula,
    settings: Sequence[Any],
    arrays: Sequence[Any],
    count: int,
    chunk: int,
    launcher: Block | None = None,
) -> None:
    """A row that computes the numbers of an update and runs its block; see `apply_update`."""
    kinds, words = setting_words(b, settings)
    addresses = update.address, chunk_block.address, (launcher or parallel_launcher).address
    b.call(
        apply_update,
        formula.number, kinds, b.status, *addresses, count, chunk, len(arrays), *words,
        *arrays, *(0.0,) * SETTINGS,
    )  # fmt: skip
    b.rows[-1] = b.rows[-1]._replace(name=name)


def lower_update(
    b: Builder, name: str, arrays: Sequence[Operand], formula: Formula, settings: Sequence[Any]
) -> None:
    """The row of an elementwise update, the same that `optimizers._elementwise.update` runs."""
    first, *_ = checked_buffers(*arrays)
    padded = [*arrays, *[first] * (ARRAYS - len(arrays))]
    update = BLOCKS[name, first.dtype]
    launcher, chunk = cut(first.size, CHUNK)
    lower_numbered(
        b, f"{name}_update", update, formula, settings, padded, first.size, chunk, launcher
    )


@lowers("sgd_update")
def _lower_sgd(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    velocity: Operand | None,
    learning_rate: Any,
    momentum: Any = 0.0,
    nesterov: bool = False,
    weight_decay: Any = 0.0,
) -> None:
    if velocity is None:
        if constant_setting("momentum", momentum) != 0.0:
            raise NotNative("momentum without a velocity")
        settings = learning_rate, weight_decay
        lower_update(b, "sgd", (parameters, gradients), update_numbers.sgd, settings)
        return
    name, settings = "nesterov" if nesterov else "momentum", (learning_rate, momentum, weight_decay)
    lower_update(b, name, (parameters, gradients, velocity), update_numbers.momentum, settings)


@lowers("lion_update")
def _lower_lion(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    momentum: Operand,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    weight_decay: Any = 0.0,
) -> None:
    settings = learning_rate, beta_1, beta_2, weight_decay
    lower_update(b, "lion", (parameters, gradients, momentum), update_numbers.lion, settings)


@lowers("adagrad_update")
def _lower_adagrad(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    accumulator: Operand,
    learning_rate: Any,
    epsilon: Any,
    weight_decay: Any = 0.0,
) -> None:
    arrays, settings = (parameters, gradients, accumulator), (learning_rate, epsilon, weight_decay)
    lower_update(b, "adagrad", arrays, update_numbers.adagrad, settings)


@lowers("adadelta_update")
def _lower_adadelta(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    squared_gradients: Operand,
    squared_steps: Operand,
    learning_rate: Any,
    rho: Any,
    epsilon: Any,
    weight_decay: Any = 0.0,
) -> None:
    arrays = parameters, gradients, squared_gradients, squared_steps
    settings = learning_rate, rho, epsilon, weight_decay
    lower_update(b, "adadelta", arrays, update_numbers.adadelta, settings)


@lowers("rmsprop_update")
def _lower_rmsprop(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    velocity: Operand,
    momentum: Operand | None,
    average_gradient: Operand | None,
    learning_rate: Any,
    rho: Any,
    epsilon: Any,
    momentum_rate: Any = 0.0,
    weight_decay: Any = 0.0,
) -> None:
    name, arrays = "rmsprop", [parameters, gradients, velocity]
    if average_gradient is not None:
        name += "_centered"
    if momentum is not None:
        name += "_momentum"
        arrays.append(momentum)
    elif constant_setting("momentum_rate", momentum_rate) != 0.0:
        raise NotNative("momentum_rate without an array for it")
    if average_gradient is not None:
        arrays.append(average_gradient)
    settings = learning_rate, rho, epsilon, momentum_rate, weight_decay
    lower_update(b, name, arrays, update_numbers.rmsprop, settings)


@lowers("ftrl_update")
def _lower_ftrl(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    accumulator: Operand,
    linear: Operand,
    learning_rate: Any,
    learning_rate_power: Any = -0.5,
    l1: Any = 0.0,
    l2: Any = 0.0,
    l2_shrinkage: Any = 0.0,
    beta: Any = 0.0,
    weight_decay: Any = 0.0,
) -> None:
    power = constant_setting("learning_rate_power", learning_rate_power)
    arrays = parameters, gradients, accumulator, linear
    settings = learning_rate, power, l1, l2, l2_shrinkage, beta, weight_decay
    name = "ftrl" if power == -0.5 else "ftrl_power"
    lower_update(b, name, arrays, update_numbers.ftrl, settings)


@lowers("adam_update")
def _lower_adam(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    momentum: Operand,
    velocity: Operand,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    step: Any,
    largest_velocity: Operand | None = None,
    weight_decay: Any = 0.0,
) -> None:
    name, arrays = "adam", [parameters, gradients, momentum, velocity]
    if largest_velocity is not None:
        name = "amsgrad"
        arrays.append(largest_velocity)
    settings = learning_rate, beta_1, beta_2, epsilon, step, weight_decay
    lower_update(b, name, arrays, update_numbers.adam, settings)


@lowers("nadam_update")
def _lower_nadam(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    momentum: Operand,
    velocity: Operand,
    *settings: Any,
    weight_decay: Any = 0.0,
) -> None:
    if len(settings) == 5:
        settings = (*settings, weight_decay)
    arrays = parameters, gradients, momentum, velocity
    lower_update(b, "nadam", arrays, update_numbers.nadam, settings)


@lowers("adamax_update")
def _lower_adamax(
    b: Builder,
    out: None,
    parameters: Operand,
    gradients: Operand,
    momentum: Operand,
    norm: Operand,
    *settings: Any,
    weight_decay: Any = 0.0,
) -> None:
    if len(settings) == 5:
        settings = (*settings, weight_decay)
    arrays = parameters, gradients, momentum, norm
    lower_update(b, "adamax", arrays, update_numbers.adamax, settings)


@lowers("clip_by_value_update")
def _lower_clip_by_value(b: Builder, out: None, gradients: Operand, low: Any, high: Any) -> None:
    lower_update(b, "limit", (gradients, gradients), update_numbers.limit, (low, high))


@lowers("ema_update")
def _lower_ema(
    b: Builder, out: None, average: Operand, parameters: Operand, momentum: Any, step: Any
) -> None:
    lower_update(b, "ema", (average, parameters), update_numbers.ema, (momentum, step))


# ---- around an update --------------------------------------------------------------------


@lowers("gather_flat")
def _lower_gather(
    b: Builder, out: None, buffer: Operand, *arrays: Operand, offsets: Sequence[int]
) -> None:
    if buffer.ndim != 1 or not buffer.is_contiguous or len(arrays) != len(offsets):
        raise NotNative("gather_flat into something else than a vector")
    for array, offset in zip(arrays, offsets):
        if not 0 <= offset <= buffer.size - array.size:
            raise NotNative("gather_flat beyond the buffer")
        b.copy(array, buffer.view(array.shape, offset=offset * buffer.itemsize))


@block("count")
def count_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Set a counter to the whole quotient of another one and a number, plus 1."""
    packed = int64_at(record)
    int64_at(packed[0])[0] = int64_at(packed[1])[0] // packed[2] + 1


def _lower_count(b: Builder, target: Operand, source: Operand, every: int) -> None:
    for counter in (target, source):
        if counter.dtype.kind not in "iu" or counter.itemsize != 8 or counter.size != 1:
            raise NotNative(f"a counter of {counter.dtype}")
    if every < 1:
        raise NotNative("a counter in steps below 1")
    b.call(count_block, target, source, every)


@lowers("increment")
def _lower_increment(b: Builder, out: None, counter: Operand) -> None:
    _lower_count(b, counter, counter, 1)


@lowers("number_update")
def _lower_number(
    b: Builder, out: None, count: Operand, iterations: Operand, *, every: int = 1
) -> None:
    if iterations.dtype != np.int64:
        raise NotNative(f"a counter of {iterations.dtype}")
    _lower_count(b, count, iterations, every)


@block("overwrite")
def overwrite_block(record, start, stop):  # type: ignore[no-untyped-def]
    """Copy so many bytes if a counter is a multiple of a number."""
    packed = int64_at(record)
    if int64_at(packed[3])[0] % packed[4] == 0:
        copy_bytes(packed[0], packed[1], packed[2])


@lowers("overwrite_update")
def _lower_overwrite(
    b: Builder, out: None, parameters: Operand, values: Operand, count: Operand, *, every: int
) -> None:
    alike = parameters.dtype == values.dtype and parameters.shape == values.shape
    if not alike or not parameters.is_contiguous or every < 1:
        raise NotNative("parameters set to other values")
    if count.dtype != np.int64 or count.size != 1:
        raise NotNative(f"a counter of {count.dtype}")
    b.call(overwrite_block, parameters, b.contiguous(values), values.nbytes, count, every)


@lowers("schedule_update")
def _lower_schedule(
    b: Builder,
    out: None,
    rate: Operand,
    step: Any,
    *,
    schedule: tuple[float, ...],
    offset: float = 0,
) -> None:
    if rate.dtype != np.float64 or rate.ndim != 0:
        raise NotNative(f"a rate of {rate.dtype}")
    kinds, words = setting_words(b, (step, offset))
    numbers = b.constant(np.array(schedule, np.float64))
    b.call(schedule_block, rate, b.status, numbers, kinds, *words)


@on_warmup("program counters")
def _warm() -> None:
    count_block.address  # noqa: B018
    overwrite_block.address  # noqa: B018
