"""How many actions one client may run at once: by address, over its sockets and requests."""

from __future__ import annotations

import pytest

from convexpy.errors import RequestError
from convexpy.http.running import within_share
from convexpy.limits import Knobs
from convexpy.sync.calls import PendingCalls
from convexpy.sync.interface import Done
from convexpy.sync.shares import ActionShares

DONE = Done(b"null", None, None, b"[]")


def test_an_address_has_one_share_for_all_its_sockets_and_requests() -> None:
    shares = ActionShares(2)
    sockets = [PendingCalls(Knobs(), lambda message: None, shares.of("a")) for _ in range(2)]
    first = sockets[0].begin("action", 0, 0)
    assert first is not None
    with within_share(shares, "a"):
        assert sockets[1].begin("action", 0, 0) is None
        assert sockets[1].begin("mutation", 1, 0) is not None
        with pytest.raises(RequestError) as refused, within_share(shares, "a"):
            raise AssertionError
        assert (refused.value.status, refused.value.code) == (429, "TooManyConcurrentActions")
        with within_share(shares, "b"), within_share(shares, None):
            pass
    second = sockets[1].begin("action", 2, 0)
    assert second is not None
    sockets[0].end(first, DONE, answer=False)
    sockets[1].end(second, DONE, answer=True)
    assert not shares._running


def test_without_a_limit_nothing_is_refused() -> None:
    calls = PendingCalls(Knobs(actions_running_per_socket=5), lambda message: None, ActionShares(0).of("a"))
    assert [calls.begin("action", number, 0) is None for number in range(6)] == [False] * 5 + [True]


def test_arguments_that_wait_are_counted_in_bytes() -> None:
    calls = PendingCalls(Knobs(socket_buffer_bytes=100), lambda message: None, ActionShares(0).of("a"))
    large = calls.begin("mutation", 0, 101)
    assert large is not None
    assert calls.too_many_bytes
    calls.end(large, DONE, answer=True)
    assert not calls.too_many_bytes
