"""System calls: each has one function, which returns what its type says, and crosses the wire as it was."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from convexpy.errors import ArgumentError
from convexpy.protocol.system import SYSTEM_CALLS, decode_call
from convexpy.protocol.system._call import _result_type
from convexpy.protocol.system.data import Bound, DeletedDocuments, DeleteDocuments, ReadPage
from convexpy.protocol.system.imports import BeginImport, ImportedTable, ImportRoom, TableRoom
from convexpy.protocol.system.pushes import KeepSources, SourcePart
from convexpy.protocol.system.scheduling import DueJob, ListUpcoming, ScheduleJob, UpcomingJobs
from convexpy.sandbox.system import HANDLERS
from convexpy.values import Int64, decode_wire


def test_every_call_has_a_function_that_returns_its_result() -> None:
    assert {path for path in HANDLERS if path.startswith("_system/")} == set(SYSTEM_CALLS)
    for call, function in HANDLERS.values():
        hints = get_type_hints(function)
        assert hints["call"] is call
        assert hints["return"] == _result_type(call), call.path


@pytest.mark.parametrize(
    "call",
    [
        KeepSources([SourcePart("ab", 1, b"\x00x")]),
        ScheduleJob(at=1.5, function="a:b", args={"n": Int64(3), "x": 1}, parent_job="p"),
        ReadPage(pagination_opts={"cursor": None}, table="t", lower=Bound("n", Int64(2), True), equal=[("a", 1)]),
        DeleteDocuments(ids=["a"]),
        BeginImport("i", "replace", [ImportedTable("t", None)]),
    ],
)  # fmt: skip
def test_arguments_cross_the_wire(call: object) -> None:
    assert decode_call(type(call), decode_wire(call.encode())) == call  # type: ignore[attr-defined, type-var]


def test_results_cross_the_wire() -> None:
    from convexpy.protocol.system import encode_plain

    upcoming = UpcomingJobs([DueJob("j", "a:b", 1.0, 2.5)], None)
    assert ListUpcoming(0, None, 0, 1).decode_result(encode_plain(upcoming)) == upcoming
    room = ImportRoom({"t": TableRoom(1, 2, [[], ["a"]], insert=False)}, ["c"], {"t": 1}, [2])
    assert BeginImport("i", "append", []).decode_result(encode_plain(room)) == room
    assert encode_plain(DeletedDocuments(2, is_done=True)) == b'{"deleted":2,"isDone":true}'


def test_arguments_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(ArgumentError, match=r"_system/data:delete: .*`\$.ids"):
        decode_call(DeleteDocuments, {"ids": [1]})
