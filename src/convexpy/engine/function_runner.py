"""What sessions and HTTP routes ask of a deployment: run a function, subscribe to a query, check a caller."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from convexpy.auth import APP_ACCESS, Caller
from convexpy.engine.identities import Identities
from convexpy.engine.outcome import Outcome, Presenter, new_request_id, request_id_of
from convexpy.engine.registry import canonical_path
from convexpy.errors import RequestError
from convexpy.protocol.frames import SEED_BYTES, Call, CallFailure, Kind, LogLine, Request
from convexpy.runtime import secure_random
from convexpy.services.logs import Completion, FunctionLog
from convexpy.sync.entries import QueryEntry, QueryOutcome, Run
from convexpy.sync.interface import Done

if TYPE_CHECKING:
    from convexpy.deployment.deployment import Deployment

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
        self, deployment: Deployment, log: FunctionLog, presenter: Presenter, identities: Identities
    ) -> None:
        self._deployment = deployment
        self._log = log
        self.presenter = presenter
        self.identities = identities
        self.authenticate = identities.authenticate
        self._next_call = 0

    def next_call(self) -> int:
        """Return a fresh call id."""
        self._next_call += 1
        return self._next_call

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
        live = self._deployment.live
        refusal = live.registry.refusal(kind, path, caller.access)
        if refusal is not None:
            refusal.ts, refusal.row = self._deployment.timeline.ts, self._deployment.timeline.row
            self.log_end(kind, path, refusal, request_id, origin, caller)
            done(refusal)
            return
        call = Call(
            self.next_call(),
            kind,
            path,
            args,
            request_id,
            self._deployment.clock.now_ns() // 1_000_000,
            caller.claims or None,
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
            self.log_end(kind, path, outcome, request_id, origin, caller)
            self._open_variables(path, outcome)
            done(outcome)

        if kind == "mutation":
            live.mutations.submit(call, finished)
        elif kind == "query":
            live.queries.submit(call, lambda outcome, stale: finished(outcome))
        else:
            function = live.registry.get(path)
            live.actions.submit(call, finished, None if function is None else function.get("timeoutS"))

    async def run(self, kind: Kind, path: str, args: bytes, caller: Caller, **context: Any) -> Outcome:
        """Run a function and wait for its outcome."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        context.setdefault("request_id", new_request_id())
        context.setdefault("origin", "HttpApi")
        self.call(kind, path, args, caller, done, **context)
        return await future

    def log_end(
        self, kind: Kind, path: str, outcome: Outcome, request_id: str, origin: str, caller: Caller
    ) -> None:
        """Write the end of a call into the function log."""
        if path.startswith("_system/"):
            return
        result, failure = outcome.result, outcome.failure
        self._log.completion(
            Completion(
                kind.capitalize(),
                path,
                request_id,
                outcome.seconds,
                [] if kind == "action" else outcome.logs,
                None if failure is None else failure.traceback or failure.detail,
                origin,
                caller.described,
                0 if result is None else result.documents_read,
                0 if result is None else result.documents_written,
                0 if result is None else result.bytes_read,
                0 if result is None else result.bytes_written,
                len(outcome.value),
            ),
            known=failure is None or failure.code != "FunctionNotFound" or failure.function != path,
        )

    def _open_variables(self, path: str, outcome: Outcome) -> None:
        """Executors hold variables as they are stored; the key is the server's."""
        if outcome.failure is None and path.startswith("_system/"):
            outcome.value = self._deployment.variables.opened(path, outcome.value)

    def progress(self, call: Call, lines: list[LogLine]) -> None:
        """Log lines of an action that is still running."""
        kind = "HttpAction" if call.kind == "http" else "Action"
        self._log.progress(kind=kind, path=call.path, request_id=call.request_id, lines=lines)

    async def serve_action(self, call: Call, request: Request) -> tuple[bytes, CallFailure | None]:
        """Answer what an action asks (the operations of `functions._host.ActionHost`), or an HTTP action's connection."""
        if call.kind == "http" and request.operation.startswith("http_"):
            return await self._deployment.http_actions.serve(call, request)
        payload: dict[str, Any] = _decode(request.payload)
        if request.operation.startswith("storage_"):
            return await self._deployment.files.serve(call, request.operation, payload)
        if request.operation in ("schedule", "cancel"):
            return await self._deployment.scheduling.serve(call, request.operation, payload)
        if request.operation != "call":
            detail = "vector search: not in this version of convexpy"
            return b"null", CallFailure("NotAvailable", detail, function=call.path)
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
        deployment = self._deployment
        request_id = new_request_id()
        caller = Caller(entry.caller, key.access)
        refusal = deployment.live.registry.refusal("query", key.path, key.access)

        def finished(outcome: Outcome, stale: bool) -> None:
            self.log_end("query", key.path, outcome, request_id, "SyncWorker", caller)
            self._open_variables(key.path, outcome)
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
            refusal.row = deployment.timeline.row
            asyncio.get_running_loop().call_soon(finished, refusal, False)
            return
        call = Call(
            self.next_call(), "query", key.path, key.args, request_id, deployment.clock.now_ns() // 1_000_000,
            entry.caller or None, journal=key.journal,
        )  # fmt: skip
        deployment.live.queries.submit(call, finished)

    def observed(self, ts: int) -> bool:
        """Keep timestamps growing for a client that has seen a later one; False when that is beyond reason."""
        if ts <= self._deployment.timeline.ts:
            return True
        if ts > time.time_ns() + FUTURE_MAX_NS:
            return False
        self._deployment.raise_ts(ts)
        return True
