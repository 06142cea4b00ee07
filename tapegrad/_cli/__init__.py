"""The command line: ``python -m tapegrad train | predict | info | warmup``.

=================  ==============================================================
module             subject
=================  ==============================================================
``arguments``      what can be typed; exit codes
``errors``         the one exception for mistakes that a user can mend
``files``          ``.npy``, ``.npz`` and ``.csv`` files to raw arrays
``labels``         labels to classes or to numbers
``data``           raw arrays to samples to train and to test on
``architecture``   the networks behind ``--model``
``run_folder``     what a training run leaves, written and read back
``compiling``      the bar that shows kernels being compiled
``progress``       the bar that shows training
``train``          the command ``train``
``report``         its figures: computed, printed, drawn
``predict``        the command ``predict``
``info``           the command ``info``
``warmup``         the command ``warmup``
=================  ==============================================================
"""
