from convexpy import define_schema, define_table, v

item = {"number": v.number(), "text": v.string(), "done": v.boolean()}

schema = define_schema(
    {
        "small": define_table(item).index("by_number", ["number"]),
        "large": define_table(item).index("by_number", ["number"]),
    }
)
