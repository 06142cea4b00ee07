"""Where to put the nodes of a directed graph: in layers, with few crossings and short edges.

The method of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system
structures", 1981): nodes get ranks, long edges get a place in each rank that they pass, ranks are
sorted by the mean place of their neighbours, and places are then pulled towards these.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Layout", "lay_out", "ranks_of"]

_SWEEPS = 12


class Layout:
    """Places of nodes and the points that edges run through.

    Attributes
    ----------
    rank : list of int
        Each node's rank, from 0.
    place : list of float
        Each node's centre within its rank, from 0.
    routes : dict
        For each edge ``(source, target)`` the centres that it passes in the ranks in between.
    """

    def __init__(self, rank: list[int], place: list[float]) -> None:
        self.rank = rank
        self.place = place
        self.routes: dict[tuple[int, int], list[tuple[int, float]]] = {}


def ranks_of(count: int, edges: Sequence[tuple[int, int]], sources_first: bool = True) -> list[int]:
    """Return each node's rank: one more than the largest of those from which edges lead to it.

    Parameters
    ----------
    count
        The number of nodes.
    edges
        As for `lay_out`.
    sources_first
        Whether nodes that no edge leads to stand in the first rank; otherwise they stand right
        before the first that they lead to.
    """
    rank = [0] * count
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        rank[target] = max(rank[target], rank[source] + 1)
    if not sources_first:
        led_to = {target for _, target in edges}
        for node in range(count):
            after = [rank[target] for source, target in edges if source == node]
            if node not in led_to and after:
                rank[node] = min(after) - 1
    return rank


def lay_out(
    widths: Sequence[float],
    edges: Sequence[tuple[int, int]],
    gap: float = 1.0,
    rank: Sequence[int] | None = None,
) -> Layout:
    """Find places for nodes.

    Parameters
    ----------
    widths
        What each node takes up within its rank.
    edges
        Pairs of nodes ``(source, target)``; sources have smaller numbers than targets.
    gap
        The space between neighbours.
    rank
        Each node's rank; without it that of `ranks_of`.

    Examples
    --------
    >>> layout = lay_out([1.0, 1.0, 1.0], [(0, 1), (0, 2)])
    >>> layout.rank, layout.place
    ([0, 1, 1], [1.0, 0.0, 2.0])
    """
    rank = list(ranks_of(len(widths), edges) if rank is None else rank)
    all_ranks, all_widths = list(rank), list(widths)
    links: list[tuple[int, int]] = []
    passed: dict[tuple[int, int], list[int]] = {}
    for source, target in edges:
        before, passed[source, target] = source, []
        for between in range(rank[source] + 1, rank[target]):
            all_ranks.append(between)
            all_widths.append(gap)
            links.append((before, len(all_ranks) - 1))
            before = len(all_ranks) - 1
            passed[source, target].append(before)
        links.append((before, target))
    place = _places(all_ranks, all_widths, links, gap)
    left = min(p for p in place[: len(widths)]) if widths else 0.0
    place = [p - left for p in place]
    layout = Layout(rank, place[: len(widths)])
    for edge, points in passed.items():
        layout.routes[edge] = [(all_ranks[point], place[point]) for point in points]
    return layout


def _places(
    ranks: list[int], widths: list[float], links: list[tuple[int, int]], gap: float
) -> list[float]:
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for node, rank in enumerate(ranks):
        rows[rank].append(node)
    above: list[list[int]] = [[] for _ in ranks]
    below: list[list[int]] = [[] for _ in ranks]
    for source, target in links:
        above[target].append(source)
        below[source].append(target)
    place = [0.0] * len(ranks)
    for row in rows:
        _spread(row, place, widths, gap)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for row in rows if down else reversed(rows):
            for node in row:
                if neighbours[node]:
                    near = [place[other] for other in neighbours[node]]
                    place[node] = sum(near) / len(near)
            row.sort(key=place.__getitem__)
            _separate(row, place, widths, gap)
    return place


def _spread(row: list[int], place: list[float], widths: list[float], gap: float) -> None:
    position = 0.0
    for node in row:
        place[node] = position + widths[node] / 2
        position += widths[node] + gap


def _separate(row: list[int], place: list[float], widths: list[float], gap: float) -> None:
    """Move neighbours apart that overlap, keeping the middle of each such group."""
    groups: list[tuple[list[int], float]] = []  # nodes, and the centre that they would like
    for node in row:
        groups.append(([node], place[node]))
        while len(groups) > 1:
            (first, one), (second, other) = groups[-2], groups[-1]
            width_one, width_other = _extent(first, widths, gap), _extent(second, widths, gap)
            if one + width_one / 2 + gap <= other - width_other / 2:
                break
            joined = first + second
            count = len(joined)
            # Each group is content where its members are on average.
            shift = (width_one + gap + width_other) / 2
            middle = (
                len(first) * (one + shift - width_one / 2)
                + len(second) * (other - shift + width_other / 2)
            ) / count
            groups[-2:] = [(joined, middle)]
    for nodes, centre in groups:
        position = centre - _extent(nodes, widths, gap) / 2
        for node in nodes:
            place[node] = position + widths[node] / 2
            position += widths[node] + gap


def _extent(nodes: list[int], widths: list[float], gap: float) -> float:
    return sum(widths[node] for node in nodes) + gap * (len(nodes) - 1)
