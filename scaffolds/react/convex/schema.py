"""The tables of the app."""

from convexpy import define_schema, define_table, v

schema = define_schema({
    "users": define_table({
        "identifier": v.string(),  # who this is for certain: see lib/callers.py
        "name": v.string(),
        "lastSeen": v.number(),
        "here": v.boolean(),
    })
    .index("by_identifier", ["identifier"])
    .index("by_here", ["here", "lastSeen"]),
    "channels": define_table({
        "name": v.string(),
    }).index("by_name", ["name"]),
    "messages": define_table({
        "channelId": v.id("channels"),
        "userId": v.id("users"),
        "author": v.string(),
        "body": v.string(),
    }).index("by_channel", ["channelId"]),
})
