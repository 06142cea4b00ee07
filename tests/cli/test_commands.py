"""``info``, ``warmup``, and the process as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tapegrad._cli import compiling
from tapegrad._cli.arguments import main


def test_info_says_what_a_report_needs(capsys):
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for words in ("tapegrad", "numba", "CPU features", "vector width", "threads", "kernel cache"):
        assert words in printed
    assert "CUDA" in printed


def test_warmup_runs_each_task_once_behind_a_bar(monkeypatch, capsys):
    from tapegrad_kernels._compile import warmup

    ran: list[str] = []
    monkeypatch.setattr(warmup, "_tasks", [(n, lambda n=n: ran.append(n)) for n in ("a x", "b y")])
    assert main(["warmup"]) == 0
    printed = capsys.readouterr()
    assert ran == ["a x", "b y"]
    assert "2 groups of kernels ready" in printed.out
    assert "compiling kernels (once)" in printed.err


def test_no_bar_where_kernels_are_compiled_already(monkeypatch, capsys):
    from tapegrad_kernels._compile import warmup

    monkeypatch.setattr(warmup, "_tasks", [("a", lambda: None), ("b", lambda: None)])
    assert compiling.compile_kernels(["b"]) == 1
    assert capsys.readouterr().err == ""


def test_training_compiles_kernels_that_exist():
    from tapegrad._cli.train import KERNELS
    from tapegrad_kernels import cpu
    from tapegrad_kernels._compile.warmup import tasks

    assert cpu
    for prefix in KERNELS:
        assert tasks([prefix]), prefix


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
