"""What the digits that ship with the package are told apart with, by default."""

from __future__ import annotations

import json

import pytest

from tapegrad._cli.arguments import main


@pytest.mark.parametrize(("model", "least"), [("mlp", 0.965), ("cnn", 0.975), ("rnn", 0.93)])
def test_digits(folder, model, least):
    assert main(["train", "digits", "--model", model, "--out", "run"]) == 0
    report = json.loads((folder / "run" / "report.json").read_text())
    assert report["test"]["accuracy"] >= least
