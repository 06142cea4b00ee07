"""Elements kept from the first pass, in memory or in files."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tapegrad.data.cursor import Cursor, IndexedCursor
from tapegrad.data.dataset import Dataset, Run
from tapegrad.data.sources import Arrays
from tapegrad.data.structure import describe, leaves, map_leaves, stack
from tapegrad.utils.files import atomic_path

__all__ = ["CachedInFiles", "CachedInMemory"]


class _Cached(Dataset):
    """What both kinds share: when the source is read, and in which order it was read.

    The order of the first pass stays for all later ones. So the state tells how the source was
    shuffled then, and a new process reads the source in that order again.
    """

    def __init__(self, source: Dataset) -> None:
        super().__init__(source)
        self._source = source
        self._filled_by: list[dict[str, Any]] | None = None
        self._to_fill_by: list[dict[str, Any]] | None = None

    def _is_filled(self) -> bool:
        raise NotImplementedError

    def cardinality(self) -> int:
        """Return the number of elements, if it is known."""
        return self._source.cardinality()

    def _begin(self, run: Run) -> None:
        if self._is_filled() or self in run:
            return
        steps = self._source._walk()
        if self._to_fill_by is not None:
            for step, state in zip(steps, self._to_fill_by):
                step._set_state(state)
        run[self] = [step._state() for step in steps]
        super()._begin(run)

    def _sources_in_use(self) -> tuple[Dataset, ...]:
        return () if self._is_filled() else self._sources

    def _state(self) -> dict[str, Any]:
        by = self._filled_by if self._is_filled() else self._to_fill_by
        return {**super()._state(), "filled_by": by}

    def _set_state(self, state: dict[str, Any]) -> None:
        by = state["filled_by"]
        if by != self._filled_by:
            self._forget()
        self._to_fill_by = by

    def _forget(self) -> None:
        """Drop what is kept."""


class CachedInMemory(_Cached):
    """Elements kept in memory; see `Dataset.cache`."""

    def __init__(self, source: Dataset) -> None:
        super().__init__(source)
        self._elements: list[Any] | None = None

    def _is_filled(self) -> bool:
        return self._elements is not None

    def cardinality(self) -> int:
        """Return the number of elements, known after the first pass."""
        return super().cardinality() if self._elements is None else len(self._elements)

    def _forget(self) -> None:
        self._elements = None

    def _open(self, run: Run) -> Cursor:
        if self._elements is not None:
            return IndexedCursor(_Kept(self._elements))
        return _KeepingCursor(self, self._source._open(run), run.get(self))


class _Kept:
    """A list of elements, reached by number."""

    def __init__(self, elements: list[Any]) -> None:
        self._elements = elements

    def _length(self) -> int:
        return len(self._elements)

    def _element(self, index: int) -> Any:
        return self._elements[index]

    def _rows(self, where: slice | np.ndarray) -> Any:
        assert isinstance(where, slice)
        return stack(self._elements[where], "Dataset.batch")


class _KeepingCursor(Cursor):
    # `skip` is that of the base: what is skipped must be kept too.
    def __init__(self, owner: CachedInMemory, source: Cursor, by: Any) -> None:
        self._owner = owner
        self._source = source
        self._by = by
        self._elements: list[Any] = []

    def __next__(self) -> Any:
        try:
            element = map_leaves(_frozen, next(self._source))
        except StopIteration:
            if self._owner._elements is None:
                self._owner._elements, self._owner._filled_by = self._elements, self._by
            raise
        self._elements.append(element)
        return element

    def close(self) -> None:
        self._source.close()


def _frozen(leaf: Any) -> Any:
    """Return a view that cannot be written to: later passes see the same memory."""
    if isinstance(leaf, np.ndarray):
        leaf = leaf.view()
        leaf.flags.writeable = False
    return leaf


class CachedInFiles(_Cached):
    """Elements kept in ``.npy`` files; see `Dataset.cache`.

    Beside ``name.npy`` (or ``name.0.npy``, ``name.image.npy``, … for elements of several arrays)
    stands ``name.json`` with the structure of the elements. It is written last: where it is, the
    arrays are whole.
    """

    def __init__(self, source: Dataset, filename: str | os.PathLike[str]) -> None:
        super().__init__(source)
        path = Path(filename)
        self._stem = path.with_suffix("") if path.suffix == ".npy" else path
        self._index = self._stem.with_name(self._stem.name + ".json")
        self._kept: Arrays | None = None

    def _is_filled(self) -> bool:
        return self._index.exists()

    def cardinality(self) -> int:
        """Return the number of elements, known after the first pass."""
        return self._arrays().cardinality() if self._is_filled() else super().cardinality()

    def _open(self, run: Run) -> Cursor:
        if self._is_filled():
            return IndexedCursor(self._arrays())
        return _WritingCursor(self, self._source._open(run), run.get(self))

    def _arrays(self) -> Arrays:
        if self._kept is None:
            structure = json.loads(self._index.read_text("utf-8"))
            length = structure["elements"]
            self._kept = Arrays(_from_json(structure["arrays"], self._load), length)
        return self._kept

    def _load(self, name: str) -> np.ndarray:
        # An array without bytes cannot be mapped.
        path = self._path(name)
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:
            return np.load(path, allow_pickle=False)

    def _path(self, name: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}{'.' if name else ''}{name}.npy")


class _WritingCursor(Cursor):
    # `skip` is that of the base: what is skipped must be written too.
    def __init__(self, owner: CachedInFiles, source: Cursor, by: Any) -> None:
        self._owner = owner
        self._source = source
        self._by = by
        self._files = ExitStack()
        self._writers: list[_NpyWriter] | None = None
        self._structure: Any = None
        self._count = 0

    def __next__(self) -> Any:
        try:
            element = next(self._source)
        except StopIteration:
            self._finish()
            raise
        if self._writers is None:
            self._start(element)
        assert self._writers is not None
        parts = [np.asarray(leaf) for _, leaf in leaves(element)]
        fits = len(parts) == len(self._writers) and all(
            writer.takes(part) for writer, part in zip(self._writers, parts)
        )
        if not fits:
            raise ValueError(
                f"Dataset.cache: all elements in files must have one shape, but element "
                f"{self._count} is {describe(element)}; put cache() before batch()."
            )
        for writer, part in zip(self._writers, parts):
            writer.write(part)
        self._count += 1
        return element

    def _start(self, element: Any) -> None:
        self._owner._stem.parent.mkdir(parents=True, exist_ok=True)
        self._structure = _to_json(element)
        self._writers = [
            _NpyWriter(
                self._files.enter_context(atomic_path(self._owner._path(name))), np.asarray(leaf)
            )
            for name, leaf in leaves(element)
        ]

    def _finish(self) -> None:
        writers, self._writers = self._writers, None
        if writers is None:
            return
        for writer in writers:
            writer.finish()
        self._files.close()  # renames the arrays
        with atomic_path(self._owner._index) as path:
            path.write_text(
                json.dumps({"elements": self._count, "arrays": self._structure}), "utf-8"
            )
        self._owner._filled_by = self._by

    def close(self) -> None:
        if self._writers is not None:  # broken off: leave nothing behind
            for writer in self._writers:
                writer.close()
            self._files.__exit__(GeneratorExit, GeneratorExit(), None)
        self._source.close()


class _NpyWriter:
    """Writes rows of one shape to a .npy file whose length is known only at the end."""

    def __init__(self, path: Path, first: np.ndarray) -> None:
        self._dtype, self._shape = first.dtype, first.shape
        if self._dtype.hasobject:
            raise TypeError("Dataset.cache: elements in files must be numbers, not objects.")
        self._count = 0
        self._file = open(path, "wb")  # noqa: SIM115 - closed by `finish` or `close`
        self._header()

    def _header(self) -> None:
        # NumPy leaves room in the header for the first axis to grow.
        description = np.lib.format.dtype_to_descr(self._dtype)
        shape = (self._count, *self._shape)
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": description, "fortran_order": False, "shape": shape}
        )

    def takes(self, array: np.ndarray) -> bool:
        """Whether a row has the right shape and dtype."""
        return array.shape == self._shape and array.dtype == self._dtype

    def write(self, array: np.ndarray) -> None:
        """Append a row."""
        self._file.write(array.tobytes())
        self._count += 1

    def finish(self) -> None:
        """Write how many rows there are, and close the file."""
        self._file.seek(0)
        self._header()
        self._file.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()


def _to_json(element: Any, name: str = "") -> Any:
    """Return the structure of an element for JSON, with names of files for arrays."""
    prefix = f"{name}." if name else ""
    if isinstance(element, tuple):
        return [_to_json(part, f"{prefix}{number}") for number, part in enumerate(element)]
    if isinstance(element, dict):
        return {key: _to_json(part, f"{prefix}{key}") for key, part in element.items()}
    return name


def _from_json(structure: Any, load: Any) -> Any:
    if isinstance(structure, list):
        return tuple(_from_json(part, load) for part in structure)
    if isinstance(structure, dict):
        return {key: _from_json(part, load) for key, part in structure.items()}
    return load(structure)
