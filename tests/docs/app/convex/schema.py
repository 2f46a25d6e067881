"""Tables of the fragments."""

from convexpy import define_schema, define_table, v
from convexpy.helpers import migration_tables, rate_limit_tables

schema = define_schema(
    {
        **rate_limit_tables,
        **migration_tables,
        "messages": define_table({"channel": v.string(), "author": v.string(), "body": v.string()}).index(
            "by_channel", ["channel"]
        ),
        "notes": define_table({"owner": v.string(), "text": v.string()}).index("by_owner", ["owner"]),
        "users": define_table({"name": v.string(), "role": v.optional(v.string())}),
        "pictures": define_table({"file": v.id("_storage"), "title": v.string()}),
        "reminders": define_table({"minutes": v.number()}),
    }
)
