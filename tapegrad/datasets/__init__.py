"""Data sets that ship with the package, each a module with ``load_data()`` as in Keras.

=============  ========================================================
module         content
=============  ========================================================
``digits``     1,797 handwritten digits of 8×8 pixels (UCI, CC BY 4.0)
``splitting``  which samples are held out for the test
=============  ========================================================
"""

from tapegrad.datasets import digits, splitting

__all__ = ["digits", "splitting"]
