"""Callbacks: what happens besides training. Names and methods of Keras 3."""

from tapegrad.callbacks.averaging import SwapEMAWeights
from tapegrad.callbacks.backup import BackupAndRestore
from tapegrad.callbacks.base import Callback, CallbackList
from tapegrad.callbacks.checkpoint import ModelCheckpoint
from tapegrad.callbacks.csv_logger import CSVLogger
from tapegrad.callbacks.history import History
from tapegrad.callbacks.lambda_callback import LambdaCallback
from tapegrad.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from tapegrad.callbacks.live_plot import LivePlot
from tapegrad.callbacks.monitor import MonitorCallback
from tapegrad.callbacks.progress import EpochLine, ProgressBar
from tapegrad.callbacks.stopping import EarlyStopping, StopAtThreshold, TerminateOnNaN
from tapegrad.callbacks.tensorboard import TensorBoard

ProgbarLogger = ProgressBar
"""Keras's name for the progress bar."""

__all__ = [
    "Callback",
    "CallbackList",
    "MonitorCallback",
    "History",
    "ModelCheckpoint",
    "BackupAndRestore",
    "EarlyStopping",
    "StopAtThreshold",
    "TerminateOnNaN",
    "LearningRateScheduler",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "CSVLogger",
    "TensorBoard",
    "LambdaCallback",
    "LivePlot",
    "ProgressBar",
    "ProgbarLogger",
    "EpochLine",
]
