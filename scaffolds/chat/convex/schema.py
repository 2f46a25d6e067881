"""The tables of the app."""

from convexpy import define_schema, define_table, v

schema = define_schema({
    "users": define_table({
        "name": v.string(),
        "lastSeen": v.number(),
        "here": v.boolean(),
    })
    .index("by_name", ["name"])
    .index("by_here", ["here", "lastSeen"]),
    "channels": define_table({
        "name": v.string(),
        "topic": v.optional(v.string()),
    }).index("by_name", ["name"]),
    "messages": define_table({
        "channelId": v.id("channels"),
        "userId": v.id("users"),
        "author": v.string(),
        "body": v.string(),
    }).index("by_channel", ["channelId"]),
})
