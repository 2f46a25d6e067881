"""The tables of the app."""

from convexpy import define_schema, define_table, v

schema = define_schema({
    "tasks": define_table({
        "text": v.string(),
        "done": v.boolean(),
    }).index("by_done", ["done"]),
})
