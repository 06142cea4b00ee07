"""The outputs of a model in a row, each with its name, and what belongs to each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapegrad.utils.lookup import suggestion

__all__ = ["Layout", "flat_outputs", "is_container"]

Path = tuple[Any, ...]


def is_container(value: Any) -> bool:
    """Whether a value is a list, tuple or dict."""
    return isinstance(value, list | tuple | dict)


def flat_outputs(y_pred: Any) -> list[Any]:
    """Return outputs in a row: lists in order, dicts in the order of their sorted keys."""
    return [_at(y_pred, path) for path in _paths(y_pred)]


class Layout:
    """How a model's outputs are nested, in which order they stand in a row, and their names.

    Parameters
    ----------
    y_pred
        Outputs: one, or lists, tuples and dicts of them.
    output_names
        The names that the model gives them, or None.

    Attributes
    ----------
    paths : list of tuple
        How each output is reached from the whole.
    names : list of str or None
        Their names: those of the model, or the keys of dicts; None for parts of lists.
    prefixes : list of str or None
        What stands before the names of their metrics, as Keras has it.
    """

    def __init__(self, y_pred: Any, output_names: Sequence[str] | None = None) -> None:
        given = list(output_names) if output_names else None
        self.single = not is_container(y_pred)
        self.keyed = isinstance(y_pred, dict)
        parts = list(y_pred.values()) if self.keyed else [] if self.single else list(y_pred)
        self.flat = not any(map(is_container, parts))
        order = None
        if self.keyed and self.flat and given is not None and set(given) == set(y_pred):
            order = given  # the model's own order goes before that of the alphabet
        self.paths = _paths(y_pred, order)
        if given is None or len(given) != len(self.paths):
            given = [None] * len(self.paths)  # type: ignore[list-item]
        self.names = [_name(path, name) for path, name in zip(self.paths, given)]
        self.prefixes: list[str | None] = [
            None if len(self.paths) == 1 else path[0] if self.keyed and self.flat else name
            for path, name in zip(self.paths, given)
        ]

    def __len__(self) -> int:
        return len(self.paths)

    def outputs(self, y_pred: Any) -> list[Any]:
        """Return the outputs in a row."""
        return [y_pred] if self.single else [_at(y_pred, path) for path in self.paths]

    def settings(self, given: Any, argument: str) -> list[Any]:
        """Return what was set for each output, in a row; None where nothing was.

        Parameters
        ----------
        given
            A list in the order of the outputs, a dict by their names, or nested as they are.
        argument
            What it is called, for errors.

        Raises
        ------
        ValueError
            If a name is unknown, or the number is not that of the outputs.
        """
        found = self._spread(given)
        if found is None:
            raise self._wrong_number(given, argument)
        if isinstance(given, dict):
            known = [str(key) for key in self._keys()]
            for name in given:
                if name not in self._keys():
                    raise ValueError(
                        f"{argument} names the output {name!r}, which the model does not have"
                        f"{self._listed()}.{suggestion(str(name), known)}"
                    )
        return found

    def data(self, given: Any, argument: str, needed: Sequence[bool]) -> list[Any]:
        """Return the arrays of each output, in a row; None where there is none.

        Parameters
        ----------
        given
            As for `settings`; also one array, for the only output that needs one.
        argument
            What it is called, for errors.
        needed
            Which outputs cannot go without.

        Raises
        ------
        ValueError
            If one that is needed is missing, or the number is not that of the outputs.
        """
        if not is_container(given):
            given = [given]
        found = self._spread(given)
        if found is None and not isinstance(given, dict) and len(given) == sum(needed):
            parts = iter(given)
            found = [next(parts) if wanted else None for wanted in needed]
        if found is None:
            raise self._wrong_number(given, argument)
        for key, part, wanted in zip(self._keys(), found, needed):
            if wanted and part is None:
                others = list(given) if isinstance(given, dict) else []
                hint = suggestion(str(key), [str(other) for other in others])
                raise ValueError(
                    f"{argument} lacks the output {key!r}; it has "
                    f"{', '.join(map(repr, others)) or 'no names'}.{hint}"
                )
        return found

    def _keys(self) -> list[Any]:
        return [path[0] for path in self.paths] if self.keyed else list(self.names)

    def _spread(self, given: Any) -> list[Any] | None:
        """Return the parts of a list or dict in the order of the outputs, None if it has others."""
        if self.single:
            if isinstance(given, dict) and self.names[0] is not None:
                return [given.get(self.names[0])]
            parts = list(given.values()) if isinstance(given, dict) else list(given)
            return parts if len(parts) == 1 else None
        if isinstance(given, dict):
            if self.flat:
                return [given.get(key) for key in self._keys()]
            return [_reach(given, path) for path in self.paths]
        if self.flat and len(given) == len(self):
            if not self.keyed:
                return list(given)
            by_alphabet = sorted(path[0] for path in self.paths)  # the order of a dict's parts
            return [given[by_alphabet.index(path[0])] for path in self.paths]
        if not self.flat:
            found = [_reach(given, path) for path in self.paths]
            return found if any(part is not None for part in found) else None
        return None

    def _wrong_number(self, given: Any, argument: str) -> ValueError:
        count = "1 output" if len(self) == 1 else f"{len(self)} outputs"
        if self.single:
            return ValueError(f"{argument} has {len(given)} entries for one output.")
        return ValueError(
            f"{argument} has {len(given)} entries, but the model has {count}{self._listed()}."
        )

    def _listed(self) -> str:
        names = [repr(name) for name in self.names if name is not None]
        return f" ({', '.join(names)})" if names else ""


def _paths(value: Any, order: Sequence[Any] | None = None) -> list[Path]:
    if not is_container(value):
        return [()]
    keys = (order or sorted(value)) if isinstance(value, dict) else range(len(value))
    return [(key, *path) for key in keys for path in _paths(value[key])]


def _name(path: Path, given: str | None) -> str | None:
    """Return the name of the output at a path, as its loss is named in Keras."""
    if not path or isinstance(path[-1], int):
        return None if given is None else "/".join([*map(str, path[:-1]), given])
    return "/".join(map(str, path))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _reach(value: Any, path: Path) -> Any:
    """Return what lies at a path, or None if it leads nowhere."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list | tuple) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value
