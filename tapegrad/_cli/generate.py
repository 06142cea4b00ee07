"""``predict`` for a GAN: samples that its generator makes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tapegrad._cli.errors import UserError
from tapegrad._cli.networks.adversarial import AdversarialNetwork
from tapegrad._cli.reports.generation import generated
from tapegrad._cli.run_folder import TrainedModel
from tapegrad._cli.tables import csv_text, feature_columns, write_text
from tapegrad.utils.files import atomic_path

_MOST_IMAGES = 400  # in one figure


def run(trained: TrainedModel, folder: str, text: str, destination: Path | None, seed: int) -> int:
    """Make samples in the units of the data, and write them as the file's suffix says.

    Parameters
    ----------
    trained : TrainedModel
        What ``train --model gan`` left in `folder`.
    folder : str
        Its name, for messages.
    text : str
        How many samples to make.
    destination : Path or None
        A .npz or .png file, or one for a CSV table; None means a table on standard output.
    seed : int
        Of the noise that the samples are made of.

    Raises
    ------
    UserError
        If `text` is no whole number from 1, or the samples are no images and a .png file is
        wanted.
    """
    count = _count(folder, text)
    suffix = "" if destination is None else destination.suffix.lower()
    architecture = trained.architecture
    assert isinstance(architecture, AdversarialNetwork)
    drawable = architecture.images and architecture.shape[2] in (1, 3)
    if suffix == ".png" and not drawable:
        raise UserError(
            f"--out {destination}: the samples are no images; write a .csv or .npz file"
        )
    if suffix == ".png" and count > _MOST_IMAGES:
        raise UserError(f"--out {destination}: a figure holds {_MOST_IMAGES} images at most")
    x = trained.scaling.original_features(generated(trained, count, seed))
    if destination is not None and suffix == ".npz":
        with atomic_path(destination) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, x=x.reshape(count, *trained.scaling.shape))
    elif destination is not None and suffix == ".png":
        from tapegrad import plot

        figure = plot.image_grid(
            x.reshape(count, *architecture.shape), title=f"{count} generated samples"
        )
        plot.save(figure, destination)
    else:
        columns = feature_columns(trained.feature_names, trained.scaling.shape)
        content = csv_text(columns, ([f"{value:.7g}" for value in row] for row in x.tolist()))
        if destination is None:
            sys.stdout.write(content)
        else:
            write_text(destination, content)
    if destination is not None:
        print(f"{count} samples in {destination}")
    return 0


def _count(folder: str, text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise UserError(
            f"{folder} holds a gan, which makes samples; say how many in place of DATA, a whole "
            f"number from 1, not {text!r}"
        )
    return count
