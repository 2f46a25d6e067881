"""The tables of the examples in the Python reference."""

# example: define_schema define_table Schema TableDefinition v Validator auth.auth_tables auth.user_fields
from convexpy import define_schema, define_table, v
from convexpy.auth import auth_tables, user_fields

schema = define_schema({
    **auth_tables,
    "users": define_table({**user_fields, "name": v.string(), "role": v.literal("member", "admin")}).index("by_name", ["name"]),
    "notes": define_table({
        "owner": v.id("users"),
        "text": v.string(),
        "tags": v.array(v.string()),
        "due": v.optional(v.number()),
    }).index("by_owner", ["owner"]),
    "files": define_table({"name": v.string(), "storageId": v.id("_storage")}),
})
# end
