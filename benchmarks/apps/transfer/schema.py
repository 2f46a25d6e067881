"""Accounts, found by a number of their own."""

from convexpy import define_schema, define_table, v

schema = define_schema(
    {
        "accounts": define_table({"id": v.number(), "balance": v.number()}).index("by_account_id", ["id"]),
    }
)
