"""convexpy: a reactive backend for Python, wire-compatible with Convex.

What an app imports. `convexpy.helpers`, `convexpy.testing` and `convexpy.values` have more; everything else is private.

A name is imported when it is first used: the command line and the server use rooms of this package without paying for
all of it, and only apps with HTTP actions load Starlette.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import (
        Request as Request,
    )
    from starlette.responses import (
        JSONResponse as JSONResponse,
    )
    from starlette.responses import (
        PlainTextResponse as PlainTextResponse,
    )
    from starlette.responses import (
        RedirectResponse as RedirectResponse,
    )
    from starlette.responses import (
        Response as Response,
    )
    from starlette.responses import (
        StreamingResponse as StreamingResponse,
    )

    from convexpy.errors import (
        ArgumentError as ArgumentError,
    )
    from convexpy.errors import (
        AuthError as AuthError,
    )
    from convexpy.errors import (
        ConvexError as ConvexError,
    )
    from convexpy.errors import (
        DocumentNotFound as DocumentNotFound,
    )
    from convexpy.errors import (
        Error as Error,
    )
    from convexpy.errors import (
        FunctionError as FunctionError,
    )
    from convexpy.errors import (
        LimitExceeded as LimitExceeded,
    )
    from convexpy.errors import (
        NotUnique as NotUnique,
    )
    from convexpy.errors import (
        ReturnsError as ReturnsError,
    )
    from convexpy.errors import (
        SchemaViolation as SchemaViolation,
    )
    from convexpy.functions import (
        ActionCtx as ActionCtx,
    )
    from convexpy.functions import (
        ActionDecorator as ActionDecorator,
    )
    from convexpy.functions import (
        ActionFunction as ActionFunction,
    )
    from convexpy.functions import (
        ActionReference as ActionReference,
    )
    from convexpy.functions import (
        AnyReference as AnyReference,
    )
    from convexpy.functions import (
        AuthConfig as AuthConfig,
    )
    from convexpy.functions import (
        AuthProvider as AuthProvider,
    )
    from convexpy.functions import (
        Crons as Crons,
    )
    from convexpy.functions import (
        DatabaseReader as DatabaseReader,
    )
    from convexpy.functions import (
        DatabaseWriter as DatabaseWriter,
    )
    from convexpy.functions import (
        FunctionReference as FunctionReference,
    )
    from convexpy.functions import (
        HttpRouter as HttpRouter,
    )
    from convexpy.functions import (
        IndexRange as IndexRange,
    )
    from convexpy.functions import (
        MutationCtx as MutationCtx,
    )
    from convexpy.functions import (
        MutationDecorator as MutationDecorator,
    )
    from convexpy.functions import (
        MutationFunction as MutationFunction,
    )
    from convexpy.functions import (
        MutationReference as MutationReference,
    )
    from convexpy.functions import (
        Query as Query,
    )
    from convexpy.functions import (
        QueryCtx as QueryCtx,
    )
    from convexpy.functions import (
        QueryDecorator as QueryDecorator,
    )
    from convexpy.functions import (
        QueryFunction as QueryFunction,
    )
    from convexpy.functions import (
        QueryReference as QueryReference,
    )
    from convexpy.functions import (
        ScheduledFunctionDoc as ScheduledFunctionDoc,
    )
    from convexpy.functions import (
        SearchBuilder as SearchBuilder,
    )
    from convexpy.functions import (
        SearchFilter as SearchFilter,
    )
    from convexpy.functions import (
        StorageDoc as StorageDoc,
    )
    from convexpy.functions import (
        StorageMetadata as StorageMetadata,
    )
    from convexpy.functions import (
        StoredFile as StoredFile,
    )
    from convexpy.functions import (
        SyncActionCtx as SyncActionCtx,
    )
    from convexpy.functions import (
        SyncActionFunction as SyncActionFunction,
    )
    from convexpy.functions import (
        SyncStoredFile as SyncStoredFile,
    )
    from convexpy.functions import (
        TableQuery as TableQuery,
    )
    from convexpy.functions import (
        TransactionLimits as TransactionLimits,
    )
    from convexpy.functions import (
        UserIdentity as UserIdentity,
    )
    from convexpy.functions import (
        VectorExpression as VectorExpression,
    )
    from convexpy.functions import (
        VectorFilter as VectorFilter,
    )
    from convexpy.functions import (
        VectorHit as VectorHit,
    )
    from convexpy.functions import (
        action as action,
    )
    from convexpy.functions import (
        api as api,
    )
    from convexpy.functions import (
        auth_config as auth_config,
    )
    from convexpy.functions import (
        cron_jobs as cron_jobs,
    )
    from convexpy.functions import (
        custom_jwt as custom_jwt,
    )
    from convexpy.functions import (
        http_router as http_router,
    )
    from convexpy.functions import (
        internal as internal,
    )
    from convexpy.functions import (
        internal_action as internal_action,
    )
    from convexpy.functions import (
        internal_mutation as internal_mutation,
    )
    from convexpy.functions import (
        internal_query as internal_query,
    )
    from convexpy.functions import (
        mutation as mutation,
    )
    from convexpy.functions import (
        oidc as oidc,
    )
    from convexpy.functions import (
        query as query,
    )
    from convexpy.schema import (
        Schema as Schema,
    )
    from convexpy.schema import (
        TableDefinition as TableDefinition,
    )
    from convexpy.schema import (
        define_schema as define_schema,
    )
    from convexpy.schema import (
        define_table as define_table,
    )
    from convexpy.values import (
        UNSET as UNSET,
    )
    from convexpy.values import (
        Int64 as Int64,
    )
    from convexpy.values import (
        ModelInstance as ModelInstance,
    )
    from convexpy.values import (
        ObjectValidator as ObjectValidator,
    )
    from convexpy.values import (
        PaginationOptions as PaginationOptions,
    )
    from convexpy.values import (
        PaginationResult as PaginationResult,
    )
    from convexpy.values import (
        ScheduledFunctionId as ScheduledFunctionId,
    )
    from convexpy.values import (
        StorageId as StorageId,
    )
    from convexpy.values import (
        Validator as Validator,
    )
    from convexpy.values import (
        from_ms as from_ms,
    )
    from convexpy.values import (
        pagination_opts as pagination_opts,
    )
    from convexpy.values import (
        pagination_result as pagination_result,
    )
    from convexpy.values import (
        to_ms as to_ms,
    )
    from convexpy.values import (
        v as v,
    )

_HOMES = {
    "convexpy.errors": (
        "ArgumentError",
        "AuthError",
        "ConvexError",
        "DocumentNotFound",
        "Error",
        "FunctionError",
        "LimitExceeded",
        "NotUnique",
        "ReturnsError",
        "SchemaViolation",
    ),
    "convexpy.functions": (
        "ActionCtx",
        "ActionDecorator",
        "ActionFunction",
        "ActionReference",
        "AnyReference",
        "AuthConfig",
        "AuthProvider",
        "Crons",
        "DatabaseReader",
        "DatabaseWriter",
        "FunctionReference",
        "HttpRouter",
        "IndexRange",
        "MutationCtx",
        "MutationDecorator",
        "MutationFunction",
        "MutationReference",
        "Query",
        "QueryCtx",
        "QueryDecorator",
        "QueryFunction",
        "QueryReference",
        "ScheduledFunctionDoc",
        "SearchBuilder",
        "SearchFilter",
        "StorageDoc",
        "StorageMetadata",
        "StoredFile",
        "SyncActionCtx",
        "SyncActionFunction",
        "SyncStoredFile",
        "TableQuery",
        "TransactionLimits",
        "UserIdentity",
        "VectorExpression",
        "VectorFilter",
        "VectorHit",
        "action",
        "api",
        "auth_config",
        "cron_jobs",
        "custom_jwt",
        "http_router",
        "internal",
        "internal_action",
        "internal_mutation",
        "internal_query",
        "mutation",
        "oidc",
        "query",
    ),
    "convexpy.schema": (
        "Schema",
        "TableDefinition",
        "define_schema",
        "define_table",
    ),
    "convexpy.values": (
        "Int64",
        "ModelInstance",
        "ObjectValidator",
        "PaginationOptions",
        "PaginationResult",
        "ScheduledFunctionId",
        "StorageId",
        "UNSET",
        "Validator",
        "from_ms",
        "pagination_opts",
        "pagination_result",
        "to_ms",
        "v",
    ),
    "starlette.requests": ("Request",),
    "starlette.responses": (
        "JSONResponse",
        "PlainTextResponse",
        "RedirectResponse",
        "Response",
        "StreamingResponse",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "UNSET",
    "ActionCtx",
    "ActionDecorator",
    "ActionFunction",
    "ActionReference",
    "AnyReference",
    "ArgumentError",
    "AuthConfig",
    "AuthError",
    "AuthProvider",
    "ConvexError",
    "Crons",
    "DatabaseReader",
    "DatabaseWriter",
    "DocumentNotFound",
    "Error",
    "FunctionError",
    "FunctionReference",
    "HttpRouter",
    "IndexRange",
    "Int64",
    "JSONResponse",
    "LimitExceeded",
    "ModelInstance",
    "MutationCtx",
    "MutationDecorator",
    "MutationFunction",
    "MutationReference",
    "NotUnique",
    "ObjectValidator",
    "PaginationOptions",
    "PaginationResult",
    "PlainTextResponse",
    "Query",
    "QueryCtx",
    "QueryDecorator",
    "QueryFunction",
    "QueryReference",
    "RedirectResponse",
    "Request",
    "Response",
    "ReturnsError",
    "ScheduledFunctionDoc",
    "ScheduledFunctionId",
    "Schema",
    "SchemaViolation",
    "SearchBuilder",
    "SearchFilter",
    "StorageDoc",
    "StorageId",
    "StorageMetadata",
    "StoredFile",
    "StreamingResponse",
    "SyncActionCtx",
    "SyncActionFunction",
    "SyncStoredFile",
    "TableDefinition",
    "TableQuery",
    "TransactionLimits",
    "UserIdentity",
    "Validator",
    "VectorExpression",
    "VectorFilter",
    "VectorHit",
    "action",
    "api",
    "auth_config",
    "cron_jobs",
    "custom_jwt",
    "define_schema",
    "define_table",
    "from_ms",
    "http_router",
    "internal",
    "internal_action",
    "internal_mutation",
    "internal_query",
    "mutation",
    "oidc",
    "pagination_opts",
    "pagination_result",
    "query",
    "to_ms",
    "v",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'convexpy' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
