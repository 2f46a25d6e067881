"""The HTTP function API: `/api/query`, `/api/mutation`, `/api/action` and their relatives.

A function that fails is a successful answer: status 200 with `"status": "error"`. Only a request that cannot be
understood or is not allowed has another status.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from convexpy.access import ANONYMOUS, Caller, OperationNotPermitted, system_call
from convexpy.engine.function_runner import FunctionRunner
from convexpy.engine.history import History, OutOfRetention
from convexpy.engine.identities import Identities
from convexpy.engine.outcome import TRY_AGAIN, Outcome, Presenter, accepted_request_id, new_request_id
from convexpy.engine.registry import canonical_path
from convexpy.engine.timeline import LogTimeline
from convexpy.engine.versions import LiveVersion
from convexpy.errors import RequestError
from convexpy.http.identify import caller_of
from convexpy.http.messages import JSON_TYPE, HttpRequest, Response, decode_body, encode_json, json_response
from convexpy.http.routing import Routes, method_not_allowed
from convexpy.http.running import within_share
from convexpy.limits import BATCH_QUERIES_MAX
from convexpy.protocol.frames import Kind
from convexpy.protocol.sync import decode_ts, encode_ts
from convexpy.sync import ActionShares
from convexpy.values import decode_wire, encode_clean, encode_export

RUN_PATH = "/api/run/"
CLEAN = ("json", "convex_clean_json")
ENCODED = ("convex_encoded_json", "convex_json")
EXPORT = ("export_json",)
HISTORY_TRIES = 5


class FunctionCall(msgspec.Struct):
    """The body of a call."""

    path: str
    args: msgspec.Raw = msgspec.Raw(b"{}")
    format: str | None = None
    ts: str | None = None


class _Batch(msgspec.Struct):
    queries: list[msgspec.Raw]


class _RunBody(msgspec.Struct):
    args: msgspec.Raw = msgspec.Raw(b"{}")
    format: str | None = None


_OPEN = Presenter(redact=False)
_SUCCESS = b'{"status":"success","value":%s,"logLines":[]}'
_call_decoder = msgspec.json.Decoder(FunctionCall)


def _decode_call(data: bytes | msgspec.Raw) -> FunctionCall:
    try:
        return _call_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise RequestError(f"the body is not what this route takes: {error}", code="BadJsonBody") from error


def check_format(name: str | None) -> str:
    """Return the output format, `json` where none is asked for."""
    if name is None:
        return "json"
    if name not in (*CLEAN, *ENCODED, *EXPORT):
        raise RequestError(f"unknown format {name[:40]!r}: json or convex_encoded_json", code="BadFormat")
    return name


def in_format(value: bytes, name: str) -> bytes:
    """Return wire JSON in an output format."""
    if name in ENCODED:
        return value
    if name in EXPORT:
        return encode_export(decode_wire(value))
    # Only these need another form; most results have none of them.
    return encode_clean(decode_wire(value)) if b'"$' in value else value


def _check_access(caller: Caller, kind: Kind, path: str) -> None:
    operation = None if caller.access is None else caller.access.refused(kind, path)
    if operation is not None:
        raise OperationNotPermitted(operation)


def _request_id(request: HttpRequest) -> str:
    """Return the id that the client gave its request, or a fresh one."""
    return accepted_request_id(request.headers.get(b"convex-request-id"))


class FunctionApi:
    """The routes that call functions."""

    def __init__(
        self,
        *,
        functions: FunctionRunner,
        identities: Identities,
        live: LiveVersion,
        timeline: LogTimeline,
        history: History,
        shares: ActionShares,
    ) -> None:
        self._functions = functions
        self._identities = identities
        self._live = live
        self._timeline = timeline
        self._history = history
        self._shares = shares

    def routes(self) -> Routes:
        """Return the handlers."""
        return Routes(
            {
                ("POST", "/api/query"): partial(self.call, "query"),
                ("POST", "/api/mutation"): partial(self.call, "mutation"),
                ("POST", "/api/action"): partial(self.call, "action"),
                ("GET", "/api/query"): self.get_query,
                ("POST", "/api/function"): self.any_function,
                ("POST", "/api/query_ts"): self.query_ts,
                ("POST", "/api/query_at_ts"): self.query_at_ts,
                ("POST", "/api/query_batch"): self.query_batch,
            },
            below={RUN_PATH: self.run_path},
        )

    def answer(self, outcome: Outcome, request_id: str, format: str, caller: Caller = ANONYMOUS) -> bytes:
        """Return the JSON of an outcome. Who may read the logs is told what went wrong, in production too."""
        reads_logs = caller.access is not None and caller.access.allows("logs:view")
        presenter = _OPEN if reads_logs else self._functions.presenter
        logs = presenter.log_lines(outcome.logs)
        if outcome.failure is None:
            return b'{"status":"success","value":%s,"logLines":%s}' % (in_format(outcome.value, format), logs)
        message = encode_json(presenter.message(request_id, outcome.failure))
        data = presenter.data(outcome.failure)
        error_data = b"" if data is None else b',"errorData":%s' % in_format(data, format)
        return b'{"status":"error","errorMessage":%s%s,"logLines":%s}' % (message, error_data, logs)

    async def _run(self, kind: Kind, call: FunctionCall, caller: Caller, request: HttpRequest) -> bytes:
        request_id = _request_id(request)
        format = check_format(call.format or request.query("format"))
        path = canonical_path(call.path)
        _check_access(caller, kind, path)
        running = self._functions.run(
            kind,
            path,
            bytes(call.args),
            caller,
            request_id=request_id,
            client_address=request.client_address,
            user_agent=request.user_agent,
        )
        if kind == "action":
            with within_share(self._shares, request.client_address):
                outcome = await running
        else:
            outcome = await running
        return self._final(outcome, request_id, format, caller)

    def _final(self, outcome: Outcome, request_id: str, format: str, caller: Caller) -> bytes:
        """Return the answer to a call.

        Raises:
            RequestError: the deployment could not run it now (503).
        """
        if outcome.failure is not None and outcome.failure.code in TRY_AGAIN:
            raise RequestError(outcome.failure.detail, code=outcome.failure.code, status=503)
        return self.answer(outcome, request_id, format, caller)

    def call_directly(
        self,
        kind: Kind,
        body: bytes,
        answer: Callable[[bytes], None],
        fail: Callable[[Exception], None],
        *,
        request_id: bytes | None,
        client_address: str | None,
        user_agent: str | None,
    ) -> None:
        """Run the call of an anonymous client; `answer` or `fail` is called once, unless this raises.

        Raises:
            RequestError: the body is not a call.
        """
        call = _decode_call(body)
        id = new_request_id() if request_id is None else accepted_request_id(request_id)
        format = "json" if call.format is None else check_format(call.format)

        def finished(outcome: Outcome) -> None:
            if (
                outcome.failure is None
                and not outcome.logs
                and format == "json"
                and b'"$' not in outcome.value
            ):
                answer(_SUCCESS % outcome.value)  # as nearly always
                return
            try:
                body = self._final(outcome, id, format, ANONYMOUS)
            except Exception as error:  # noqa: BLE001 - the edge of a request: this is its response
                fail(error)
            else:
                answer(body)

        self._functions.call(
            kind,
            canonical_path(call.path),
            bytes(call.args),
            ANONYMOUS,
            finished,
            request_id=id,
            origin="HttpApi",
            client_address=client_address,
            user_agent=user_agent,
        )

    async def call(self, kind: Kind, request: HttpRequest) -> Response:
        """POST /api/query, /api/mutation, /api/action."""
        caller = await caller_of(self._identities, request)
        call = _decode_call(await request.json_body())
        return Response(200, await self._run(kind, call, caller, request), [JSON_TYPE])

    async def get_query(self, request: HttpRequest) -> Response:
        """GET /api/query, with `path` and `args` as parameters."""
        caller = await caller_of(self._identities, request)
        path = request.query("path")
        if path is None:
            raise RequestError("the parameter `path` is missing", code="MissingParameter")
        args: msgspec.Raw = decode_body((request.query("args") or "{}").encode(), msgspec.Raw)
        call = FunctionCall(path, args)
        return Response(200, await self._run("query", call, caller, request), [JSON_TYPE])

    async def any_function(self, request: HttpRequest) -> Response:
        """POST /api/function: whichever kind it is, internal ones too; admins only."""
        caller = await caller_of(self._identities, request)
        if not caller.admin:
            raise RequestError("this route needs an admin key", status=403, code="BadDeployKey")
        call = _decode_call(await request.json_body())
        return Response(200, await self._run(self._kind(call.path), call, caller, request), [JSON_TYPE])

    def _kind(self, path: str) -> Kind:
        if path.startswith("_system/"):
            system = system_call(path)
            return "query" if system is None else system.kind
        function = self._live.registry.get(canonical_path(path))
        kind: Kind = "query" if function is None else function.kind
        return kind

    async def run_path(self, request: HttpRequest) -> Response:
        """POST /api/run/{module path}/{function}."""
        if request.method != "POST":
            raise method_not_allowed(request)
        caller = await caller_of(self._identities, request)
        rest = request.path.removeprefix(RUN_PATH)
        parts = [urllib.parse.unquote(part) for part in rest.split("/")]
        if len(parts) < 2:
            raise RequestError("write /api/run/<module>/<function>", code="MissingIdentifier")
        body: _RunBody = decode_body(await request.json_body(), _RunBody)
        path = f"{'/'.join(parts[:-1])}:{parts[-1]}"
        call = FunctionCall(path, body.args, body.format)
        return Response(200, await self._run(self._kind(path), call, caller, request), [JSON_TYPE])

    async def query_ts(self, request: HttpRequest) -> Response:
        """POST /api/query_ts: the newest timestamp."""
        return json_response({"ts": encode_ts(self._timeline.ts)})

    async def query_at_ts(self, request: HttpRequest) -> Response:
        """POST /api/query_at_ts: the query as of a timestamp, which is kept for some minutes."""
        caller = await caller_of(self._identities, request)
        call = _decode_call(await request.json_body())
        if call.ts is None:
            raise RequestError("`ts` is missing", code="MissingParameter")
        ts = decode_ts(call.ts)
        if ts > self._timeline.ts:
            raise RequestError("`ts` is ahead of the newest commit", code="TimestampInFuture")
        request_id = _request_id(request)
        path, format = canonical_path(call.path), check_format(call.format)
        _check_access(caller, "query", path)
        for _ in range(HISTORY_TRIES):
            rewind = await self._history.rewind(ts)
            outcome = await self._functions.run(
                "query", path, bytes(call.args), caller, request_id=request_id, rewind=rewind
            )
            # An executor that was replaced meanwhile is at another row.
            if outcome.failure is None or outcome.failure.code != "HistoryMoved":
                return Response(200, self.answer(outcome, request_id, format), [JSON_TYPE])
        raise OutOfRetention

    async def query_batch(self, request: HttpRequest) -> Response:
        """POST /api/query_batch: several queries at one timestamp."""
        caller = await caller_of(self._identities, request)
        batch: _Batch = decode_body(await request.json_body(), _Batch)
        if len(batch.queries) > BATCH_QUERIES_MAX:
            raise RequestError(f"a batch has at most {BATCH_QUERIES_MAX} queries", code="TooManyQueries")
        calls = [_decode_call(each) for each in batch.queries]
        # All are sent in one turn of the loop, so no row comes between them.
        for call in calls:
            check_format(call.format)
            _check_access(caller, "query", canonical_path(call.path))
        tasks = [self._begin(call, caller, _request_id(request)) for call in calls]
        answers = [await task for task in tasks]
        return Response(200, b'{"results":[%s]}' % b",".join(answers), [JSON_TYPE])

    def _begin(self, call: FunctionCall, caller: Caller, request_id: str) -> Any:
        format = check_format(call.format)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._functions.call(
            "query",
            canonical_path(call.path),
            bytes(call.args),
            caller,
            future.set_result,
            request_id=request_id,
            origin="HttpApi",
        )

        async def finish() -> bytes:
            return self.answer(await future, request_id, format)

        return finish()
