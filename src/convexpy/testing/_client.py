"""What a test does with the deployment of its app: call, subscribe, move the clock."""

from __future__ import annotations

import json as json_module
import queue
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import takewhile
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from convexpy.access import FULL_ACCESS, Caller, complete_identity
from convexpy.deployment import build_apps
from convexpy.engine.http_actions import Collecting
from convexpy.engine.outcome import Outcome
from convexpy.errors import Error
from convexpy.functions import call_of
from convexpy.limits import Knobs
from convexpy.protocol.frames import CallFailure, Kind
from convexpy.protocol.http_frames import HttpCall
from convexpy.protocol.sync import AddQuery, ModifyQuerySet
from convexpy.sandbox.running_action import raise_failure
from convexpy.sync import Session
from convexpy.testing._local import CLOUD_URL, SITE_URL, LocalDeployment
from convexpy.testing._surface import ConvexTest, Subscription
from convexpy.values import Duration, decode_wire, encode_wire, from_json, normalize, span_ms

if TYPE_CHECKING:
    import httpx

R = TypeVar("R")
ISSUER = "https://convexpy.test"
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def _identity(claims: dict[str, Any]) -> bytes:
    claims = {"issuer": ISSUER, "subject": "anonymous", **claims}
    return _encode_sorted(complete_identity(claims))


def _value(outcome: Outcome, convert: Callable[[Any], Any] | None) -> Any:
    __tracebackhide__ = True
    if outcome.failure is not None:
        _raise(outcome.failure)
    plain = decode_wire(outcome.value)
    return plain if convert is None else convert(plain)


def _raise(failure: CallFailure) -> NoReturn:
    """Raise what a function failed with; where it did stands in a note, which pytest shows."""
    __tracebackhide__ = True
    try:
        raise_failure(failure)
    except Exception as error:
        frames = takewhile(lambda line: line.startswith(" "), failure.traceback.splitlines()[1:])
        error.add_note("\n".join([f"in {failure.function}", *frames]))
        raise


class LocalTest(ConvexTest):
    """A deployment in memory, seen by one caller."""

    def __init__(self, local: LocalDeployment, caller: Caller | None = None) -> None:
        self._local = local
        self._caller = caller or Caller()

    def with_identity(self, **claims: Any) -> ConvexTest:
        """The same deployment, seen by this user; claims have Convex's keys."""
        return LocalTest(self._local, Caller(_identity(claims)))

    def _call(self, kind: Kind, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        __tracebackhide__ = True
        call = call_of(function, args, kwargs)
        caller = Caller(self._caller.claims, FULL_ACCESS)  # tests may call internal functions
        work = self._local.deployment.functions.run(
            kind, call.path, encode_wire(call.args), caller, origin="Tester"
        )
        return _value(self._local.wait(work), call.convert)

    def query(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a query as a client would."""
        __tracebackhide__ = True
        return self._call("query", function, args, kwargs)

    def mutation(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a mutation as a client would."""
        __tracebackhide__ = True
        return self._call("mutation", function, args, kwargs)

    def action(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run an action as a client would."""
        __tracebackhide__ = True
        return self._call("action", function, args, kwargs)

    def subscribe(self, function: Any, /, *args: Any, **kwargs: Any) -> Subscription[Any]:
        """Subscribe to a query."""
        call = call_of(function, args, kwargs)
        caller = Caller(self._caller.claims, FULL_ACCESS)
        return LocalSubscription(self._local, call.path, encode_wire(call.args), caller, call.convert)

    def run(self, function: Callable[[Any], R], /) -> R:
        """Call it with a `MutationCtx`, in one transaction."""
        return self._local.run(function)

    def advance(self, duration: Duration, /) -> None:
        """Move the clock; jobs and crons that fall due run, each at its time."""
        self._local.advance(span_ms(duration) / 1000)

    def finish_scheduled(self) -> None:
        """Run scheduled functions, and those that they schedule, until none is left."""
        self._local.finish_scheduled()

    def fetch(
        self,
        path: str,
        /,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        json: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request to the app's HTTP actions, or to a URL of `ctx.storage`."""
        import httpx

        sent = {
            "host": urlsplit(SITE_URL).netloc,
            **{name.lower(): text for name, text in (headers or {}).items()},
        }
        if json is not None:
            content = json_module.dumps(json)
            sent.setdefault("content-type", "application/json")
        body = content.encode() if isinstance(content, str) else content or b""
        if is_api_url(path):
            del sent["host"]
            return fetch_api(
                self._local, path, method=method, headers=sent, content=body, params=dict(params or {})
            )
        target, _, query = path.partition("?")
        query = "&".join(part for part in (query, urlencode(params or {})) if part)
        call = HttpCall(
            method,
            "http",
            sent["host"],
            target,
            query.encode(),
            [(name.encode("latin-1"), text.encode("latin-1")) for name, text in sent.items()],
            body,
            "127.0.0.1",
        )

        async def respond() -> Any:

            collecting = Collecting()
            reply = await self._local.deployment.http_actions.respond(call, collecting)
            return collecting.whole(reply)

        reply = self._local.wait(respond())
        return httpx.Response(
            reply.status,
            headers=reply.headers,
            content=reply.body,
            request=httpx.Request(method, SITE_URL + path),
        )


class _Inbox:
    """The transport of a session whose client is the test."""

    transitions_queued = 0

    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def send(self, *messages: bytes, transition: bool = False) -> None:
        for message in messages:
            self.messages.put(msgspec.json.decode(message))

    def close(self, code: int, reason: str) -> None:
        self.messages.put({"type": "Closed", "code": code, "reason": reason})


class LocalSubscription(Subscription[Any]):
    """A live query over a real session of the sync protocol."""

    def __init__(
        self,
        local: LocalDeployment,
        path: str,
        args: bytes,
        caller: Caller,
        convert: Callable[[Any], Any] | None,
    ) -> None:
        self._local = local
        self._path = path
        self._args = args
        self._caller = caller
        self._convert = convert
        self._inbox = _Inbox()
        self._latest: dict[str, Any] | None = None
        self._seen: dict[str, Any] | None = None
        self._session: Session | None = None

    def __enter__(self) -> Self:
        """Subscribe; the first result, not seen yet, is there when this returns."""
        deployment = self._local.deployment

        async def begin() -> Session:
            session = Session(deployment.hub, deployment.functions, self._inbox, Knobs(), chunks=False)
            session.act_for(self._caller)
            add = AddQuery(0, self._path, msgspec.Raw(b"[%s]" % self._args))
            session.receive(msgspec.json.encode(ModifyQuerySet(0, 1, [add])))
            return session

        self._session = self._local.wait(begin())
        self._next(timedelta(seconds=30))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Unsubscribe."""
        if self._session is not None:
            self._local.call_soon(self._session.close, 1000, "")

    def _next(self, timeout: Duration) -> None:
        try:
            while True:
                message = self._inbox.messages.get(timeout=span_ms(timeout) / 1000)
                for modification in message.get("modifications", ()):
                    self._latest = modification
                    return
        except queue.Empty:
            raise TimeoutError(f"no new result of {self._path} within {span_ms(timeout):g} ms") from None

    def _result(self) -> Any:
        latest = self._latest
        self._seen = latest
        if latest is None:
            raise Error("a subscription has results inside its `with` block only")
        if latest["type"] == "QueryFailed":
            data = encode_wire(from_json(latest["errorData"])) if "errorData" in latest else None
            raise_failure(CallFailure("FunctionError", latest["errorMessage"], data, function=self._path))
        plain = normalize(from_json(latest["value"]))
        return plain if self._convert is None else self._convert(plain)

    def _take_arrived(self) -> None:
        while not self._inbox.messages.empty():
            for modification in self._inbox.messages.get().get("modifications", ()):
                self._latest = modification

    @property
    def value(self) -> Any:
        """The latest result; raises what the query raised."""
        self._take_arrived()
        return self._result()

    def next(self, timeout: Duration = 5_000) -> Any:
        """The next result that was not seen yet; `TimeoutError` if none comes."""
        if self._latest is self._seen:
            self._next(timeout)
        return self._result()

    def __iter__(self) -> Iterator[Any]:
        """Yield each new result as it comes."""
        while True:
            yield self.next(30_000)


def is_api_url(path: str) -> bool:
    """Say whether this is a URL of the API origin, as functions hand them out, and not a path of an HTTP action."""
    return path.startswith(f"{CLOUD_URL}/")


def fetch_api(
    local: LocalDeployment,
    url: str,
    *,
    method: str,
    headers: dict[str, str],
    content: bytes,
    params: dict[str, str],
) -> httpx.Response:
    """Send a request through the routes that a server has."""
    import httpx

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=build_apps(local.deployment).api)  # type: ignore[arg-type]  # a bare callable
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, url, headers=headers, content=content, params=params or None)

    return local.wait(send())
