"""The executor: runs queries and mutations one after another, each at the row of the log where its stream stands.

Pure of input and output: frames come in through `handle`, frames go out through `send`. A process (`worker.py`) or a
direct call (`convexpy.testing`) stands around it. Queries and mutations are one program; what the server sends decides
which of them this executor runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from convexpy.database import (
    Replay,
    Store,
    Transaction,
    TransactionRecord,
    WriteSet,
    decode_rewind,
    end_transaction,
)
from convexpy.errors import ArgumentError, InvariantViolation, LimitExceeded
from convexpy.limits import MIB, PUSH_FILES_MAX, TransactionBudget
from convexpy.persistence import StoreUnreachable, storage_refusal
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.frames import (
    NO_DATABASE,
    Accepted,
    Call,
    CallFailure,
    CheckpointMoved,
    DropSpeculation,
    FromExecutor,
    OwnCommit,
    Result,
    Row,
    ToExecutor,
)
from convexpy.protocol.scheduled_jobs import HAS_RUN, NOT_RUN, error_text, skipped_text
from convexpy.protocol.system import encode_plain, pushes
from convexpy.runtime import secure_random
from convexpy.sandbox import capture, guards, jobs, system, tracebacks
from convexpy.sandbox.damage import ENGINE_ERRORS_MAX, ExecutorDamaged, Health, ends_in_engine
from convexpy.sandbox.failures import failure_of, memory_error
from convexpy.sandbox.host import CallContext, find_function, run_function
from convexpy.sandbox.loader import LoadedApp
from convexpy.sandbox.replays import decode_stored, encode_stored
from convexpy.schema import Schema
from convexpy.values import decode_wire, encode_result

Send = Callable[[FromExecutor], None]
PUSH_BUDGET = TransactionBudget(
    bytes_read=64 * MIB,
    bytes_written=64 * MIB,
    documents_read=8 * PUSH_FILES_MAX,
    documents_written=8 * PUSH_FILES_MAX,
    database_queries=8 * PUSH_FILES_MAX,
)
"""What the transactions of a push may use: the files of a version, as many as it may have, in the place of others."""
PUSH_PATHS = frozenset(
    call.path
    for call in (
        pushes.BeginPush,
        pushes.ActivateVersion,
        pushes.AbortPush,
        pushes.FinishIndexes,
        pushes.ForgetDeleted,
        pushes.ListVersions,
    )
)
SYSTEM_BUDGET = TransactionBudget()
"""What system functions may use, whatever the deployment grants its app."""


class Executor:
    """One executor's state: the loaded app, its view of the store, and the epoch of its speculation."""

    def __init__(
        self,
        app: LoadedApp,
        store: Store,
        settings: ExecutorSettings,
        send: Send,
        health: Health | None = None,
    ) -> None:
        self.app = app
        self.store = store
        self._settings = settings
        self._send = send
        self._epoch = 0
        self._health = health
        self._engine_errors = 0
        self._json = msgspec.json.Decoder()
        self._ids = secure_random
        self._pending_schema: Schema | None = None

    def handle(self, frame: ToExecutor) -> None:
        """Take one frame from the server, in stream order."""
        if type(frame) is Call:
            self._call(frame)
            return
        match frame:
            case Row():
                self.store.row(frame.seq, frame.ts, frame.entry)
            case OwnCommit():
                self.store.own_commit(frame.seq, frame.ts, frame.last_call)
            case CheckpointMoved():
                self.store.checkpoint(frame.seq)
            case Accepted():
                record = msgspec.msgpack.decode(frame.writes, type=TransactionRecord)
                self.store.accept(frame.call, WriteSet(record, frame.writes, frame.max_creation_time))
            case DropSpeculation():
                self._epoch = frame.epoch
                self.store.drop_speculation()
            case _:
                raise InvariantViolation(f"an executor was sent {type(frame).__name__}")

    def _call(self, call: Call) -> None:
        started = time.perf_counter()
        sink = capture.LogSink(self._settings.knobs.log_bytes_per_call, function=call.path)
        token = capture.current_sink.set(sink)
        transaction: Transaction | None = None
        try:
            if call.kind == "mutation" and call.session and self._repeat(call):
                return
            transaction = self._begin(call)
            if call.job:
                self._run_job(call, transaction, sink, started)
                return
            value = self._run(call, transaction, arguments(call.args))
            self._succeed(call, transaction, value, sink, started)
        except ExecutorDamaged:
            raise
        except MemoryError as error:
            # What is half-built inside this process cannot be trusted: answer, then let the server replace it.
            self._fail(call, transaction, memory_error(call, self._settings, error), sink, started)
            raise SystemExit(70) from error
        except BaseException as error:  # noqa: BLE001 - the edge of a function call: this is its outcome
            self._require_health(error)
            try:
                self._fail(call, transaction, error, sink, started)
            except Exception as failed:
                raise ExecutorDamaged(tracebacks.describe_error(failed)) from failed
            tracebacks.release(error)
            self._require_success()
        finally:
            if transaction is not None:
                end_transaction(transaction, call.path)
            capture.current_sink.reset(token)

    def _require_health(self, error: BaseException) -> None:
        """Refuse to answer with an error that is none of the function's: the call runs again elsewhere.

        Raises:
            ExecutorDamaged: the engine failed because of what app code has replaced or closed, or for want of the database.
        """
        if not ends_in_engine(error):
            return
        if isinstance(error, StoreUnreachable):
            raise ExecutorDamaged(f"{NO_DATABASE}: {error}") from error
        self._engine_errors += 1
        complaint = "" if self._health is None else self._health.complaint()
        if storage_refusal(error, Path(self._settings.data_folder)) is not None:
            complaint = complaint or f"the database cannot be read ({error})"
        if complaint:
            raise ExecutorDamaged(complaint) from error

    def _require_success(self) -> None:
        """Give up when nothing but errors comes out of the engine: something is damaged that nobody looks at.

        Raises:
            ExecutorDamaged: that is so; the last call has its answer.
        """
        if self._engine_errors >= ENGINE_ERRORS_MAX:
            raise ExecutorDamaged(f"its last {ENGINE_ERRORS_MAX} calls ended with errors of the engine")

    def _begin(self, call: Call) -> Transaction:
        writable = call.kind in ("mutation", "system")
        budget = self._settings.knobs.transaction
        if call.kind == "system" or call.path.startswith("_system/"):
            is_push = call.path in PUSH_PATHS
            # A deployment with narrow limits must still take a push.
            budget = PUSH_BUDGET if is_push else SYSTEM_BUDGET
        # Half a millisecond apart: mutations that run beside each other give their documents different times.
        now_ms = call.now_ms + 0.5 if call.beside else call.now_ms
        transaction = self.store.begin(writable=writable, now_ms=now_ms, budget=budget, random=self._ids)
        transaction.schema = self.app.schema
        transaction.pending_schema = self._pending_schema
        transaction.journal_in = call.journal
        if call.rewind:
            transaction.rewind(decode_rewind(call.rewind))
        return transaction

    def _run_job(self, call: Call, transaction: Transaction, sink: capture.LogSink, started: float) -> None:
        """Run a job that is still due, and write how it ended, in this one transaction.

        The answer's value says whether it ran. A failed function is not a failed transaction: its writes are dropped, that
        it failed is kept.
        """
        run = jobs.find_run(transaction, call.job)
        if run is None or not run.is_due(call.now_ms):
            self._succeed(call, transaction, NOT_RUN, sink, started)
            return
        call = msgspec.structs.replace(call, path=run.path)
        failure: CallFailure | None = None
        began_ms = self.store.clock.now_ns() / 1e6
        transaction.push()
        try:
            self._run(call, transaction, run.args)
            transaction.merge()
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 - the edge of a function call: this is its outcome
            self._require_health(error)
            transaction.drop()
            failure = failure_of(error, run.path, self.app.marker)
            tracebacks.release(error)
        skipped = run.finish(
            error_text(failure),
            began_ms=began_ms,
            now_ms=self.store.clock.now_ns() / 1e6,
            request_id=call.request_id,
        )
        if skipped:
            sink.add("WARN", skipped_text(skipped, run.path))
        self._succeed(call, transaction, HAS_RUN, sink, started, failure)

    def _run(self, call: Call, transaction: Transaction, args: dict[str, Any]) -> bytes:
        identity = self._json.decode(call.identity) if call.identity else None
        context = CallContext(
            app=self.app,
            settings=self._settings,
            transaction=transaction,
            identity=identity,
            request_id=call.request_id,
            seed=call.seed,
            now_ms=call.now_ms,
            parent_job=call.parent_job,
            set_pending_schema=self._set_pending_schema,
        )
        if call.kind == "system" or call.path.startswith("_system/"):
            with guards.guard("mutation"):
                value = encode_plain(system.run(call.path, context, args))
        else:
            definition = find_function(self.app, "query" if call.kind == "query" else "mutation", call.path)
            value = encode_result(run_function(context, definition, args))
        size_max = self._settings.knobs.result_bytes
        if len(value) > size_max:
            raise LimitExceeded(
                f"{call.path} returned {len(value)} bytes, more than the limit result_bytes: {size_max}",
                limit="result_bytes",
            )
        return value

    def _set_pending_schema(self, schema: Schema | None) -> None:
        self._pending_schema = schema

    def _repeat(self, call: Call) -> bool:
        """Answer a mutation that has run before with its stored outcome.

        Raises:
            RequestMismatch: what has run before is another caller's, or was another function or other arguments.
        """
        record = self.store.replay(call.session, call.request)
        if record is None:
            return False
        stored = decode_stored(call, record.result)
        self._send(
            _result(
                call,
                self._epoch,
                value=stored.value,
                logs=stored.logs,
                replayed_seq=-1 if record.seq is None else record.seq,
                replayed_ts=record.ts or 0,
            )
        )
        return True

    def _succeed(
        self,
        call: Call,
        transaction: Transaction,
        value: bytes,
        sink: capture.LogSink,
        started: float,
        failure: CallFailure | None = None,
    ) -> None:
        self._engine_errors = 0
        logs = sink.finish()
        replay: Replay | None = None
        if call.kind == "mutation" and call.session:
            replay = Replay(call.session, call.request, encode_stored(call, value, logs))
        writes, max_creation_time = b"", 0.0
        if call.kind in ("mutation", "system"):
            write_set = transaction.write_set(call.request_id, call.path, replay)
            if write_set is not None:
                if call.beside:
                    self.store.raise_creation_time(write_set.max_creation_time)
                else:
                    self.store.accept(call.id, write_set)
                writes, max_creation_time = write_set.encoded, write_set.max_creation_time
        self._send(
            _result(
                call,
                self._epoch,
                transaction,
                value=value,
                failure=failure,
                logs=logs,
                writes=writes,
                max_creation_time=max_creation_time,
                seconds=time.perf_counter() - started,
            )
        )

    def _fail(
        self,
        call: Call,
        transaction: Transaction | None,
        error: BaseException,
        sink: capture.LogSink,
        started: float,
    ) -> None:
        self._send(
            _result(
                call,
                self._epoch,
                transaction,
                failure=failure_of(error, call.path, self.app.marker),
                logs=sink.finish(),
                seconds=time.perf_counter() - started,
            )
        )


def arguments(data: bytes) -> dict[str, Any]:
    """Return a call's arguments: clients send `[{…}]` or `{…}`.

    Raises:
        ArgumentError: it is neither, or holds what is not a Convex value.
    """
    try:
        args = decode_wire(data)
    except ArgumentError as error:
        raise ArgumentError(error.message, code="ArgumentValidationError") from error
    if isinstance(args, list) and len(args) <= 1:
        args = args[0] if args else {}
    if not isinstance(args, dict):
        raise ArgumentError("a function takes one object of arguments", code="ArgumentValidationError")
    return args


def _result(
    call: Call,
    epoch: int,
    transaction: Transaction | None = None,
    *,
    value: bytes = b"null",
    failure: CallFailure | None = None,
    logs: list[Any],
    writes: bytes = b"",
    max_creation_time: float = 0.0,
    seconds: float = 0.0,
    replayed_seq: int | None = None,
    replayed_ts: int = 0,
) -> Result:
    if transaction is None:
        return Result(
            call.id, epoch, value, failure, logs, [], False, False, b"", 0.0, None, seconds, 0, 0, 0, 0,
            replayed_seq, replayed_ts,
        )  # fmt: skip
    reads = transaction.read_set
    used = transaction.charges
    reported = call.kind != "mutation" or call.beside
    return Result(
        call.id,
        epoch,
        value,
        failure,
        logs,
        cast("list[tuple[int, bytes, bytes | None]]", reads.encoded()) if reported else [],
        reads.identity,
        reads.call,
        writes,
        max_creation_time,
        transaction.journal_out,
        seconds,
        used.documents_read,
        used.documents_written,
        used.bytes_read,
        used.bytes_written,
        replayed_seq,
        replayed_ts,
        [f"{violation.table}/{violation.id}: {violation.message}" for violation in transaction.violations],
    )
