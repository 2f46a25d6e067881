"""The typed client of a deployment's function and admin API."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import msgspec

from convexpy.client._errors import DeploymentError, FunctionFailed
from convexpy.client._transport import Transport
from convexpy.protocol.admin_api import (
    ClaimedPreview,
    DeploymentStatus,
    FunctionReport,
    HealthReport,
    KeyAccess,
    KeyInfo,
    NewKey,
    PreviewInfo,
    PushFile,
    PushInfo,
    PushResult,
    RotatedKey,
    SigningKeyInfo,
    TableInfo,
    TableOutline,
    VariableInfo,
)
from convexpy.protocol.app_description import LiveApp
from convexpy.protocol.system import SystemCall
from convexpy.protocol.system.crons import ListCronRuns, ListCrons
from convexpy.protocol.system.scheduling import GetJob, ListJobs

if TYPE_CHECKING:
    import httpx

R = TypeVar("R")

# The server holds a waiting request for up to 60 s.
LOG_WAIT_S = 75.0
PUSH_TIMEOUT_S = 600.0
TRANSFER_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class FunctionResult:
    """The value that a function returned, as JSON, and what it printed."""

    value: Any
    log_lines: list[Any] = field(default_factory=list[Any])


class LogPage(msgspec.Struct, frozen=True, rename="camel"):
    """Log entries as the server keeps them, and where to go on; `lost` entries were gone before they could be read.

    The place is a cursor, how many entries there had been (`position`), and since when they are kept (`started`).
    """

    entries: list[dict[str, Any]]
    cursor: float = msgspec.field(name="newCursor")
    position: int = 0
    started: float = 0.0
    lost: int = 0
    restarted: bool = False


class AdminClient:
    """Talks to one deployment with an admin key, over a connection that is kept open. For one thread at a time.

    Every method raises `Unreachable` if nothing answers and `DeploymentError` if the deployment refuses.
    """

    def __init__(self, url: str, admin_key: str | None = None, *, source: str = "") -> None:
        self.url: str = url.rstrip("/")
        self.admin_key = admin_key
        self.source = source
        self._transport = Transport(url, admin_key, source=source)
        self._sent: set[str] = set()

    def clone(self) -> AdminClient:
        """Return a client of the same deployment with a connection of its own, for another thread."""
        return AdminClient(self.url, self.admin_key, source=self.source)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def abort(self) -> None:
        """Make a request that waits in another thread fail at once."""
        self._transport.abort()

    def streaming(
        self, method: str, path: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None = None
    ) -> AbstractContextManager[httpx.Response]:
        """Send a body as it comes, without the key, on a connection of its own; give the response to be read as it comes."""
        transport = Transport(self.url, source=self.source)
        return transport.streaming(method, path, headers, body, timeout_s=TRANSFER_TIMEOUT_S)

    # Functions

    def call(
        self,
        path: str,
        args: Mapping[str, Any],
        *,
        identity: Mapping[str, Any] | None = None,
        decode: bool = False,
        timeout_s: float = 900.0,
    ) -> FunctionResult:
        """Call any function, internal ones too. `args` and the value are Convex's JSON encoding.

        With `decode` the value comes as plain JSON, without `$integer` and `$bytes`.

        Raises:
            FunctionFailed: the function raised, or its arguments were refused.
        """
        body = {"path": path, "args": args, "format": "json" if decode else "convex_encoded_json"}
        acting_as = None
        if identity is not None:
            acting_as = base64.b64encode(json.dumps(dict(identity)).encode()).decode()
        answer = self._transport.request(
            "POST", "/api/function", body, timeout_s=timeout_s, acting_as=acting_as, repeatable=False
        )
        return result_of(answer)

    def app(self) -> LiveApp:
        """Return the description of the live version."""
        return msgspec.convert(self._transport.request("GET", "/api/convexpy/functions"), LiveApp)

    def run_system(self, call: SystemCall[R]) -> R:
        """Run a system call. Documents and objects in the result are plain JSON, without `$integer` and `$bytes`."""
        value = self.call(call.path, json.loads(call.encode()), decode=True).value
        return call.convert_result(value, strict=False)

    def tables(self) -> list[TableInfo]:
        """Return every table with its size and its indexes."""
        answer = self._transport.request("GET", "/api/convexpy/tables", timeout_s=LOG_WAIT_S)
        return msgspec.convert(answer["tables"], list[TableInfo])

    def table_outlines(self) -> list[TableOutline]:
        """Return every table with its indexes, at once: nothing is counted."""
        answer = self._transport.request("GET", "/api/convexpy/tables?sizes=0")
        return msgspec.convert(answer["tables"], list[TableOutline])

    # Pushes

    def push(
        self,
        files: Mapping[str, PushFile],
        config: Mapping[str, Any],
        *,
        dry_run: bool = False,
        everything: bool = False,
        options: Mapping[str, Any] | None = None,
        timeout_s: float = PUSH_TIMEOUT_S,
    ) -> PushResult:
        """Make these files the live version. Only contents that the server may not know are sent.

        `everything` sends all contents, `options` are more fields of the request, as a deploy has them. After the first push
        nothing needs to be asked: what was sent is known.
        """
        if everything:
            self._sent.clear()
        elif not self._sent:
            hashes = {path: file.sha256 for path, file in files.items()}
            missing = set(
                self._transport.request("POST", "/api/convexpy/push/plan", {"modules": hashes})["missing"]
            )
            self._sent |= {file.sha256 for path, file in files.items() if path not in missing}

        def send() -> PushResult:
            modules: dict[str, dict[str, str]] = {}
            for path, file in files.items():
                modules[path] = {"sha256": file.sha256}
                if file.sha256 not in self._sent:
                    modules[path]["source"] = base64.b64encode(file.content).decode()
            body = {"modules": modules, "config": dict(config), "dryRun": dry_run, **(options or {})}
            answer = self._transport.request("POST", "/api/convexpy/push", body, timeout_s=timeout_s)
            self._sent |= {file.sha256 for file in files.values()}
            return msgspec.convert(answer, PushResult)

        try:
            return send()
        except DeploymentError as error:
            if error.code != "MissingModules":
                raise
        # The server has forgotten what it knew, for instance since its folder was replaced.
        self._sent.clear()
        return send()

    # Environment variables and logs

    def environment(self) -> dict[str, str]:
        """Return the deployment's variables with their values."""
        answer = self._transport.request("GET", "/api/v1/list_environment_variables")
        return dict(answer["environmentVariables"])

    def described_environment(self) -> list[VariableInfo]:
        """Return every variable without its value; for keys that may not read values, too."""
        answer = self._transport.request("GET", "/api/convexpy/env")
        return msgspec.convert(answer["variables"], list[VariableInfo])

    def update_environment(self, changes: Mapping[str, str | None]) -> None:
        """Set variables, and remove those whose value is None: all of it or nothing."""
        listed = [{"name": name, "value": value} for name, value in changes.items()]
        self._transport.request("POST", "/api/update_environment_variables", {"changes": listed})

    def logs(self, cursor: float) -> LogPage:
        """Return the entries after `cursor`, waiting up to a minute for one. Cursor 0 is all that is kept."""
        answer = self._transport.request(
            "GET", f"/api/stream_function_logs?cursor={cursor!r}", timeout_s=LOG_WAIT_S
        )
        return msgspec.convert(answer, LogPage)

    def log_records(self, filters: Mapping[str, Any], after: LogPage | None = None) -> LogPage:
        """Return entries that fit: the newest at once, or those after a page, waiting up to a minute for one.

        `filters` are the parameters of `GET /api/convexpy/logs`; a list stands for several of one kind.
        """
        given = {name: value for name, value in filters.items() if value not in (None, [], ())}
        if after is not None:
            given.pop("limit", None)
            given |= {"cursor": after.cursor, "position": after.position, "started": after.started}
        path = f"/api/convexpy/logs?{urlencode(given, doseq=True)}"
        return msgspec.convert(self._transport.request("GET", path, timeout_s=LOG_WAIT_S), LogPage)

    # Admin keys

    def admin_keys(self) -> list[KeyInfo]:
        """Return what the deployment knows of its admin keys."""
        return msgspec.convert(self._transport.request("GET", "/api/convexpy/keys")["keys"], list[KeyInfo])

    def create_key(
        self, name: str, kind: str, functions: Sequence[str] = (), expires_at: float | None = None
    ) -> NewKey:
        """Make an admin key. The answer's `key` is shown nowhere else; `expires_at` is milliseconds since the epoch."""
        body = {"name": name, "kind": kind, "functions": list(functions), "expiresAt": expires_at}
        return msgspec.convert(self.admin_request("/api/convexpy/keys", body), NewKey)

    def revoke_key(self, which: str) -> KeyInfo:
        """Make the key of this name or prefix worthless; return what was known of it."""
        return msgspec.convert(self.admin_request("/api/convexpy/keys/revoke", {"key": which}), KeyInfo)

    def rotate_key(self, which: str, grace_ms: float) -> RotatedKey:
        """Make a key in place of the one of this name or prefix; it is in the answer's `key`, and nowhere else."""
        body = {"key": which, "graceMs": grace_ms}
        return msgspec.convert(self.admin_request("/api/convexpy/keys/rotate", body), RotatedKey)

    def rotate_signing_key(self, *, revoke: bool) -> list[SigningKeyInfo]:
        """Have tokens signed with a new key; `revoke` refuses those of the old ones. Return all keys, the newest first."""
        answer = self.admin_request("/api/convexpy/signing_keys/rotate", {"revoke": revoke})
        return msgspec.convert(answer["keys"], list[SigningKeyInfo])

    # Jobs and cron jobs

    def scheduled(
        self,
        *,
        state: str | None = None,
        function: str | None = None,
        limit: int = 100,
        after: float | None = None,
        before: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return scheduled jobs, the latest planned first; `function` is a glob of paths. Times are milliseconds.

        `after` and `before` bound what they are planned for.
        """
        return self.run_system(ListJobs(state, function, limit, after, before))

    def scheduled_job(self, id: str) -> dict[str, Any] | None:
        """Return a scheduled job, or None."""
        return self.run_system(GetJob(id))

    def requests_of_jobs(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the request ids of those jobs that ran since the server's start."""
        path = "/api/convexpy/scheduled/requests"
        return dict(self._transport.request("POST", path, {"ids": list(ids)})["requests"])

    def cancel_job(self, id: str) -> None:
        """Cancel a scheduled job; one that has ended is left alone."""
        self._transport.request("POST", "/api/cancel_job", {"id": id})

    def cancel_all_jobs(self, function: str | None = None) -> int:
        """Cancel every pending job, or every one of a function; return how many there were."""
        answer = self._transport.request("POST", "/api/cancel_all_jobs", {"udfPath": function})
        return int(answer["canceled"])

    def crons(self) -> list[dict[str, Any]]:
        """Return the cron jobs, each with its last and its next run."""
        crons: list[dict[str, Any]] = msgspec.to_builtins(self.run_system(ListCrons()))
        return crons

    def cron_history(self, name: str) -> list[dict[str, Any]]:
        """Return the latest runs of a cron job, the newest first."""
        return self.run_system(ListCronRuns(name))

    def run_cron(self, name: str) -> str:
        """Run a cron job now, as an extra run; return the id of the scheduled job that it is."""
        answer = self._transport.request("POST", "/api/convexpy/crons/run", {"name": name}, repeatable=False)
        return str(answer["job"])

    # The deployment itself

    def admin_request(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST to a route for holders of an admin key; return its answer."""
        return self._transport.request("POST", path, body, repeatable=False)

    def function_statistics(self, *, hourly: bool = False) -> list[FunctionReport]:
        """Return the counts of the functions called in 24 hours."""
        path = "/api/convexpy/functions/stats" + ("?hourly=1" if hourly else "")
        return msgspec.convert(self._transport.request("GET", path)["functions"], list[FunctionReport])

    def health(self) -> HealthReport:
        """Return calls by the minute, and how executors and checkpoint are doing."""
        return msgspec.convert(self._transport.request("GET", "/api/convexpy/health"), HealthReport)

    def history(self, limit: int = 50) -> list[PushInfo]:
        """Return the pushes, the newest first."""
        answer = self._transport.request("GET", f"/api/convexpy/history?limit={limit}")
        return msgspec.convert(answer["pushes"], list[PushInfo])

    # Previews

    def previews(self) -> list[PreviewInfo]:
        """Return the previews beside the deployment."""
        answer = self._transport.request("GET", "/api/convexpy/previews")
        return msgspec.convert(answer["previews"], list[PreviewInfo])

    def claim_preview(
        self, name: str, *, actor: str = "", expires_s: float | None = None, recreate: bool = False
    ) -> ClaimedPreview:
        """Return a preview with a key for it; it is made if there is none, or again with `recreate`."""
        body = {"name": name, "actor": actor, "expiresS": expires_s, "recreate": recreate}
        return msgspec.convert(self.admin_request("/api/convexpy/previews/claim", body), ClaimedPreview)

    def remove_preview(self, name: str) -> PreviewInfo:
        """Remove a preview with its data; return what was known of it."""
        return msgspec.convert(
            self.admin_request("/api/convexpy/previews/remove", {"name": name}), PreviewInfo
        )

    # The deployment itself

    def status(self) -> DeploymentStatus:
        """Return what is live, what is being built, who is connected and how the deployment is doing."""
        answer = self._transport.request("GET", "/api/convexpy/status", timeout_s=10.0)
        return msgspec.convert(answer, DeploymentStatus)

    def version(self) -> str:
        """Return what the server says about its version."""
        return str(self._transport.request("GET", "/version", timeout_s=10.0))

    def name(self) -> str:
        """Return the deployment's name."""
        return str(self._transport.request("GET", "/instance_name", timeout_s=10.0))

    def check_key(self) -> None:
        """Raise `DeploymentError` (`KeyRejected`) if the key is not accepted."""
        self._checked_key()

    def is_development(self) -> bool:
        """Say whether the server is one of `convexpy dev`, by its own account."""
        return self._checked_key().get("development") is True

    def key_access(self) -> KeyAccess:
        """Return what the key is and what it allows."""
        return msgspec.convert(self._checked_key(), KeyAccess)

    def _checked_key(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._transport.request("GET", "/api/check_admin_key", timeout_s=10.0)
        return answer

    def urls(self) -> tuple[str, str]:
        """Return the public URLs of the deployment: of the API, and of the HTTP actions."""
        answer = self._transport.request("GET", "/api/v1/get_canonical_urls", timeout_s=10.0)
        return str(answer["convexCloudUrl"]), str(answer["convexSiteUrl"])


def result_of(answer: Mapping[str, Any]) -> FunctionResult:
    """Return the value of a function's answer.

    Raises:
        FunctionFailed: the answer is an error.
    """
    log_lines = list(answer.get("logLines") or [])
    if answer.get("status") == "success":
        return FunctionResult(answer.get("value"), log_lines)
    raise FunctionFailed(
        str(answer.get("errorMessage", "the function failed")),
        data=answer.get("errorData"),
        log_lines=log_lines,
    )
