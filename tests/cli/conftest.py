"""Small data files, good and bad."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tapegrad._cli.arguments import main

Write = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is also the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Write:
    """Write text, an array (.npy) or arrays (.npz) to a file; returns its name."""

    def to(name: str, content: object = None, **arrays: object) -> str:
        path = folder / name
        if isinstance(content, str):
            path.write_text(content, "utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            np.save(path, np.asarray(content), allow_pickle=True)
        else:
            np.savez(path, **{key: np.asarray(value) for key, value in arrays.items()})
        return name

    return to


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must be refused: exit code 2, one sentence, nothing written."""

    def run(*arguments: str) -> str:
        before = sorted(folder.rglob("*"))
        try:
            code = main(arguments)
        except SystemExit as exit_request:  # argparse
            code = exit_request.code
        printed = capsys.readouterr()
        assert code == 2, printed
        assert printed.err.count("\n") == 1, printed.err
        assert "Traceback" not in printed.err
        assert printed.out == ""
        assert sorted(folder.rglob("*")) == before
        return printed.err

    return run


FLOWERS = ("rose", "tulip", "daisy")


@pytest.fixture
def flowers(write: Write) -> str:
    """A CSV file of three classes that two columns tell apart."""
    generator = np.random.default_rng(0)
    lines = ["petal length,petal width,species"]
    for index in range(60):
        kind = index % 3
        length, width = generator.normal((kind * 3.0, -kind * 2.0), 0.3)
        lines.append(f"{length:.3f},{width:.3f},{FLOWERS[kind]}")
    return write("flowers.csv", "\n".join(lines) + "\n")


@pytest.fixture
def houses(write: Write) -> str:
    """A CSV file with a price that is linear in its features, far from 0 and 1."""
    generator = np.random.default_rng(1)
    area, rooms = generator.uniform(30, 200, 80), generator.integers(1, 7, 80)
    price = 3000.0 * area + 20000.0 * rooms + 50000.0
    lines = ["area,price,rooms"]
    lines += [f"{a:.2f},{p:.1f},{r}" for a, p, r in zip(area, price, rooms, strict=True)]
    return write("houses.csv", "\n".join(lines) + "\n")


@pytest.fixture
def images(write: Write) -> str:
    """An .npz file of 8×8 images, an upright or a level bar each, its place at random."""
    generator = np.random.default_rng(2)
    x, y = np.zeros((60, 8, 8), np.uint8), np.arange(60) % 2
    for image, level, place in zip(x, y, generator.integers(0, 8, 60), strict=True):
        if level:
            image[place, :] = 200
        else:
            image[:, place] = 200
    return write("images.npz", x=x, y=y)


@pytest.fixture
def waves(write: Write) -> str:
    """An .npz file of sequences in two features of different units, with a number to predict."""
    generator = np.random.default_rng(3)
    phase, speed = generator.uniform(0, 6, (80, 1)), generator.uniform(0.2, 0.6, (80, 1))
    angle = phase + speed * np.arange(10)
    x = np.stack([np.sin(angle), 1000.0 * np.cos(angle)], axis=-1)
    return write("waves.npz", x=x, y=np.sin(phase + 10 * speed)[:, 0])
