"""Helpers that apps would otherwise copy: changed ctx, row-level security, relationships, rate limits, migrations."""

from convexpy.helpers._custom import (
    Customization as Customization,
    custom_action as custom_action,
    custom_ctx as custom_ctx,
    custom_mutation as custom_mutation,
    custom_query as custom_query,
)
from convexpy.helpers._migrations import Migrations as Migrations, migration_tables as migration_tables
from convexpy.helpers._rate_limit import (
    RateLimitStatus as RateLimitStatus,
    rate_limit as rate_limit,
    rate_limit_tables as rate_limit_tables,
)
from convexpy.helpers._relationships import (
    get_all_or_raise as get_all_or_raise,
    get_many_from as get_many_from,
    get_many_via as get_many_via,
    get_one_from as get_one_from,
)
from convexpy.helpers._row_security import (
    Rules as Rules,
    TableRules as TableRules,
    mutation_with_rls as mutation_with_rls,
    query_with_rls as query_with_rls,
    wrap_database_reader as wrap_database_reader,
    wrap_database_writer as wrap_database_writer,
)
