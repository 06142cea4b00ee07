"""The command line: ``python -m tapegrad train | predict | info | warmup``.

=================  ==============================================================
module             subject
=================  ==============================================================
``arguments``      what can be typed; exit codes
``errors``         the one exception for mistakes that a user can mend
``files``          ``.npy``, ``.npz`` and ``.csv`` files to raw arrays
``labels``         labels to classes or to numbers
``scaling``        features to numbers that networks like, and back
``data``           raw arrays to samples to train and to test on
``networks``       the networks behind ``--model``, a module each
``run_folder``     what a training run leaves, written and read back
``compiling``      the bar that shows kernels being compiled
``progress``       the bar that shows training
``train``          the command ``train``
``reports``        its figures: computed, printed, drawn; a module a task
``predict``        the command ``predict``
``generate``       the same for networks that make samples
``tables``         what ``predict`` writes
``info``           the command ``info``
``warmup``         the command ``warmup``
=================  ==============================================================
"""
