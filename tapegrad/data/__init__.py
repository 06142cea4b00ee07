"""Pipelines of data: a source, then steps, gone through batch by batch.

=================  ==================================================================
module             content
=================  ==================================================================
``dataset``        `Dataset`: all that users call
``structure``      elements: arrays in tuples and dicts
``cursor``         how a pass is made; the iterator that users see
``sources``        arrays, ``.npy`` files, numbers, windows, generators
``batching``       batches
``shuffling``      random orders that can be drawn again
``mapping``        functions of elements, in threads
``prefetching``    elements made ahead
``caching``        elements kept in memory or files
``slicing``        take, skip, enumerate
``joining``        zip, concatenate, repeat
=================  ==================================================================
"""

from tapegrad.data.cursor import DatasetIterator
from tapegrad.data.dataset import (
    AUTOTUNE,
    INFINITE_CARDINALITY,
    UNKNOWN_CARDINALITY,
    Dataset,
)

__all__ = [
    "Dataset",
    "DatasetIterator",
    "AUTOTUNE",
    "INFINITE_CARDINALITY",
    "UNKNOWN_CARDINALITY",
]
