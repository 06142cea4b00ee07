"""Drawings of recorded programs and of their memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

import tapegrad as tg
from tapegrad import layers, plot
from tapegrad._jit.names import bytes_text
from tapegrad.plot._layered import ranks_of
from tapegrad.plot.style import ORANGE

RNG = np.random.default_rng(2)


def training_program(model, shape, classes=3):
    loss = tg.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tg.optimizers.Adam(0.01)

    @tg.jit
    def step(x, y):
        with tg.Tape() as tape:
            value = loss(y, model(x, training=True))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(value, weights), weights)
        return value

    return step.program(RNG.random(shape, dtype="float32"), RNG.integers(0, classes, shape[0]))


def dense_program():
    parts = [layers.Input((6,)), layers.Dense(8, "relu", name="first"), layers.Dropout(0.5)]
    return training_program(tg.Sequential([*parts, layers.Dense(3, name="second")]), (4, 6))


def image_program():
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    return training_program(
        tg.Sequential([layers.Input((10, 10, 1)), *parts, layers.Dense(3)]), (5, 10, 10, 1)
    )


def long_program(steps=150):
    def walk(x):
        for _ in range(steps):
            x = tg.ops.cumsum(x)
        return x, x.sum()

    return tg.jit(walk).program(np.ones(30))


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def arrows(figure):
    return [p for p in figure.axes[0].patches if type(p).__name__ == "FancyArrowPatch"]


def boxes(figure):
    return [p for p in figure.axes[0].patches if type(p).__name__ == "FancyBboxPatch"]


def test_every_operation_has_a_box_with_its_number():
    program = dense_program()
    figure = plot.program(program)
    shown = texts(figure)
    titles = [text for text in shown if text.startswith("%")]
    assert len(titles) == len(program.steps)
    assert {int(title[1:].split()[0]) for title in titles} == set(range(len(program.steps)))
    assert {"input 0", "input 1", "output", "%0  dense + relu"} <= set(shown)
    assert "first/kernel, first/bias" in shown
    assert "float32[6, 8] → gradients" in shown
    assert "→ parameters, momentum, velocity" in shown
    assert any(title.endswith("fused") for title in titles)
    assert "multiply, multiply" in shown


@pytest.mark.parametrize("make", [dense_program, image_program, long_program])
@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_boxes_do_not_overlap_and_everything_is_inside(make, rankdir):
    figure = plot.program(make(), rankdir=rankdir)
    figure.canvas.draw()
    extents = [box.get_window_extent() for box in boxes(figure)]
    for one, other in itertools.combinations(extents, 2):
        assert not one.shrunk(0.99, 0.99).overlaps(other.shrunk(0.99, 0.99))
    for text in figure.axes[0].texts:
        extent = text.get_window_extent()
        assert figure.bbox.x0 <= extent.x0
        assert extent.x1 <= figure.bbox.x1


def test_arrows_follow_values():
    a, b = np.ones(3), np.ones(3)
    program = tg.jit(lambda a, b: (tg.ops.cumsum(a), tg.ops.sort(b), tg.ops.argsort(b))).program(
        a, b
    )
    figure = plot.program(program)
    assert len(boxes(figure)) == 2 + 3 + 3
    assert len(arrows(figure)) == 3 + 3
    assert {"output 0", "output 1", "output 2"} <= set(texts(figure))


def test_arrows_through_variables_are_orange():
    count = tg.Variable(np.zeros(3), name="count")

    def step():
        before = tg.ops.cumsum(count)
        count.assign(tg.ops.sort(before))
        return tg.ops.cumprod(count)

    figure = plot.program(tg.jit(step).program())
    coloured = [to_hex(arrow.get_edgecolor()) == ORANGE for arrow in arrows(figure)]
    # From what reads `count` to what writes it then, and from there to what reads it again.
    assert sum(coloured) == 2
    assert len(coloured) == 5


def test_what_runs_in_python_is_told_apart():
    @tg.primitive
    def drawn_by_hand(x):
        return x[::-1].copy()

    figure = plot.program(tg.jit(lambda x: drawn_by_hand(tg.ops.cumsum(x))).program(np.ones(3)))
    shown = texts(figure)
    assert "called from Python" in shown
    assert "operation" in shown
    assert "writes Variables" not in shown


def test_long_programs_are_folded():
    program = long_program()
    figure = plot.program(program, most=20)
    titles = [text for text in texts(figure) if text.startswith("%")]
    assert len(titles) <= 20
    assert titles[0] == "%0 – %7"
    assert "8 × cumsum" in texts(figure)
    assert len([text for text in texts(plot.program(program)) if text.startswith("%")]) <= 40


def test_long_arrows_of_long_programs_are_named():
    def walk(x):
        first = y = tg.ops.cumsum(x)
        for _ in range(50):
            y = tg.ops.cumsum(y)
        return tg.ops.matmul(y, first)

    program = tg.jit(walk).program(np.ones(3))
    assert "from %0" in texts(plot.program(program, most=100))
    assert not any(text.startswith("from") for text in texts(plot.program(program, most=10)))


def test_a_part_of_a_program():
    program = dense_program()
    figure = plot.program(program, operations=slice(2, 5))
    titles = [text for text in texts(figure) if text.startswith("%")]
    assert {int(title[1:].split()[0]) for title in titles if "  " in title} == {2, 3, 4}
    assert any(text.startswith(("%0", "%1")) and "  " not in text for text in texts(figure))


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_files(tmp_path, suffix, start):
    for name, draw in (("program", plot.program), ("memory", plot.memory)):
        path = tmp_path / f"{name}.{suffix}"
        plot.save(draw(dense_program()), path)
        assert path.read_bytes().startswith(start)


def test_what_cannot_be_drawn():
    jitted = tg.jit(lambda x: x * 2.0)
    for draw in (plot.program, plot.memory):
        with pytest.raises(TypeError, match=r"program\(\*args\).* got JitFunction"):
            draw(jitted)
    program = jitted.program(np.ones(3))
    with pytest.raises(ValueError, match="'up'"):
        plot.program(program, rankdir="up")
    with pytest.raises(ValueError, match="most is at least 1"):
        plot.program(program, most=0)
    with pytest.raises(ValueError, match="nothing to draw"):
        plot.program(program, operations=slice(5, 9))
    with pytest.raises(ValueError, match="nothing to draw"):
        plot.program(program, operations=slice(None, None, 2))
    assert plot.memory(program).axes[0].get_title(loc="left").startswith("Arena of 0 B")


def test_sources_may_stand_where_they_are_needed():
    edges = [(0, 1), (1, 3), (2, 3)]
    assert ranks_of(4, edges) == [0, 1, 0, 2]
    assert ranks_of(4, edges, sources_first=False) == [0, 1, 1, 2]


# ---- memory --------------------------------------------------------------------------


@pytest.mark.parametrize("make", [dense_program, image_program])
def test_pieces_of_memory(make):
    program = make()
    figure = plot.memory(program)
    axes = figure.axes[0]
    drawn = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert len(drawn) == len(program.plan.pieces)
    title = axes.get_title(loc="left")
    assert title.startswith(f"Arena of {bytes_text(program.arena_bytes)}, for {len(drawn)} pieces")
    tops = [patch.get_y() + patch.get_height() for patch in drawn]
    assert max(tops) <= program.arena_bytes
    for one, other in itertools.combinations(drawn, 2):
        apart = (
            one.get_x() + one.get_width() <= other.get_x()
            or other.get_x() + other.get_width() <= one.get_x()
            or one.get_y() + one.get_height() <= other.get_y()
            or other.get_y() + other.get_height() <= one.get_y()
        )
        assert apart
    assert len(axes.get_xticklabels()) == len(program.steps)


def test_lives_are_counted_in_operations_that_are_no_views():
    def function(x):
        y = tg.ops.cumsum(x.reshape(4, 6).T.reshape(-1))
        return tg.ops.sort(y.reshape(2, 12), axis=-1).reshape(-1)[3:].sum()

    program = tg.jit(function).program(np.ones(24))
    axes = plot.memory(program).axes[0]
    for patch in axes.patches:
        assert isinstance(patch, Rectangle)
        assert patch.get_x() >= -0.5
        assert patch.get_x() + patch.get_width() <= len(program.steps) - 0.5


def test_long_programs_have_numbers_in_place_of_titles():
    figure = plot.memory(long_program())
    assert figure.axes[0].get_xlabel() == "operation"
    assert figure.get_size_inches()[0] <= 16.0
