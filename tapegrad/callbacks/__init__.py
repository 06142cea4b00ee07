"""Callbacks: what happens besides training. Names and methods of Keras 3."""

from tapegrad.callbacks.base import Callback, CallbackList
from tapegrad.callbacks.history import History
from tapegrad.callbacks.progress import EpochLine, ProgressBar
from tapegrad.callbacks.stopping import EarlyStopping, MonitorCallback, StopAtThreshold

__all__ = [
    "Callback",
    "CallbackList",
    "MonitorCallback",
    "History",
    "EarlyStopping",
    "StopAtThreshold",
    "ProgressBar",
    "EpochLine",
]
