"""What can be typed after ``python -m tapegrad``, and the exit codes.

====  =====================================================================
code  meaning
====  =====================================================================
0     done
2     a mistake that the user can mend: one sentence on standard error
130   Ctrl-C; after ``train``, the files of the last whole epoch are left
====  =====================================================================
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from tapegrad._cli.errors import UserError

if TYPE_CHECKING:
    from tapegrad._cli.networks import Model

_TRAIN = """\
DATA is the word digits, or a file:
  .csv  a header line; labels in the last column or the one that --target names
  .npz  x and y, or x_train, y_train, x_test and y_test; x is of shape (samples, features),
        (samples, height, width), (samples, height, width, channels) or (samples, steps, features)
  .npy  a 2-D array of numbers, labels in the last column
Integer or text labels mean classification, others regression; --task overrides.
A file without a test part is cut: a fifth of the samples (of each class) is held out
at random. For series in time, give an .npz with a later x_test of its own.

autoencoder and gan learn from x alone. A .npz file then needs no y, a .npy file may have
any shape and no labels, and a column of a CSV file is left out as labels only if it is the
last and holds text, or if --target names it; labels then colour the figure of the codes.

models:
{models}
"""

_PREDICT = """\
The table has a line for each sample:
  mlp, cnn, rnn, linear  the prediction, for classes also their probabilities; where DATA has
                         labels, figures are printed too
  autoencoder            how far off the reconstruction is (root mean squared error), the code,
                         the reconstruction
  gan                    a new sample; DATA is how many to make, and --out may also be a .npz
                         file (array x) or, for images, a .png file
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; ``--help`` has the rest."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _whole_number(least: int) -> Any:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text!r}")
        return value

    return convert


def _seed(text: str) -> int:
    value = _whole_number(0)(text)
    if value >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number below 2**32, got {text!r}")
    return value


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def _table(models: Mapping[str, Model]) -> str:
    """A line or two for each model."""
    lines = []
    for name, model in models.items():
        schedule = model.schedule
        lines.append(f"  {name:11}  {model.summary}")
        lines.append(
            f"{'':13}  about {schedule.steps:,} steps, {schedule.fewest} to {schedule.most} "
            f"epochs, learning rate {schedule.learning_rate:g}"
        )
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    from tapegrad import __version__
    from tapegrad._cli.networks import MODELS

    top = _Parser(
        prog="python -m tapegrad",
        description="Deep learning in readable Python.",
    )
    top.add_argument("--version", action="version", version=f"tapegrad {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    train = commands.add_parser(
        "train",
        help="train a network on data and report",
        description="Train a network and leave weights, report and plots in a folder.",
        epilog=_TRAIN.format(models=_table(MODELS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument(
        "data", nargs="?", default="digits", metavar="DATA", help="digits (default) or a file"
    )
    train.add_argument("--model", choices=MODELS, default="mlp", help="see below (default: mlp)")
    train.add_argument(
        "--epochs", type=_whole_number(1), metavar="N",
        help="passes over the data (default: see below)",
    )  # fmt: skip
    train.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default: cpu")
    train.add_argument("--out", metavar="DIR", help="folder (default: runs/DATA-MODEL)")
    train.add_argument(
        "--seed", type=_seed, default=0, metavar="N",
        help="of weights, order and cut; the same seed gives the same weights (default: 0)",
    )  # fmt: skip
    train.add_argument("--target", metavar="NAME", help="column of the labels in a CSV file")
    train.add_argument("--task", choices=("classification", "regression"), help="of the labels")
    train.add_argument(
        "--batch-size", type=_whole_number(1), default=32, metavar="N",
        help="samples a step (default: 32)",
    )  # fmt: skip
    train.add_argument(
        "--learning-rate", type=_positive, metavar="X",
        help="Adam's at the start; it falls to 0 (default: see below)",
    )  # fmt: skip

    predict = commands.add_parser(
        "predict",
        help="apply a trained network to data",
        description="Apply what train left in DIR; print a CSV table of predictions.",
        epilog=_PREDICT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.add_argument("folder", metavar="DIR", help="what train left")
    predict.add_argument(
        "data", metavar="DATA", help="digits (its test part) or a file; for a gan, a number"
    )
    predict.add_argument("--out", metavar="FILE", help="write the table to a file instead")
    predict.add_argument(
        "--seed", type=_seed, metavar="N",
        help="of a gan's samples; the same seed gives the same samples (default: 0)",
    )  # fmt: skip

    commands.add_parser("info", help="versions, CPU, threads, kernel cache, CUDA")
    commands.add_parser("warmup", help="compile every kernel ahead of its first use")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands after ``python -m tapegrad``; by default the process's own.

    Returns
    -------
    int
        Exit code. Mistakes in the options themselves end the process with 2, as
        argparse does.
    """
    chosen = parser().parse_args(arguments)
    try:
        return _run(chosen)
    except UserError as error:
        print(f"python -m tapegrad {chosen.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output, `head` for instance, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"python -m tapegrad {chosen.command}: {error}", file=sys.stderr)
        return 2


def _run(chosen: argparse.Namespace) -> int:
    # Each command loads what it needs and no more.
    if chosen.command == "train":
        from tapegrad._cli import train

        given = {name: value for name, value in vars(chosen).items() if name != "command"}
        return train.run(train.Options(**given))
    if chosen.command == "predict":
        from tapegrad._cli import predict

        return predict.run(chosen.folder, chosen.data, chosen.out, chosen.seed)
    if chosen.command == "info":
        from tapegrad._cli import info

        return info.run()
    from tapegrad._cli import warmup

    return warmup.run()
