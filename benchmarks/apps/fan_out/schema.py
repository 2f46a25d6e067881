"""One topic that everybody watches, and a note of each watcher's own."""

from convexpy import define_schema, define_table, v

schema = define_schema(
    {
        "topics": define_table({"name": v.string(), "round": v.number(), "text": v.string()}).index(
            "by_name", ["name"]
        ),
        "notes": define_table({"owner": v.number(), "text": v.string()}).index("by_owner", ["owner"]),
    }
)
