"""An app with sign-in, for tests: mail goes into a table, and what signed-in people see is small."""

from __future__ import annotations

SCHEMA = """
from convexpy import define_schema, define_table, v
from convexpy.auth import auth_tables, user_fields

schema = define_schema({
    **auth_tables,
    "users": define_table({**user_fields, "role": v.optional(v.string())}).index("by_email", ["email"]),
    "notes": define_table({"userId": v.id("users"), "text": v.string()}).index("by_user", ["userId"]),
    "mail": define_table({"kind": v.string(), "to": v.string(), "text": v.string(), "code": v.string(), "url": v.string()}),
})
"""
AUTH = """
import os
from datetime import timedelta
from convexpy import ConvexError, internal_mutation
from convexpy.auth import Auth, Cost, EmailCode, MagicLink, Password

@internal_mutation
def keep_mail(ctx, kind: str, to: str, text: str, code: str, url: str) -> None:
    ctx.db.insert("mail", {"kind": kind, "to": to, "text": text, "code": code, "url": url})

async def send_mail(ctx, mail):
    await ctx.run_mutation(keep_mail, kind=mail.kind, to=mail.to, text=mail.text, code=mail.code, url=mail.url)

def on_sign_up(ctx, user):
    if user.get("email", "").endswith("@blocked.example"):
        raise ConvexError({"code": "NotInvited"})
    return {"role": "member"}

def on_delete(ctx, user_id):
    for note in ctx.db.query("notes").with_index("by_user", userId=user_id).collect():
        ctx.db.delete(note["_id"])

auth = Auth(
    providers=[
        Password(verify=VERIFY, cost=Cost(memory_kib=64, passes=1), breached=BREACHED),
        EmailCode(),
        MagicLink(),
    ],
    send_mail=SENDER,
    app_name="Notes",
    site_url="https://notes.example",
    on_sign_up=on_sign_up,
    on_delete=on_delete,
)
"""
NOTES = """
from convexpy import action, mutation, query
from .auth import auth

@query
def mine(ctx) -> list[str]:
    user_id = auth.require_user_id(ctx)
    return [note["text"] for note in ctx.db.query("notes").with_index("by_user", userId=user_id).collect()]

@mutation
def add(ctx, text: str) -> None:
    ctx.db.insert("notes", {"userId": auth.require_user_id(ctx), "text": text})

@query
def me(ctx):
    user = auth.user(ctx)
    return None if user is None else {"email": user.get("email"), "name": user.get("name"), "role": user.get("role")}

@action
async def who(ctx):
    return await auth.user_id(ctx)

@action
def who_blocking(ctx):
    return auth.user_id(ctx)
"""

HTTP = """
from convexpy import http_router
from .auth import auth

http = http_router()
auth.add_routes(http)
"""


def sign_in_app(
    *, verify: bool = True, breached: str | None = None, options: str = "", sender: str = "send_mail"
) -> dict[str, str]:
    """Return the modules of the app. `options` are further arguments of `Auth(…)`, `sender` is who sends mail, as source."""
    source = (
        AUTH.replace("VERIFY", repr(verify)).replace("BREACHED", repr(breached)).replace("SENDER", sender)
    )
    if options:
        source = source.replace("    on_delete=on_delete,\n", f"    on_delete=on_delete,\n    {options},\n")
    return {"schema.py": SCHEMA, "auth.py": source, "notes.py": NOTES, "http.py": HTTP}
