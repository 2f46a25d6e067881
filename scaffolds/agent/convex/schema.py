"""The tables of the app."""

from convexpy import define_schema, define_table, v
from convexpy.helpers import rate_limit_tables

schema = define_schema({
    "users": define_table({
        "tokenIdentifier": v.string(),
        "name": v.string(),
        "email": v.optional(v.string()),
    }).index("by_tokenIdentifier", ["tokenIdentifier"]),
    "workspaces": define_table({
        "name": v.string(),
        "ownerId": v.id("users"),
    }),
    "memberships": define_table({
        "workspaceId": v.id("workspaces"),
        "userId": v.id("users"),
        "role": v.literal("owner", "admin", "member"),
    })
        .index("by_user", ["userId"])
        .index("by_workspace_user", ["workspaceId", "userId"]),
    "sessions": define_table({
        "workspaceId": v.id("workspaces"),
        "createdBy": v.id("users"),
        "name": v.string(),
        "status": v.literal("pending", "running", "completed", "failed"),
        "error": v.optional(v.string()),
        "lastActiveAt": v.number(),
    })
        .index("by_workspace", ["workspaceId"])
        .index("by_status_lastActive", ["status", "lastActiveAt"]),
    "messages": define_table({
        "sessionId": v.id("sessions"),
        "role": v.literal("user", "assistant", "system"),
        "content": v.string(),
    }).index("by_session", ["sessionId"]),
    "steps": define_table({
        "sessionId": v.id("sessions"),
        "title": v.string(),
        "detail": v.string(),
        "output": v.optional(v.string()),
        "state": v.literal("running", "done", "failed"),
    }).index("by_session", ["sessionId"]),
    "artifacts": define_table({
        "sessionId": v.id("sessions"),
        "storageId": v.id("_storage"),
        "filename": v.string(),
        "contentType": v.string(),
        "size": v.number(),
    }).index("by_session", ["sessionId"]),
    "checkpoints": define_table({
        "sessionId": v.id("sessions"),
        "storageId": v.id("_storage"),
        "version": v.number(),
    }).index("by_session_version", ["sessionId", "version"]),
    "reports": define_table({
        "day": v.string(),
        "sessions": v.number(),
        "failed": v.number(),
    }).index("by_day", ["day"]),
    "health": define_table({
        "checkedAt": v.number(),
        "running": v.number(),
    }),
    **rate_limit_tables,
})
