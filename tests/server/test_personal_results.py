"""One result for all callers, until a query asks who calls: then nobody is ever shown another's.

What a session is shown is compared with whom it was at that identity version, while sessions sign in, out and in as
somebody else, and while commits make a query start and stop to ask.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.issuer import Issuer
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket, add, remove

APP = """
from convexpy import ConvexError, internal_query, mutation, query

def asking(ctx):
    return ctx.db.query("asking").first() is not None

def subject(ctx):
    who = ctx.auth.get_user_identity()
    return who and who.subject

@mutation
def ask(ctx, on: bool):
    for row in ctx.db.query("asking").collect():
        ctx.db.delete(row["_id"])
    if on:
        ctx.db.insert("asking", {})

@mutation
def note(ctx) -> str | None:
    ctx.db.insert("notes", {"by": subject(ctx)})
    return subject(ctx)

@query
def always(ctx, n: int):
    return [subject(ctx), ctx.db.query("notes").count()]

@query
def maybe(ctx, n: int):
    return [subject(ctx) if asking(ctx) else "for all", n]

@internal_query
def hidden(ctx):
    return "hidden"

@query
def nested(ctx, n: int):
    # The one that asks fails, and its failure is caught: the result depends on the caller all the same.
    try:
        ctx.run_query(picky, n=n)
    except ConvexError as error:
        return [error.data, n]
    return ["nobody", n]

@query
def picky(ctx, n: int):
    if asking(ctx) and subject(ctx):
        raise ConvexError(subject(ctx))

@query
def how_often(ctx):
    print("ran")
    return ctx.db.query("notes").count()
"""
NAMES = ("ann", "ben", "cem", "dia")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(algorithm="EdDSA") as running:
        yield running


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with contextlib.closing(ServerProcess(tmp_path_factory.mktemp("personal") / "data")) as running:
        running.push_ok({"fn.py": APP, "auth_config.py": issuer.auth_config()})
        yield running


class Person:
    """A socket that remembers who it was at which identity version."""

    def __init__(self, server: ServerProcess, issuer: Issuer) -> None:
        self._key = server.admin_key
        self._issuer = issuer
        self.socket = SyncSocket(server.url)
        self.who: list[str | None] = [None]
        self.admin = [False]

    def become(self, name: str | None, how: str) -> None:
        """Authenticate: with a token, as an administrator who acts for the user, or not at all."""
        message: dict[str, Any] = {"tokenType": "None"}
        if how == "admin":
            message = {"tokenType": "Admin", "value": self._key}
            if name is not None:
                message["impersonating"] = {"issuer": "https://issuer.test", "subject": name}
        elif name is not None:
            message = {"tokenType": "User", "value": self._issuer.token(name)}
        self.socket.send(type="Authenticate", baseVersion=len(self.who) - 1, **message)
        self.who.append(name)
        self.admin.append(how == "admin")

    def check(self) -> None:
        """Compare what is shown with who it is shown to."""
        version = self.socket.version["identity"]
        who = self.who[version]
        for query_id, result in self.socket.results.items():
            if query_id == 9:
                assert (result == "hidden") is self.admin[version], (query_id, version, result)
            else:
                assert isinstance(result, list), result
                assert result[0] in (who, "for all", "nobody"), (query_id, version, who, result)


def queries(first: int) -> list[dict[str, Any]]:
    """Return queries that all sessions have in common."""
    return [
        add(first + n, path, n=n)
        for n, path in enumerate(["fn:always", "fn:maybe", "fn:nested", "fn:always", "fn:maybe"])
    ]


def test_nobody_is_shown_the_result_of_another_while_identities_and_data_change(
    server: ServerProcess, issuer: Issuer
) -> None:
    errors: list[BaseException] = []
    stopping = threading.Event()
    shown = [0] * 5

    def live(number: int) -> None:
        chance = random.Random(number)
        person = Person(server, issuer)
        with person.socket as socket:
            first = 10
            asked: list[str | None] = []
            socket.modify(*queries(first), add(9, "fn:hidden"))
            while not stopping.is_set():
                what = chance.random()
                if what < 0.5:
                    person.become(chance.choice([None, *NAMES]), chance.choice(["user", "admin"]))
                elif what < 0.6:
                    first += 10
                    socket.modify(*[remove(first - 10 + n) for n in range(5)], *queries(first))
                else:
                    socket.mutation(len(asked), "fn:note")
                    asked.append(person.who[-1])
                for _ in range(chance.randrange(1, 4)):
                    before = len(socket.received)
                    socket.transition()
                    for message in socket.received[before:]:
                        if message["type"] == "MutationResponse":
                            assert message["success"], message
                            assert message["result"] == asked[message["requestId"]]
                    person.check()
                    shown[number] += 1

    def run(number: int) -> None:
        try:
            live(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    try:
        for number in itertools.count():
            if errors or (min(shown) > 100 and number > 60):
                break
            # Whoever waits for a Transition gets one by this.
            server.call("mutation", "fn:ask", on=number % 2 == 0)
            server.call("mutation", "fn:note")
            if number % 10 == 0:
                # A new version: which of its functions ask who calls is not known yet.
                server.push_ok({"fn.py": f"{APP}# {number}", "auth_config.py": issuer.auth_config()})
    finally:
        stopping.set()
        while any(thread.is_alive() for thread in threads):
            server.call("mutation", "fn:note")
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def test_a_query_that_begins_to_ask_is_answered_for_each(server: ServerProcess, issuer: Issuer) -> None:
    server.call("mutation", "fn:ask", on=False)
    with contextlib.ExitStack() as stack:
        people = {name: Person(server, issuer) for name in NAMES}
        for name, person in people.items():
            stack.enter_context(person.socket)
            person.become(name, "user")
            person.socket.modify(add(0, "fn:maybe", n=77), add(1, "fn:nested", n=77))
            person.socket.until_result(0, lambda result: result == ["for all", 77])
        for on in (True, False, True):
            server.call("mutation", "fn:ask", on=on)
            for name, person in people.items():
                person.socket.until_result(
                    0, lambda result, on=on, name=name: result == [name if on else "for all", 77]
                )
                assert person.socket.results[1] == [name if on else "nobody", 77]
        with SyncSocket(server.url) as stranger:
            stranger.modify(add(0, "fn:maybe", n=77), add(1, "fn:nested", n=77))
            stranger.transition()
            assert stranger.results == {0: [None, 77], 1: ["nobody", 77]}


def test_a_query_that_never_asks_runs_once_for_all(server: ServerProcess, issuer: Issuer) -> None:
    with contextlib.ExitStack() as stack:
        people = [Person(server, issuer) for _ in range(8)]
        for number, person in enumerate(people):
            stack.enter_context(person.socket)
            person.become(NAMES[number % 4], "user")
            person.socket.modify(add(0, "fn:how_often"))
            person.socket.until_result(0, lambda _: True)
        before = people[0].socket.results[0]
        marks = _completions(server)
        server.call("mutation", "fn:note")
        for person in people:
            person.socket.until_result(0, lambda count: count == before + 1)
        wait_for(lambda: _completions(server) > marks, what="the log entry")
        assert _completions(server) == marks + 1


def _completions(server: ServerProcess) -> int:
    """Return how often the query has run, by the function log."""
    _, answer, _ = server.request("GET", "/api/stream_function_logs?cursor=0", admin=True)
    return sum(
        entry.get("identifier") == "fn:how_often" and entry["kind"] == "Completion"
        for entry in answer["entries"]
    )
