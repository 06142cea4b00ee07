"""The core: tensors, Variables, tapes, primitives, devices.

Small enough to be read in an hour, from ``node`` and ``tensor`` over
``primitive`` to ``tape``. Nothing here knows which operations exist.
"""
