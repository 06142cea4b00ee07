"""Whether the call in progress trains or predicts, for layers that behave differently."""

from __future__ import annotations

import threading

__all__ = ["call_context"]


class CallContext(threading.local):
    """What the outermost call of a thread hands down to the layers inside it.

    Attributes
    ----------
    training : bool
        The outer call's ``training``; a layer that is not told takes this.
    depth : int
        How many calls of models, and of layers that call others, are in progress.
    """

    training: bool = False
    depth: int = 0


call_context = CallContext()
