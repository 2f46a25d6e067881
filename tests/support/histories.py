"""Histories of transactions over lists, and what is wrong with them.

Each transaction appends values, each unique, to the ends of some lists and returns the lists as they were before; a read returns
lists. So the end of each list says in which order all transactions wrote it, and each list that was returned says how far
that had come. From both and from the times of the clients follows an order that all transactions must fit into, one after the
other, each between its beginning and its end. A cycle is an anomaly.
"""

from __future__ import annotations

import graphlib
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Lists = Mapping[str, list[str]]
Edge = tuple[object, object]


@dataclass
class Operation:
    """What a client has asked for, and what it was answered. Times are those of the machine's monotonic clock."""

    began_ns: int
    ended_ns: int | None
    """None while it is not known whether it has happened."""
    appends: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The list and the value of each."""
    seen: Lists = field(default_factory=dict[str, list[str]])
    """The lists as they were before."""


def read_history(file: Path) -> list[Operation]:
    """Return the operations that a client has written: `{began, ended, appends, seen}`, one JSON object a line."""
    lines = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [
        Operation(each["began"], each["ended"], [(str(k), v) for k, v in each["appends"]], each["seen"])
        for each in map(json.loads, lines)
    ]


def anomalies(operations: Iterable[Operation], final: Lists) -> list[str]:
    """Return what is wrong with the answers, given how the lists are in the end."""
    done = list(operations)
    found = list(_writes(done, final))
    found += _reads(done, final)
    return found or list(_cycles(done, final))


def _writes(done: list[Operation], final: Lists) -> Iterator[str]:
    """Nothing acknowledged is lost, nothing is there twice, nothing is there that nobody has written."""
    there = {(key, value) for key, values in final.items() for value in values}
    for key, values in final.items():
        yield from (f"twice in list {key}: {value}" for value, n in Counter(values).items() if n > 1)
    for operation in done:
        missing = [append for append in operation.appends if append not in there]
        if missing and operation.ended_ns is not None:
            yield f"acknowledged and lost: {missing}"
        elif missing and len(missing) < len(operation.appends):
            yield f"half of a transaction: {missing} is missing of {operation.appends}"
    asked = {append for operation in done for append in operation.appends}
    yield from (f"nobody has appended {append}" for append in there - asked)


def _reads(done: list[Operation], final: Lists) -> Iterator[str]:
    """Every list that was seen is the beginning of the list as it is in the end."""
    for operation in done:
        for key, values in operation.seen.items():
            if values != final.get(key, [])[: len(values)]:
                yield f"list {key} was seen as {values[-3:]} after {len(values)}, and became something else"


def _cycles(done: list[Operation], final: Lists) -> Iterator[str]:
    """There is one order of all transactions that explains what they have seen, and it is that of time."""
    writer = {append: number for number, operation in enumerate(done) for append in operation.appends}
    happened = {writer[key, value] for key, values in final.items() for value in values}
    sorter: graphlib.TopologicalSorter[object] = graphlib.TopologicalSorter()
    for before, after in itertools.chain(
        _order_of_writes(writer, final), _order_of_reads(done, writer, final), _order_of_time(done, happened)
    ):
        if before != after:
            sorter.add(after, before)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        numbers = [node for node in error.args[1] if isinstance(node, int)]
        yield "no order of time explains: " + "; ".join(_shown(done[number]) for number in numbers)


def _order_of_writes(writer: Mapping[tuple[str, str], int], final: Lists) -> Iterator[Edge]:
    for key, values in final.items():
        for before, after in itertools.pairwise(values):
            yield writer[key, before], writer[key, after]


def _order_of_reads(
    done: list[Operation], writer: Mapping[tuple[str, str], int], final: Lists
) -> Iterator[Edge]:
    for number, operation in enumerate(done):
        for key, values in operation.seen.items():
            everything = final.get(key, [])
            if values:
                yield writer[key, values[-1]], number
            if len(values) < len(everything):
                yield number, writer[key, everything[len(values)]]


def _order_of_time(done: list[Operation], happened: set[int]) -> Iterator[Edge]:
    """What had ended when another one began comes before it: by one node for each end, in the order of time."""
    moments: list[tuple[float, int, int]] = []
    for number, operation in enumerate(done):
        if operation.ended_ns is not None or number in happened:
            moments.append((operation.began_ns, 0, number))
            moments.append((math.inf if operation.ended_ns is None else operation.ended_ns, 1, number))
    last: object = ("time", -1)
    for place, (_, is_end, number) in enumerate(sorted(moments)):
        if not is_end:
            yield last, number
            continue
        node = ("time", place)
        yield last, node
        yield number, node
        last = node


def _shown(operation: Operation) -> str:
    seen = {key: len(values) for key, values in operation.seen.items()}
    return f"{operation.appends} saw {seen} from {operation.began_ns} to {operation.ended_ns}"
