"""Tables: users are ours, the rest of sign-in is `auth_tables`."""

from convexpy import define_schema, define_table, v
from convexpy.auth import auth_tables, user_fields

schema = define_schema(
    {
        **auth_tables,
        "users": define_table(user_fields),
        "notes": define_table({"userId": v.id("users"), "text": v.string()}).index(
            "by_user", ["userId"]
        ),
    }
)
