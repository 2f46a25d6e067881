"""What the admin API of a deployment takes and answers: the same structs for the server's routes and for clients.

Times are milliseconds since the epoch, None where they are not known. Servers of other versions may leave fields out.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from convexpy.protocol.app_description import AppDescription

Number: TypeAlias = int | float
"""A number that is shown as it came: `4`, not `4.0`."""


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """JSON with names in camel case."""


class PushFile(msgspec.Struct, frozen=True):
    """A file of a push: its SHA-256 (hex), and its content."""

    sha256: str
    content: bytes


class KeyInfo(_Answer, frozen=True, kw_only=True):
    """An admin key, without the key. `functions` are globs, of a key of the kind `run`."""

    name: str
    kind: str
    functions: tuple[str, ...] = ()
    prefix: str
    created_at: Number | None = None
    last_used_at: Number | None = None
    expires_at: Number | None = None


class KeyAccess(_Answer, frozen=True, kw_only=True):
    """What a key is: its kind, the operations that it allows, and whether the server is one of `convexpy dev`."""

    kind: str = "admin"
    operations: tuple[str, ...] = ()
    development: bool = False


class NewKey(KeyInfo, frozen=True, kw_only=True):
    """A key that was just made: the one answer that holds it."""

    key: str


class RotatedKey(NewKey, frozen=True, kw_only=True):
    """A key that was made in place of another one."""

    old: KeyInfo


class SigningKeyInfo(_Answer, frozen=True):
    """A key with which the deployment signs tokens, without what is secret; one with `retired_at` signs nothing any more."""

    key_id: str
    created_at: Number
    retired_at: Number | None = None


class VariableInfo(_Answer, frozen=True, kw_only=True):
    """An environment variable without its value; the fingerprint changes with the value."""

    name: str
    updated_at: Number
    length: int
    fingerprint: str


class TableIndex(_Answer, frozen=True, kw_only=True):
    """An index as it is stored: `ready`, `building` or `staged`."""

    name: str
    fields: tuple[str, ...]
    state: str


class TableOutline(_Answer, frozen=True, kw_only=True):
    """A table without a look at what is in it."""

    name: str
    number: int
    indexes: tuple[TableIndex, ...] = ()


class TableInfo(TableOutline, frozen=True, kw_only=True):
    """A table with what is in it."""

    documents: int
    size_bytes: int


class HourReport(_Answer, frozen=True, kw_only=True):
    """The calls of a function in the hour that began at `at`."""

    at: Number
    calls: int
    errors: int
    average_ms: Number


class FunctionReport(_Answer, frozen=True, kw_only=True):
    """The calls of a function in 24 hours; `hours` if they were asked for."""

    path: str
    kind: str
    calls: int
    errors: int
    average_ms: Number
    p50_ms: Number
    p95_ms: Number
    longest_ms: Number
    hours: tuple[HourReport, ...] | msgspec.UnsetType = msgspec.UNSET


class MinuteReport(_Answer, frozen=True, kw_only=True):
    """The calls that ended in the minute that began at `at`; `cached` ones were answered with an earlier result."""

    at: Number
    calls: int
    errors: int
    cached: int
    p50_ms: Number
    p95_ms: Number
    p99_ms: Number


class ExecutorReport(_Answer, frozen=True, kw_only=True):
    """The processes that run functions of one kind: how many there are, and how many were lost since the start."""

    role: str
    running: int
    lost: int
    memory_bytes: int


class HealthReport(_Answer, frozen=True, kw_only=True):
    """How the server is doing. `minutes` are those of the last three hours that had calls, the oldest first.

    `waiting_commits` of `waiting_bytes` are in the log and not yet in the checkpoint; `late_ms` is how late the first
    scheduled job is that is due.
    """

    minutes: tuple[MinuteReport, ...] = ()
    executors: tuple[ExecutorReport, ...] = ()
    commits: int = 0
    waiting_commits: int = 0
    waiting_bytes: int = 0
    sockets: int = 0
    subscriptions: int = 0
    jobs_running: int = 0
    late_ms: Number = 0


class PushNote(_Answer, frozen=True, kw_only=True):
    """Who pushed what and why, for the history. `dirty`: files differed from the commit."""

    message: str = ""
    actor: str = ""
    commit: str = ""
    branch: str = ""
    dirty: bool = False


class PushInfo(PushNote, frozen=True, kw_only=True):
    """A version that was pushed; `state` is `active` or `past`.

    `content_hash` is the SHA-256 (hex) of the list of its files and their hashes, empty for versions from before it was
    kept: two versions with the same files have the same one. A `kept` version can be brought back; `rollback_of` is the
    number of the one that this one brought back.
    """

    version: int
    state: str = "active"
    pushed_at: Number | None = None
    """None for versions from before this was kept."""
    content_hash: str = ""
    kept: bool = False
    rollback_of: int | None = None


class PreviewInfo(_Answer, frozen=True, kw_only=True):
    """A preview. `state` is `running`, `starting` or `failed: ` and why; times are milliseconds."""

    name: str
    url: str
    site_url: str
    state: str
    created_at: Number
    deployed_at: Number
    expires_at: Number
    actor: str = ""


class ClaimedPreview(_Answer, frozen=True, kw_only=True):
    """A preview that can be deployed to with `admin_key`, which is in no other answer; `created`: it was made now."""

    name: str
    url: str
    site_url: str
    admin_key: str
    created: bool
    expires_at: Number


class PushPlan(_Answer, frozen=True, kw_only=True):
    """What a push would change, and what blocks it, as `services/pushes/plan.py` makes them."""

    changes: list[dict[str, Any]] = []
    blocked: list[dict[str, Any]] = []
    data: str = "unchanged"


class PushResult(_Answer, frozen=True, kw_only=True):
    """A push that went live. A dry run ends with a plan, with what is live now, and with the description of the app."""

    version: int
    unchanged: bool
    changes: dict[str, Any] = {}
    counts: dict[str, int] = {}
    ms: Number = 0
    warnings: list[str] = []
    plan: PushPlan | None = None
    before: PushInfo | None = msgspec.field(default=None, name="from")
    description: AppDescription | None = None


class IndexBuild(_Answer, frozen=True, kw_only=True):
    """An index that is being built."""

    table: str
    index: str
    staged: bool


class TableWalk(_Answer, frozen=True, kw_only=True):
    """How many documents of a table were looked at so far, to build its indexes or to check them."""

    table: str
    documents: int


class DiskUse(_Answer, frozen=True, kw_only=True):
    """The room that the databases take, and what is left."""

    database_bytes: int
    free_bytes: int


class NodeStatus(_Answer, frozen=True, kw_only=True):
    """A server among several of one deployment: it serves, or relays to the one that does."""

    address: str
    place: str
    since: Number
    serves: bool


class DeploymentStatus(_Answer, frozen=True, kw_only=True):
    """What is live, what is being built, who is connected, and how the deployment is doing.

    `now` is the server's clock; `error_rate_1h` is None without a call; `crons` are documents with `name` and `nextRun`.
    """

    name: str = ""
    server_version: str = ""
    started_at: Number | None = None
    now: Number | None = None
    redacts: bool = False
    live: PushInfo
    functions: int
    tables: int
    building: tuple[IndexBuild, ...] = ()
    walking: TableWalk | None = None
    clients: int = 0
    error_rate_1h: Number | None = msgspec.field(default=None, name="errorRate1h")
    crons: list[dict[str, Any]] = []
    disk: DiskUse | None = None
    nodes: tuple[NodeStatus, ...] = ()
