"""What an app consists of: functions, tables, routes, cron jobs and issuers.

The process that imports an app describes it; the server, code generation and clients decode the description once.
Stored backups and servers of other versions hold the same JSON: a field may be added with a default, none may change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import msgspec

GENERATED_SERVER_NAMES = (
    "ActionCtx",
    "DatabaseReader",
    "DatabaseWriter",
    "MutationCtx",
    "QueryCtx",
    "SyncActionCtx",
    "action",
    "internal_action",
    "internal_mutation",
    "internal_query",
    "mutation",
    "query",
)
"""What `_generated/server.py` has for the modules of an app."""

FunctionKind: TypeAlias = Literal["query", "mutation", "action"]
Visibility: TypeAlias = Literal["public", "internal"]

ValidatorJson: TypeAlias = dict[str, Any]
"""A validator in the official JSON form. It is recursive, and has additions for code generators: `int` on numbers,
`name` and `module` on objects made from a class, `default` on fields."""
ScheduleJson: TypeAlias = dict[str, Any]
"""When a cron job runs: `type`, and the fields of that type."""


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """JSON with names in camel case."""


class ParameterDescription(_Part, frozen=True):
    """A parameter by its name on the wire."""

    name: str
    required: bool


class FunctionDescription(_Part, frozen=True, kw_only=True):
    """A function: who may call it, what it takes and returns, where it is. `returns` is None if it is not checked."""

    path: str
    kind: FunctionKind
    visibility: Visibility
    args: ValidatorJson = msgspec.field(default_factory=lambda: {"type": "any"})
    returns: ValidatorJson | None = None
    file: str | None = None
    line: int | None = None
    is_async: bool = False
    params: tuple[ParameterDescription, ...] = ()
    timeout_s: float | None = None
    doc: str | None = None

    def same_interface(self, other: FunctionDescription) -> bool:
        """Whether a caller sees no difference."""
        return (self.kind, self.visibility, self.args, self.returns) == (
            other.kind, other.visibility, other.args, other.returns,
        )  # fmt: skip


class IndexDescription(_Part, frozen=True):
    """A declared order over fields, without the `_creationTime` and `_id` that every index ends with."""

    name: str
    fields: tuple[str, ...]
    staged: bool = False


class SearchIndexDescription(_Part, frozen=True):
    """A full text index over one field, with fields that may be compared for equality."""

    name: str
    search_field: str
    filter_fields: tuple[str, ...] = ()
    staged: bool = False


class VectorIndexDescription(_Part, frozen=True):
    """A nearest neighbour index over one field of vectors."""

    name: str
    vector_field: str
    dimensions: int
    filter_fields: tuple[str, ...] = ()
    staged: bool = False


AnyIndex: TypeAlias = IndexDescription | SearchIndexDescription | VectorIndexDescription


class TableDescription(_Part, frozen=True):
    """The validator of a table's documents, without system fields, and its indexes."""

    validator: ValidatorJson
    indexes: tuple[IndexDescription, ...] = ()
    search_indexes: tuple[SearchIndexDescription, ...] = ()
    vector_indexes: tuple[VectorIndexDescription, ...] = ()


class SchemaDescription(_Part, frozen=True):
    """The tables of an app by name, in the order of the schema."""

    tables: dict[str, TableDescription] = {}
    schema_validation: bool = True
    strict_table_names: bool = True

    def with_staged(self, names: tuple[str, ...]) -> SchemaDescription:
        """Return the schema with these indexes staged, each given as `table.index`."""
        tables = {
            name: msgspec.structs.replace(
                table,
                indexes=tuple(
                    msgspec.structs.replace(each, staged=each.staged or f"{name}.{each.name}" in names)
                    for each in table.indexes
                ),
            )
            for name, table in self.tables.items()
        }
        return msgspec.structs.replace(self, tables=tables)


class RouteDescription(_Part, frozen=True, kw_only=True, omit_defaults=True):
    """A route of `http.py`: a path, or all paths with a prefix."""

    method: str
    path: str | None = None
    path_prefix: str | None = None
    file: str | None = None
    line: int | None = None

    @property
    def pattern(self) -> str:
        """`/path` or `/prefix/*`."""
        return f"{self.path_prefix}*" if self.path is None else self.path


class CorsDescription(_Part, frozen=True):
    """Which origins may call a path, or the paths below one that ends with `/`, from a browser."""

    path: str
    origins: tuple[str, ...]
    headers: tuple[str, ...] = ()
    max_age_s: int = 86_400

    def covers(self, path: str) -> bool:
        """Whether the rule is for a path."""
        return path.startswith(self.path) if self.path.endswith("/") else path == self.path


def cors_rule_for(rules: Iterable[CorsDescription], path: str) -> CorsDescription | None:
    """Return the rule for a path: an exact one, else that of the longest prefix."""
    covering = [rule for rule in rules if rule.covers(path)]
    return max(covering, key=lambda rule: (rule.path == path, len(rule.path)), default=None)


class CronDescription(_Part, frozen=True, kw_only=True):
    """A cron job; `args` are in their JSON form, by their names on the wire."""

    name: str
    schedule: ScheduleJson
    function: str
    args: Any
    file: str | None = None
    line: int | None = None

    def same_job(self, other: CronDescription) -> bool:
        """Whether it does the same at the same times."""
        return (self.schedule, self.function, self.args) == (other.schedule, other.function, other.args)


class ProviderDescription(_Part, frozen=True, kw_only=True, omit_defaults=True):
    """A token issuer as official tools write it: `domain` of OpenID Connect, or `type: customJwt` with the rest."""

    type: str = "oidc"
    domain: str | None = None
    issuer: str | None = None
    application_id: str | None = msgspec.field(default=None, name="applicationID")
    jwks: str | None = None
    algorithm: str | None = None


class AppDescription(_Part, frozen=True, kw_only=True):
    """An app; `packages` are the third-party packages that it imports. Without a schema any document is accepted."""

    functions: tuple[FunctionDescription, ...] = ()
    schema: SchemaDescription | None = None
    http: tuple[RouteDescription, ...] = ()
    cors: tuple[CorsDescription, ...] = ()
    crons: tuple[CronDescription, ...] = ()
    auth: tuple[ProviderDescription, ...] = ()
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    @property
    def tables(self) -> dict[str, TableDescription]:
        """The tables of the schema; none without one."""
        return {} if self.schema is None else self.schema.tables


class LiveApp(AppDescription, frozen=True, kw_only=True):
    """The app that a deployment runs."""

    version: int = 0
