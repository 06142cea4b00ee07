"""The data set: a recipe of elements that can be gone through again and again."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tapegrad.data.cursor import Cursor, DatasetIterator, IndexedCursor

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset"]

AUTOTUNE = -1
"""Where a number of threads or of elements kept ready is asked for: choose it."""

INFINITE_CARDINALITY = -1
"""What `Dataset.cardinality` says of a data set without end."""

UNKNOWN_CARDINALITY = -2
"""What `Dataset.cardinality` says if only going through the data set would tell."""


class Dataset:
    """A sequence of elements, made anew each time that somebody goes through it.

    It is built from a source (`from_tensor_slices`, `from_npy`, `from_generator`, `range`) by
    steps, each of which returns a new data set: `shuffle`, `map`, `batch`, `prefetch` and the
    rest have TensorFlow's names and meanings. An element is a NumPy array, or a tuple or dict of
    them, nested; `Model.fit` takes batches ``x``, ``(x, y)`` or ``(x, y, sample_weight)``.

    Work is done as late as possible and on as many rows as possible at a time: a batch of a
    shuffled array is one gathering of rows, and of a mapped file only these rows are read.

    **Resuming.** `state`, asked before a pass, says how that pass will be shuffled, as a dict that
    JSON can hold. In another process the same recipe, given it by `set_state`, goes through the
    same order, and ``iterate(skip=k)`` leaves the first `k` elements out: at no cost where the
    source can be reached by index, otherwise by reading them, and without calling functions that
    were given to `map`. What these functions and generators draw themselves is not part of the
    state.

    Examples
    --------
    >>> from tapegrad.data import Dataset
    >>> x, y = np.arange(5.0), np.arange(5) % 2
    >>> dataset = Dataset.from_tensor_slices((x, y)).map(lambda x, y: (10 * x, y)).batch(2)
    >>> for batch in dataset:
    ...     print(batch)
    (array([ 0., 10.]), array([0, 1]))
    (array([20., 30.]), array([0, 1]))
    (array([40.]), array([0]))
    >>> len(dataset)
    3
    """

    _indexed: bool = False  # whether elements can be reached by number: `Indexed`

    def __init__(self, *sources: Dataset) -> None:
        self._sources = sources

    # ---- sources ---------------------------------------------------------------------

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """Return a data set of the rows of arrays.

        Parameters
        ----------
        tensors
            An array, or a tuple or dict of arrays with one number of rows, nested. They are
            viewed, not copied, and the views cannot be written to.

        Raises
        ------
        ValueError, TypeError
            If the numbers of rows differ, or something is not an array.

        Examples
        --------
        >>> dataset = Dataset.from_tensor_slices({"a": [1, 2], "b": [[3], [4]]})
        >>> next(iter(dataset))
        {'a': np.int64(1), 'b': array([3])}
        """
        from tapegrad.data.sources import slices

        return slices(tensors)

    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        """Return a data set of one element: these arrays as they are."""
        from tapegrad.data.sources import slices
        from tapegrad.data.structure import map_leaves

        return slices(map_leaves(lambda leaf: np.asarray(leaf)[None], tensors))

    @staticmethod
    def from_npy(paths: Any) -> Dataset:
        """Return a data set of the rows of ``.npy`` files, which may be larger than memory.

        The files are mapped: only the rows of a batch are read, when it is made. Put `prefetch`
        behind, and they are read while the step before is computed.

        Parameters
        ----------
        paths
            A path, or a tuple or dict of paths to files with one number of rows.

        Raises
        ------
        ValueError, TypeError, FileNotFoundError
            If a file is no ``.npy`` file of numbers, or the numbers of rows differ.
        """
        from tapegrad.data.sources import open_npy

        return open_npy(paths)

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any = None,
        args: tuple[Any, ...] = (),
        cardinality: int | None = None,
    ) -> Dataset:
        """Return a data set of what a generator yields.

        Parameters
        ----------
        generator
            A function that returns an iterator, called at the start of each pass; or a list, or
            another thing that can be gone through more than once.
        output_types
            A dtype, or dtypes in the structure of an element, to convert to.
        args
            What the function is called with.
        cardinality
            The number of elements, if it is known.

        Raises
        ------
        TypeError
            If it is an iterator, which could be gone through only once.

        Examples
        --------
        >>> def squares(n):
        ...     for i in range(n):
        ...         yield i * i
        >>> list(Dataset.from_generator(squares, args=(3,), output_types="float32"))
        [np.float32(0.0), np.float32(1.0), np.float32(4.0)]
        """
        from tapegrad.data.sources import Generated

        return Generated(generator, output_types, args, cardinality)

    @staticmethod
    def range(*bounds: int) -> Dataset:
        """Return the whole numbers of ``range(*bounds)`` as int64."""
        from tapegrad.data.sources import Numbers

        return Numbers(*bounds)

    @staticmethod
    def zip(*datasets: Any) -> Dataset:
        """Return the elements of several data sets side by side, until one ends.

        Parameters
        ----------
        *datasets
            Data sets, or one tuple or dict of them, nested.

        Examples
        --------
        >>> list(Dataset.zip(Dataset.range(2), Dataset.range(5, 9)))
        [(np.int64(0), np.int64(5)), (np.int64(1), np.int64(6))]
        """
        from tapegrad.data.joining import Zipped

        return Zipped(datasets[0] if len(datasets) == 1 else datasets)

    # ---- steps -----------------------------------------------------------------------

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Stack each `batch_size` elements along a new first axis.

        Parameters
        ----------
        batch_size
            Elements a batch; the last may have fewer.
        drop_remainder
            Whether to leave out a last batch that has fewer.

        Raises
        ------
        ValueError
            If it is not positive; on the way, if elements have different shapes.
        """
        from tapegrad.data.batching import Batched

        return Batched(self, batch_size, drop_remainder)

    def unbatch(self) -> Dataset:
        """Cut each element along its first axis into elements of their own."""
        from tapegrad.data.batching import Unbatched

        return Unbatched(self)

    def shuffle(
        self,
        buffer_size: int | None = None,
        seed: int | None = None,
        reshuffle_each_iteration: bool = True,
    ) -> Dataset:
        """Go through the elements in random order.

        A buffer is filled with the first `buffer_size` elements; one of it is chosen at random,
        and the next element takes its place. Where the source can be reached by index (arrays,
        files, numbers), only indices wait in the buffer, and a buffer as large as the data set is
        one permutation.

        Parameters
        ----------
        buffer_size
            Elements that are chosen from. By default all of them.
        seed
            Makes the orders repeatable: two data sets of one seed go through the same orders.
            Without it, one number is drawn from tapegrad's generator for each pass.
        reshuffle_each_iteration
            Whether each pass, also under `repeat`, has an order of its own.

        Raises
        ------
        ValueError
            If `buffer_size` is not positive.

        Examples
        --------
        >>> dataset = Dataset.range(100).shuffle(100, seed=1)
        >>> first, second = list(dataset), list(dataset)
        >>> first != second, sorted(first) == sorted(second) == list(range(100))
        (True, True)
        """
        from tapegrad.data.shuffling import Shuffled

        return Shuffled(self, buffer_size, seed, reshuffle_each_iteration)

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: int | None = None,
        num_workers: int | None = None,
    ) -> Dataset:
        """Apply a function to each element.

        Parameters
        ----------
        map_func
            Called with an element; with its parts as arguments if it is a tuple. What it returns
            is the new element. It is not called for elements that are skipped.
        num_parallel_calls, num_workers
            How many threads call it at a time, `AUTOTUNE` for as many as there are cores. The
            order stays. By default it is called where the data set is gone through.

        Raises
        ------
        Exception
            What the function raises, with the number of the element in the message.

        Examples
        --------
        >>> list(Dataset.range(3).map(lambda x: x * x, num_parallel_calls=2))
        [np.int64(0), np.int64(1), np.int64(4)]
        """
        from tapegrad.data.mapping import Mapped

        workers = num_parallel_calls if num_workers is None else num_workers
        return Mapped(self, map_func, workers)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """Keep the elements for which a function, called as in `map`, is true."""
        from tapegrad.data.mapping import Filtered

        return Filtered(self, predicate)

    def prefetch(self, buffer_size: int = AUTOTUNE) -> Dataset:
        """Make elements in a thread of its own, ahead of their use.

        Parameters
        ----------
        buffer_size
            How many are kept ready; `AUTOTUNE` is 2.
        """
        from tapegrad.data.prefetching import Prefetched

        return Prefetched(self, buffer_size)

    def cache(self, filename: str | os.PathLike[str] | None = None) -> Dataset:
        """Keep the elements of the first whole pass for all later ones.

        Parameters
        ----------
        filename
            Without it they are kept in memory. With it they are written to ``.npy`` files of this
            name, one an array, which are mapped, so that elements may be larger than memory
            together; files that are there are used as they are. All elements must then have one
            shape: put `cache` before `batch`.
        """
        from tapegrad.data.caching import CachedInFiles, CachedInMemory

        return CachedInFiles(self, filename) if filename else CachedInMemory(self)

    def repeat(self, count: int | None = None) -> Dataset:
        """Go through the elements `count` times, without end if it is None or -1."""
        from tapegrad.data.joining import Repeated

        return Repeated(self, count)

    def take(self, count: int) -> Dataset:
        """Keep the first `count` elements; all if it is -1."""
        from tapegrad.data.slicing import Taken

        return Taken(self, count)

    def skip(self, count: int) -> Dataset:
        """Leave out the first `count` elements; all if it is -1."""
        from tapegrad.data.slicing import Skipped

        return Skipped(self, count)

    def concatenate(self, dataset: Dataset) -> Dataset:
        """Go through another data set after this one."""
        from tapegrad.data.joining import Concatenated

        return Concatenated(self, dataset)

    def enumerate(self, start: int = 0) -> Dataset:
        """Give each element its number: ``(number, element)``."""
        from tapegrad.data.slicing import Enumerated

        return Enumerated(self, start)

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """Return ``transformation_func(self)``, so that own steps stand in the chain."""
        return transformation_func(self)

    # ---- going through ---------------------------------------------------------------

    def iterate(self, skip: int = 0) -> DatasetIterator:
        """Begin a pass, without its first elements.

        Parameters
        ----------
        skip
            How many elements are left out.

        Raises
        ------
        ValueError
            If it is negative.
        """
        if skip < 0:
            raise ValueError(f"Dataset.iterate: skip must not be negative, but is {skip}.")
        run: Run = {}
        self._begin(run)
        return DatasetIterator(self._open(run), skip)

    def __iter__(self) -> DatasetIterator:
        return self.iterate()

    def as_numpy_iterator(self) -> DatasetIterator:
        """Begin a pass, under TensorFlow's name; elements are NumPy arrays in any case."""
        return self.iterate()

    def cardinality(self) -> int:
        """Return the number of elements, `INFINITE_CARDINALITY` or `UNKNOWN_CARDINALITY`."""
        raise NotImplementedError

    def __len__(self) -> int:
        count = self.cardinality()
        if count < 0:
            kind = "has no end" if count == INFINITE_CARDINALITY else "is not known beforehand"
            raise TypeError(f"len(dataset): the number of elements {kind}; see cardinality().")
        return count

    def __bool__(self) -> bool:
        return True  # never asks for the length, which may be unknown

    def __repr__(self) -> str:
        count = self.cardinality()
        text = {INFINITE_CARDINALITY: "without end", UNKNOWN_CARDINALITY: "of unknown length"}
        return f"<Dataset {text.get(count, f'of {count} elements')}>"

    # ---- state -----------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what decides the order of the next pass, to be asked before it begins.

        Returns
        -------
        dict
            Of whole numbers, lists and None, fit for JSON.

        Examples
        --------
        >>> one = Dataset.range(8).shuffle(8).batch(2)
        >>> state = one.state()
        >>> batches = [batch.tolist() for batch in one]
        >>> other = Dataset.range(8).shuffle(8).batch(2)
        >>> other.set_state(state)
        >>> [batch.tolist() for batch in other.iterate(skip=3)] == batches[3:]
        True
        """
        # A step before a filled cache has no next pass; asking it would draw a number in vain.
        used = set(self._walk(in_use=True))
        steps = [
            step._state() if step in used else {"step": type(step).__name__}
            for step in self._walk()
        ]
        return {"steps": steps}

    def set_state(self, state: dict[str, Any]) -> None:
        """Let the next pass have the order that `state` told of.

        Parameters
        ----------
        state
            What `state` of a data set of the same recipe returned.

        Raises
        ------
        ValueError
            If it is of another recipe.
        """
        steps = self._walk()
        given = state.get("steps") if isinstance(state, dict) else None
        names = [type(step).__name__ for step in steps]
        fits = isinstance(given, list) and [each.get("step") for each in given] == names
        if not fits:
            raise ValueError(
                "Dataset.set_state: the state is not that of a data set built by the same steps as "
                f"this ({', '.join(names)})."
            )
        for step, each in builtins.zip(steps, given or ()):
            if len(each) > 1:
                step._set_state(each)

    def _walk(self, in_use: bool = False) -> list[Dataset]:
        """Return all steps up to this, each once; or those that the next pass opens.

        Sources come before what is built on them, as in `_begin`: keys are then drawn in the same
        order whether the state is asked for or not.
        """
        steps: dict[Dataset, None] = {}

        def visit(step: Dataset) -> None:
            if step in steps:
                return
            for source in step._sources_in_use() if in_use else step._sources:
                visit(source)
            steps[step] = None

        visit(self)
        return list(steps)

    # ---- what steps write ------------------------------------------------------------

    def _begin(self, run: Run) -> None:
        """Make the random choices of a pass; called in the thread of the user."""
        for source in self._sources:
            source._begin(run)

    def _open(self, run: Run) -> Cursor:
        """Return a cursor; called once a pass, under `repeat` once a repetition."""
        return IndexedCursor(self)

    def _sources_in_use(self) -> tuple[Dataset, ...]:
        return self._sources

    def _state(self) -> dict[str, Any]:
        return {"step": type(self).__name__}

    def _set_state(self, state: dict[str, Any]) -> None: ...

    def _length(self) -> int:
        self._not_indexed()

    def _rows(self, where: slice | np.ndarray) -> Any:
        self._not_indexed()

    def _element(self, index: int) -> Any:
        self._not_indexed()

    def _not_indexed(self) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} cannot be reached by index.")


Run = dict[Dataset, Any]
"""The choices of one pass, by step."""
