"""The checker of histories finds what it is there for."""

from __future__ import annotations

import pytest
from support.histories import Lists, Operation, anomalies


def wrote(began: int, ended: int | None, key: str, value: str, seen: list[str]) -> Operation:
    return Operation(began, ended, [(key, value)], {key: seen})


def read(began: int, ended: int, **seen: list[str]) -> Operation:
    return Operation(began, ended, [], seen)


FIRST, SECOND = wrote(0, 10, "x", "a", []), wrote(20, 30, "x", "b", ["a"])
UNKNOWN = wrote(20, None, "x", "b", ["a"])
BOTH = Operation(0, None, [("x", "a"), ("y", "b")], {"x": [], "y": []})


@pytest.mark.parametrize(
    ("history", "final", "said"),
    [
        ([FIRST, SECOND], {"x": ["a"]}, "acknowledged and lost"),
        ([FIRST, SECOND], {"x": ["a", "b", "a"]}, "twice"),
        ([FIRST], {"x": ["a", "b"]}, "nobody has appended"),
        ([BOTH], {"x": ["a"]}, "half of a transaction"),
        ([FIRST, SECOND, read(40, 50, x=["b"])], {"x": ["a", "b"]}, "became something else"),
        # The order of writes is not that of time.
        ([wrote(0, 10, "x", "a", []), wrote(20, 30, "x", "b", [])], {"x": ["b", "a"]}, "no order"),
        # A read that began after a write had ended does not see it.
        ([FIRST, SECOND, read(40, 50, x=["a"])], {"x": ["a", "b"]}, "no order"),
        # An older state after a newer one.
        ([FIRST, UNKNOWN, read(40, 50, x=["a", "b"]), read(60, 70, x=["a"])], {"x": ["a", "b"]}, "no order"),
        # Two lists of two moments.
        (
            [
                wrote(0, 100, "x", "a", []),
                wrote(0, 100, "y", "b", []),
                read(0, 100, x=["a"], y=[]),
                read(0, 100, x=[], y=["b"]),
            ],
            {"x": ["a"], "y": ["b"]},
            "no order",
        ),
        # Two transactions that did not see each other.
        (
            [
                Operation(0, 100, [("x", "a")], {"x": [], "y": []}),
                Operation(0, 100, [("y", "b")], {"x": [], "y": []}),
            ],
            {"x": ["a"], "y": ["b"]},
            "no order",
        ),
    ],
)
def test_an_anomaly_is_found(history: list[Operation], final: Lists, said: str) -> None:
    (found, *_) = anomalies(history, final)
    assert said in found


@pytest.mark.parametrize(
    ("history", "final"),
    [
        ([FIRST, SECOND, read(15, 50, x=["a"]), read(40, 50, x=["a", "b"])], {"x": ["a", "b"]}),
        ([FIRST, UNKNOWN, read(40, 50, x=["a"]), read(60, 70, x=["a", "b"])], {"x": ["a", "b"]}),
        ([FIRST, UNKNOWN, read(40, 50, x=["a"])], {"x": ["a"]}),
        ([BOTH, read(5, 10, x=["a"], y=["b"])], {"x": ["a"], "y": ["b"]}),
        ([], {}),
    ],
)
def test_what_may_happen_is_none(history: list[Operation], final: Lists) -> None:
    assert anomalies(history, final) == []
