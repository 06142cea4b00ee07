"""Kernels that compute a short-time Fourier transform as a convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.initializers.base import Initializer
from tapegrad.utils.lookup import look_up

__all__ = ["STFT"]


class STFT(Initializer):
    """The real or imaginary part of the Fourier basis, times a window.

    As the kernel of a one-dimensional convolution, of shape (frame, channels, bins), it computes a
    short-time Fourier transform: element (t, c, k) is ``w(t) cos(-2π t k / n) / s``, or its sine,
    with ``n = 2 (bins - 1)``.

    Parameters
    ----------
    side
        ``"real"`` or ``"imag"``.
    window
        The name of a window of SciPy, an array of the frame's length, or None.
    scaling
        What `s` is: ``"density"`` for the root of the sum of squares of the window, ``"spectrum"``
        for its sum, None for 1.
    periodic
        Whether a named window is periodic rather than symmetric.

    Raises
    ------
    ValueError
        If `side` or `scaling` is none of those; at the call if the window's length does not fit.

    Examples
    --------
    >>> STFT("real", window=None)((4, 1, 3)).numpy()[:, 0, 1].round(4) + 0.0
    array([ 1.,  0., -1.,  0.], dtype=float32)
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        look_up(side, {"real": 0, "imag": 0}, "side of STFT")
        if scaling is not None:
            look_up(scaling, {"density": 0, "spectrum": 0}, "scaling of STFT")
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the basis for a kernel of shape (frame, channels, bins)."""
        if len(shape) != 3:
            raise ValueError(
                f"STFT makes kernels of shape (frame, channels, bins), but the shape is {shape}."
            )
        frame, _, bins = shape
        times = np.arange(frame).reshape(frame, 1, 1)
        angles = -2.0 * np.pi * times * np.arange(bins) / (2 * (bins - 1))
        basis = np.cos(angles) if self.side == "real" else np.sin(angles)
        if self.window is not None:
            basis = basis * self._scaled_window(frame)
        return np.broadcast_to(basis, shape).copy()

    def _scaled_window(self, frame: int) -> np.ndarray:
        if isinstance(self.window, str):
            import scipy.signal

            window: Any = scipy.signal.get_window(self.window, frame, self.periodic)
        else:
            window = np.asarray(self.window, dtype=np.float64)
        if window.shape != (frame,):
            raise ValueError(
                f"STFT: the window has shape {window.shape}, expected {(frame,)}, that of a frame."
            )
        if self.scaling == "density":
            window = window / np.sqrt(np.sum(window**2))
        elif self.scaling == "spectrum":
            window = window / np.sum(np.abs(window))
        return window.reshape(frame, 1, 1)
