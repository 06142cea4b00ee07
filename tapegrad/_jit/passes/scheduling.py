"""Joining operations into groups, and an order in which groups can run."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from tapegrad._jit.trace import Operation, Value


def effect_free_parts(operations: Iterable[Operation]) -> list[list[Operation]]:
    """The operations between effects, and each effect by itself.

    Within a part the order does not matter, as long as what is needed comes first.
    """
    parts: list[list[Operation]] = [[]]
    for operation in operations:
        if operation.is_effect:
            parts += [[operation], []]
        else:
            parts[-1].append(operation)
    return [part for part in parts if part]


class Groups:
    """Operations of one part, of which some are to run as one.

    Groups may be joined if nothing outside of them has to run after one of their operations and
    before another.
    """

    def __init__(self, operations: list[Operation]) -> None:
        self._operations = operations
        self._number = {id(op): number for number, op in enumerate(operations)}
        self._makers = {value: n for n, op in enumerate(operations) for value in op.results}
        self._group = list(range(len(operations)))
        self._members = [[number] for number in range(len(operations))]
        self._needs: list[set[int]] = [
            {self._makers[value] for value in op.inputs if value in self._makers}
            for op in operations
        ]

    def maker(self, value: Value) -> Operation | None:
        """The operation of this part that gives a value."""
        number = self._makers.get(value)
        return None if number is None else self._operations[number]

    def joined(self, first: Operation, second: Operation) -> list[Operation]:
        """The operations that would be one group."""
        groups = {self._group[self._number[id(op)]] for op in (first, second)}
        numbers = sorted(number for group in groups for number in self._members[group])
        return [self._operations[number] for number in numbers]

    def may_join(self, first: Operation, second: Operation) -> bool:
        """Whether the groups of two operations can run as one."""
        one, other = (self._group[self._number[id(op)]] for op in (first, second))
        if one == other:
            return False
        inside = {one, other}
        waiting = [g for group in inside for g in self._needed(group) if g not in inside]
        seen = set(waiting)
        while waiting:
            for needed in self._needed(waiting.pop()):
                if needed in inside:
                    return False
                if needed not in seen:
                    seen.add(needed)
                    waiting.append(needed)
        return True

    def _needed(self, group: int) -> set[int]:
        return {self._group[n] for member in self._members[group] for n in self._needs[member]} - {
            group
        }

    def join(self, first: Operation, second: Operation) -> None:
        """Make one group of the groups of two operations."""
        one, other = (self._group[self._number[id(op)]] for op in (first, second))
        self._members[one] = sorted(self._members[one] + self._members[other])
        for number in self._members[other]:
            self._group[number] = one
        self._members[other] = []

    def in_order(self) -> list[list[Operation]]:
        """All groups, each after those that it needs, otherwise as the operations were."""
        groups = [group for group, members in enumerate(self._members) if members]
        needed = {group: self._needed(group) for group in groups}
        users: dict[int, list[int]] = {group: [] for group in groups}
        for group, sources in needed.items():
            for source in sources:
                users[source].append(group)
        missing = {group: len(sources) for group, sources in needed.items()}
        ready = [(self._members[g][0], g) for g in groups if not missing[g]]
        heapq.heapify(ready)
        ordered = []
        while ready:
            _, group = heapq.heappop(ready)
            ordered.append([self._operations[number] for number in self._members[group]])
            for user in users[group]:
                missing[user] -= 1
                if not missing[user]:
                    heapq.heappush(ready, (self._members[user][0], user))
        return ordered
