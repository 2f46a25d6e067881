"""Helpers that apps would otherwise copy: changed ctx, row-level security, relationships, rate limits, migrations."""

from convexpy.helpers._custom import (
    Customization,
    custom_action,
    custom_ctx,
    custom_mutation,
    custom_query,
)
from convexpy.helpers._migrations import Migrations, migration_tables
from convexpy.helpers._rate_limit import RateLimitStatus, rate_limit, rate_limit_tables
from convexpy.helpers._relationships import get_all_or_raise, get_many_from, get_many_via, get_one_from
from convexpy.helpers._row_security import (
    Rules,
    TableRules,
    mutation_with_rls,
    query_with_rls,
    wrap_database_reader,
    wrap_database_writer,
)

__all__ = [
    "Customization",
    "Migrations",
    "RateLimitStatus",
    "Rules",
    "TableRules",
    "custom_action",
    "custom_ctx",
    "custom_mutation",
    "custom_query",
    "get_all_or_raise",
    "get_many_from",
    "get_many_via",
    "get_one_from",
    "migration_tables",
    "mutation_with_rls",
    "query_with_rls",
    "rate_limit",
    "rate_limit_tables",
    "wrap_database_reader",
    "wrap_database_writer",
]
