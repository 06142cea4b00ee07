"""Data sets, each a module with ``load_data()`` as in Keras.

======================  ==================================================================
module                  content
======================  ==================================================================
``digits``              1,797 handwritten digits of 8×8 pixels (UCI, CC BY 4.0); ships with
                        the package
``sunspots``            yearly sunspot numbers, 1700 to 2008 (public domain); ships with it too
``mnist``               70,000 handwritten digits of 28×28 pixels
``fashion_mnist``       70,000 pictures of clothes of 28×28 pixels
``cifar10``             60,000 coloured pictures of 32×32 pixels in 10 classes
``cifar100``            the same in 100 classes
``boston_housing``      prices of 506 houses
``california_housing``  prices of houses in 20,640 districts
``splitting``           which samples are held out for the test
======================  ==================================================================

All but the first two are downloaded once, with a checksum, into the folder that the environment's
variable ``TAPEGRAD_DATA_DIR`` names (by default one for caches of the user's), or read from a local
file: ``load_data(path=...)``. No file is unpickled.
"""

from tapegrad.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    digits,
    fashion_mnist,
    mnist,
    splitting,
    sunspots,
)

__all__ = [
    "digits",
    "sunspots",
    "mnist",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "boston_housing",
    "california_housing",
    "splitting",
]
