"""``info``, ``warmup``, and the process as a whole."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tapegrad._cli import compiling
from tapegrad._cli.arguments import main
from tapegrad._cli.networks import MODELS

WARMUP = "tapegrad_kernels._compile.warmup"
CACHE = "tapegrad_kernels._compile.cache"


def test_info_says_what_a_report_needs(capsys):
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for words in ("tapegrad", "numba", "CPU features", "vector width", "threads", "kernel cache"):
        assert words in printed
    assert "CUDA" in printed


@pytest.fixture
def tasks(tmp_path, monkeypatch) -> list[str]:
    """Two tasks in place of the real ones, and an empty cache; grows as they run."""
    importlib.import_module("tapegrad_kernels.cpu")  # registers the real ones, once
    ran: list[str] = []
    two = [(name, lambda name=name: ran.append(name)) for name in ("a x", "b y")]
    monkeypatch.setattr(importlib.import_module(WARMUP), "_tasks", two)
    monkeypatch.setattr(importlib.import_module(CACHE), "folder", lambda: tmp_path)
    return ran


def test_warmup_runs_each_task_behind_a_bar(tasks, capsys):
    for _ in range(2):
        assert main(["warmup"]) == 0
        printed = capsys.readouterr()
        assert "2 groups of kernels ready" in printed.out
        assert "compiling kernels (once)" in printed.err
    assert tasks == ["a x", "b y"] * 2


def test_training_compiles_once_what_it_needs(tasks, capsys):
    assert compiling.compile_kernels(["b"]) == 1
    assert "compiling kernels (once)" in capsys.readouterr().err
    assert compiling.compile_kernels(["b"]) == 0
    assert capsys.readouterr().err == ""
    assert compiling.compile_kernels() == 1
    assert tasks == ["b y", "a x"]


def test_without_a_cache_each_run_compiles(tasks, monkeypatch):
    monkeypatch.setattr(importlib.import_module(CACHE), "folder", lambda: None)
    assert [compiling.compile_kernels() for _ in range(2)] == [2, 2]


@pytest.mark.parametrize("model", MODELS)
def test_training_compiles_kernels_that_exist(model):
    kernels = MODELS[model].architecture.kernels
    importlib.import_module("tapegrad_kernels.cpu")
    named = importlib.import_module(WARMUP).tasks(kernels)
    assert sorted(name for name, _ in named) == sorted(kernels)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version(option, capsys):
    with pytest.raises(SystemExit) as caught:
        main([option])
    assert caught.value.code == 0
    assert "tapegrad" in capsys.readouterr().out


def test_the_process_from_an_empty_folder(tmp_path: Path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "tapegrad", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    done = run("train", "digits", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert "test accuracy" in done.stdout
    assert "loss" in done.stderr  # the progress bar
    assert (tmp_path / "runs" / "digits-mlp" / "predictions.png").exists()
    refused = run("train", "none.csv")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("python -m tapegrad train: there is no file none.csv")
