"""Every kind of table and of field."""

from convexpy import define_schema, define_table, v

schema = define_schema(
    {
        "channels": define_table(
            {"name": v.string(), "topic": v.optional(v.string()), "archived": v.nullable(v.boolean())}
        ).index("by_name", ["name"]),
        "messages": define_table(
            {
                "channel": v.id("channels"),
                "body": v.string(),
                "author": v.object({"name": v.string(), "age": v.optional(v.int())}),
                "status": v.union(v.literal("draft"), v.literal("sent")),
                "reactions": v.record(v.string(), v.number()),
                "seenBy": v.record(v.id("users"), v.boolean()),
                "embedding": v.optional(v.array(v.number())),
            }
        )
        .index("by_channel", ["channel", "author.name"])
        .index("by_status", ["status"], staged=True)
        .search_index("search_body", search_field="body", filter_fields=["channel", "status"])
        .vector_index("by_embedding", vector_field="embedding", dimensions=3),
        "events": define_table(
            v.union(
                v.object({"kind": v.literal("joined"), "user": v.id("users")}),
                v.object({"kind": v.literal("renamed"), "to": v.string()}),
            )
        ).index("by_kind", ["kind"]),
        "users": define_table({"name": v.string(), "avatar": v.optional(v.id("_storage"))}),
        "anything": define_table(v.any()),
    }
)
