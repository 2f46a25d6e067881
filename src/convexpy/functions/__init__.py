"""The authoring surface: ctx, queries, decorators, references, HTTP routes, crons, token issuers."""

from convexpy.functions._auth_config import (
    AuthConfig as AuthConfig,
    AuthProvider as AuthProvider,
    auth_config as auth_config,
    custom_jwt as custom_jwt,
    oidc as oidc,
)
from convexpy.functions._context import (
    ActionCtx as ActionCtx,
    MutationCtx as MutationCtx,
    QueryCtx as QueryCtx,
    SyncActionCtx as SyncActionCtx,
)
from convexpy.functions._crons import Crons as Crons, CronSpec as CronSpec, cron_jobs as cron_jobs
from convexpy.functions._database import (
    DatabaseReader as DatabaseReader,
    DatabaseWriter as DatabaseWriter,
    ScheduledFunctionDoc as ScheduledFunctionDoc,
    StorageDoc as StorageDoc,
    SystemReader as SystemReader,
)
from convexpy.functions._decorators import (
    ActionDecorator as ActionDecorator,
    ActionFunction as ActionFunction,
    MutationDecorator as MutationDecorator,
    MutationFunction as MutationFunction,
    QueryDecorator as QueryDecorator,
    QueryFunction as QueryFunction,
    SyncActionFunction as SyncActionFunction,
    action as action,
    internal_action as internal_action,
    internal_mutation as internal_mutation,
    internal_query as internal_query,
    mutation as mutation,
    query as query,
)
from convexpy.functions._definition import FunctionDefinition as FunctionDefinition
from convexpy.functions._host import (
    ActionHost as ActionHost,
    Bound as Bound,
    CallHost as CallHost,
    Order as Order,
    QueryPlan as QueryPlan,
    SearchSpec as SearchSpec,
    TransactionHost as TransactionHost,
)
from convexpy.functions._http import HttpRouter as HttpRouter, Route as Route, http_router as http_router
from convexpy.functions._identity import UserIdentity as UserIdentity
from convexpy.functions._limits import (
    ActionMeta as ActionMeta,
    Limit as Limit,
    Limits as Limits,
    Meta as Meta,
    TransactionLimits as TransactionLimits,
)
from convexpy.functions._queries import (
    IndexRange as IndexRange,
    Query as Query,
    SearchBuilder as SearchBuilder,
    SearchFilter as SearchFilter,
    TableQuery as TableQuery,
    VectorExpression as VectorExpression,
    VectorFilter as VectorFilter,
    VectorHit as VectorHit,
)
from convexpy.functions._references import (
    ActionReference as ActionReference,
    AnyReference as AnyReference,
    Call as Call,
    FunctionReference as FunctionReference,
    MutationReference as MutationReference,
    QueryReference as QueryReference,
    SchedulableReference as SchedulableReference,
    Untyped as Untyped,
    api as api,
    call_of as call_of,
    canonical_path as canonical_path,
    definition_of as definition_of,
    internal as internal,
    path_of as path_of,
)
from convexpy.functions._registry import (
    collect as collect,
    current_module as current_module,
    importing as importing,
)
from convexpy.functions._schedules import (
    next_run_ms as next_run_ms,
    planned_ms as planned_ms,
    runs_skipped as runs_skipped,
    spread_minute as spread_minute,
)
from convexpy.functions._services import (
    AsyncAuth as AsyncAuth,
    AsyncScheduler as AsyncScheduler,
    Auth as Auth,
    Scheduler as Scheduler,
)
from convexpy.functions._signature import Parameter as Parameter
from convexpy.functions._storage import (
    ActionStorage as ActionStorage,
    StorageMetadata as StorageMetadata,
    StorageReader as StorageReader,
    StorageWriter as StorageWriter,
    StoredFile as StoredFile,
    SyncActionStorage as SyncActionStorage,
    SyncStoredFile as SyncStoredFile,
)
from convexpy.functions._tokens import (
    IssuedToken as IssuedToken,
    issue_token as issue_token,
    keyed_digest as keyed_digest,
    published_keys as published_keys,
)
