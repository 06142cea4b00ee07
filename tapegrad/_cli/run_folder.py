"""What a training run leaves in its folder, written and read back. No file holds code.

=====================  ================================================
file                   content
=====================  ================================================
``model.safetensors``  the weights
``model.json``         architecture, scaling of the features, names of classes
``history.json``       metrics by epoch
``report.json``        the final figures
``*.png``              the plots
=====================  ================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._cli.data import Samples
from tapegrad._cli.errors import UserError
from tapegrad._cli.networks import MODELS, Architecture, rebuilt
from tapegrad._cli.scaling import Scaling
from tapegrad.utils.files import atomic_path

if TYPE_CHECKING:
    from tapegrad.models import Model

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
HISTORY = "history.json"
REPORT = "report.json"

_FORMAT = 1


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", "utf-8")


def checked_folder(text: str) -> Path:
    """A folder that files can be written to, or a `UserError`; nothing is created yet."""
    folder = Path(text).expanduser()
    for place in (folder, *folder.absolute().parents):
        if place.is_dir():
            return folder
        if place.exists():
            raise UserError(f"--out {text}: {place} is a file; expected a folder")
    return folder


def remove_results(folder: Path) -> None:
    """Remove the report and the plots of an earlier run, which new weights would belie."""
    for old in (folder / REPORT, *folder.glob("*.png")):
        old.unlink(missing_ok=True)


@dataclass
class TrainedModel:
    """A network with all that is needed to apply it to new samples.

    Attributes
    ----------
    architecture : Architecture
        How the network is built.
    scaling : Scaling
        How its features, and the numbers it predicts, were scaled.
    classes : list of str
        Names of the classes; empty where none are predicted.
    feature_names : list of str or None
        Names of the columns that it was trained on.
    target_name : str
        What it predicts.
    network : Model
        The network itself.
    """

    architecture: Architecture
    scaling: Scaling
    classes: list[str]
    feature_names: list[str] | None
    target_name: str
    network: Model

    @classmethod
    def for_samples(cls, samples: Samples, model: str) -> TrainedModel:
        """A new network of the right size for `samples`."""
        architecture = MODELS[model].architecture.default(model, samples)
        return cls(
            architecture,
            samples.scaling,
            samples.classes if samples.task == "classification" else [],
            samples.feature_names,
            samples.target_name,
            architecture.build(),
        )

    def write_description(self, folder: Path) -> None:
        """Write ``model.json``."""
        from tapegrad import __version__

        write_json(
            folder / DESCRIPTION,
            {
                "format": _FORMAT,
                "tapegrad": __version__,
                "architecture": self.architecture.stored(),
                "features": {
                    "names": self.feature_names,
                    "shape": list(self.scaling.shape),
                    "mean": self.scaling.mean.tolist(),
                    "scale": self.scaling.scale.tolist(),
                },
                "target": {
                    "name": self.target_name,
                    "classes": self.classes,
                    "mean": self.scaling.target_mean,
                    "scale": self.scaling.target_scale,
                },
            },
        )

    @classmethod
    def read(cls, text: str) -> TrainedModel:
        """Read what a run left in a folder.

        Raises
        ------
        UserError
            If the folder or one of its files is missing or is not what `train` wrote.
        """
        folder = Path(text).expanduser()
        for path in (folder, folder / DESCRIPTION, folder / WEIGHTS):
            if not path.exists():
                raise UserError(
                    f"there is no {path}; `python -m tapegrad train … --out DIR` makes one"
                )
        try:
            stored = json.loads((folder / DESCRIPTION).read_text("utf-8"))
            if stored["format"] != _FORMAT:
                raise UserError(
                    f"{folder / DESCRIPTION} has format {stored['format']}; this version of "
                    f"tapegrad reads format {_FORMAT}"
                )
            features, target = stored["features"], stored["target"]
            model = cls(
                architecture := rebuilt(stored["architecture"]),
                Scaling(
                    tuple(features["shape"]),
                    np.array(features["mean"], dtype=np.float64),
                    np.array(features["scale"], dtype=np.float64),
                    target["mean"],
                    target["scale"],
                ),
                target["classes"],
                features["names"],
                target["name"],
                architecture.build(),
            )
            model.network.load_weights(folder / WEIGHTS)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder} does not hold a whole model: {error}") from error
        return model
