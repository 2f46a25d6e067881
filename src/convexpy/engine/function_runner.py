"""Running functions for callers outside: over HTTP, for sessions, and for actions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from convexpy.access import APP_ACCESS, Caller
from convexpy.engine.call_log import CallLog
from convexpy.engine.outcome import Outcome, Presenter, new_request_id, outcome_of, request_id_of
from convexpy.engine.query_cache import QueryCache
from convexpy.engine.registry import canonical_path
from convexpy.engine.timeline import LogTimeline
from convexpy.engine.versions import LiveVersion
from convexpy.errors import AuthError, RequestError
from convexpy.protocol.frames import SEED_BYTES, Call, CallFailure, Kind, Request
from convexpy.protocol.sync import Authenticate
from convexpy.runtime import Clock, secure_random
from convexpy.sync.entries import QueryEntry, QueryOutcome, Run
from convexpy.sync.interface import Done

FUTURE_MAX_NS = 3_600 * 10**9
PASSING_FAILURES = ("ExecutorLost", "FunctionRefused")
"""Failures of queries that the server made, without knowing what the query reads."""
_decode = msgspec.json.Decoder().decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def canonical_args(args: bytes) -> bytes:
    """Return the one object of `[{}]` or `{}` as canonical JSON; anything else as it came: the function refuses it."""
    try:
        value = _decode(args)
        if isinstance(value, list) and len(value) <= 1:
            value = value[0] if value else {}
        return _encode_sorted(value) if isinstance(value, dict) else args
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return args


class FunctionRunner:
    """Runs functions for callers outside, and logs what ran."""

    def __init__(
        self,
        *,
        live: LiveVersion,
        timeline: LogTimeline,
        cache: QueryCache,
        log: CallLog,
        presenter: Presenter,
        authenticate: Callable[[Authenticate, Callable[[Caller | AuthError], None]], None],
        open_variables: Callable[[str, bytes], bytes],
        next_call: Callable[[], int],
        clock: Clock,
    ) -> None:
        """`open_variables` returns the result of a function (its path, wire JSON) with variables in plain text."""
        self._live = live
        self._timeline = timeline
        self._cache = cache
        self._log = log
        self.presenter = presenter
        self._authenticate = authenticate
        self._open_variables = open_variables
        self._next_call = next_call
        self._clock = clock

    # One call

    def call(
        self,
        kind: Kind,
        path: str,
        args: bytes,
        caller: Caller,
        done: Callable[[Outcome], None],
        *,
        request_id: str,
        origin: str,
        session: str = "",
        request: int = 0,
        client_address: str | None = None,
        user_agent: str | None = None,
        parent_job: str = "",
        rewind: bytes = b"",
    ) -> None:
        """Run a function; `done` gets its outcome. A refusal is an outcome too."""
        live = self._live
        refusal = live.registry.refusal(kind, path, caller.access)
        if refusal is not None:
            refusal.ts, refusal.row = self._timeline.ts, self._timeline.row
            self._log.end(kind, path, refusal, request_id, origin, caller)
            done(refusal)
            return
        # Of an earlier moment, or about the deployment: these run.
        is_system = path.startswith("_system/")
        is_cached = kind == "query" and not rewind and not is_system
        claims = caller.claims
        known = self._cache.find(path, args, claims) if is_cached else None
        if known is not None:
            self._log.end(kind, path, known, request_id, origin, caller)
            done(known)
            return
        call = Call(
            self._next_call(),
            kind,
            path,
            args,
            request_id,
            self._clock.now_ns() // 1_000_000,
            claims or None,
            session,
            request,
            None,
            client_address,
            user_agent,
            parent_job=parent_job,
            rewind=rewind,
            seed=secure_random.randbytes(SEED_BYTES) if kind == "mutation" else b"",
            key=caller.key_id or ("first" if caller.admin else ""),
        )

        def finished(outcome: Outcome) -> None:
            if is_system:
                self._open(path, outcome)
            else:
                self._log.end(kind, path, outcome, request_id, origin, caller)
            done(outcome)

        if kind == "mutation":
            live.mutations.submit(call, finished)
        elif kind == "query":

            def ran(outcome: Outcome, stale: bool) -> None:
                if is_cached and not stale:
                    self._cache.keep(path, args, claims, outcome)
                finished(outcome)

            live.queries.submit(call, ran)
        else:
            function = live.registry.get(path)
            live.actions.submit(call, finished, None if function is None else function.timeout_s)

    async def run(self, kind: Kind, path: str, args: bytes, caller: Caller, **context: Any) -> Outcome:
        """Run a function and wait for its outcome."""
        context.setdefault("request_id", new_request_id())
        context.setdefault("origin", "HttpApi")
        return await outcome_of(lambda done: self.call(kind, path, args, caller, done, **context))

    def _open(self, path: str, outcome: Outcome) -> None:
        """Executors hold variables as they are stored; the key is the server's."""
        if outcome.failure is None and path.startswith("_system/"):
            outcome.value = self._open_variables(path, outcome.value)

    async def serve(self, call: Call, request: Request) -> tuple[bytes, CallFailure | None]:
        """Run a function for an action."""
        payload: dict[str, Any] = _decode(request.payload)
        caller = Caller(call.identity or b"", APP_ACCESS)
        try:
            path = canonical_path(payload["path"])
        except RequestError as error:
            return b"null", CallFailure(error.code, error.message, function=call.path)
        outcome = await self.run(
            payload["kind"],
            path,
            _encode_sorted(payload["args"]),
            caller,
            request_id=call.request_id,
            origin="Action",
            parent_job=call.parent_job,
        )
        return outcome.value, outcome.failure

    # For sessions (sync.Backend and sync.QueryRunner)

    def authenticate(self, message: Authenticate, done: Callable[[Caller | AuthError], None]) -> None:
        """Check the token or key of a session; `done` is called at once unless keys must be fetched."""
        self._authenticate(message, done)

    def canonical_args(self, args: bytes) -> bytes:
        """Return the one object of the arguments as canonical JSON, or what came in its place."""
        return canonical_args(args)

    def canonical_path(self, path: str) -> str:
        """Return the canonical path, or the text as it came: then no function has it."""
        try:
            return canonical_path(path)
        except RequestError:
            return path

    def run_mutation(
        self, path: str, args: bytes, caller: Caller, session: str, request: int, done: Callable[[Done], None]
    ) -> None:
        """Run a mutation of a session; repeated after a reconnect it answers what it answered."""
        request_id = request_id_of(session, request)

        def finished(outcome: Outcome) -> None:
            done(self.presenter.done(request_id, outcome))

        self.call(
            "mutation", path, args, caller, finished,
            request_id=request_id, origin="SyncWorker", session=session, request=request,
        )  # fmt: skip

    def run_action(
        self, path: str, args: bytes, caller: Caller, session: str, request: int, done: Callable[[Done], None]
    ) -> None:
        """Run an action of a session."""
        request_id = request_id_of(session, request)

        def finished(outcome: Outcome) -> None:
            done(self.presenter.done(request_id, outcome))

        self.call("action", path, args, caller, finished, request_id=request_id, origin="SyncWorker")

    def run_query(self, entry: QueryEntry, run: Run) -> None:
        """Run a subscribed query at the newest durable row."""
        key = entry.key
        request_id = new_request_id()
        caller = Caller(entry.caller, key.access)
        refusal = self._live.registry.refusal("query", key.path, key.access)

        def finished(outcome: Outcome, stale: bool) -> None:
            self._log.end("query", key.path, outcome, request_id, "SyncWorker", caller)
            self._open(key.path, outcome)
            failure, result = outcome.failure, outcome.result
            run.finish(
                QueryOutcome(
                    outcome.row,
                    stale,
                    outcome.value,
                    None if failure is None else self.presenter.message(request_id, failure),
                    None if failure is None else failure.detail,
                    None if failure is None else failure.data,
                    self.presenter.log_lines(outcome.logs),
                    None if result is None else result.journal,
                    [] if result is None else result.reads,
                    result is not None and result.reads_identity,
                    failure is not None and failure.code in PASSING_FAILURES,
                )
            )

        if refusal is not None:
            refusal.row = self._timeline.row
            asyncio.get_running_loop().call_soon(finished, refusal, False)
            return
        call = Call(
            self._next_call(), "query", key.path, key.args, request_id, self._clock.now_ns() // 1_000_000,
            entry.caller or None, journal=key.journal,
        )  # fmt: skip
        self._live.queries.submit(call, finished)

    def observed(self, ts: int) -> bool:
        """Keep timestamps growing for a client that has seen a later one; False when that is beyond reason."""
        if ts <= self._timeline.ts:
            return True
        if ts > time.time_ns() + FUTURE_MAX_NS:
            return False
        self._live.mutations.raise_ts(ts)
        return True
