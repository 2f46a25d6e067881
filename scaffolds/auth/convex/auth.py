"""Sign-in: the functions `auth:signIn`, `auth:signOut` and those of the account page are registered here."""

import os

from convexpy.auth import Auth, EmailCode, GitHub, Google, MagicLink, Password, smtp

from ._generated.data_model import UsersId
from ._generated.server import MutationCtx


def forget_notes(ctx: MutationCtx, user_id: str) -> None:
    """Whoever deletes their account takes their notes along."""
    for note in ctx.db.query("notes").with_index("by_user", userId=UsersId(user_id)).collect():
        ctx.db.delete(note["_id"])


smtp_url = os.environ.get("SMTP_URL")
auth = Auth(
    # GitHub and Google are offered once AUTH_GITHUB_ID and AUTH_GITHUB_SECRET, or those of Google, are set.
    providers=[Password(), MagicLink(), EmailCode(), GitHub(), Google()],
    # Without SMTP_URL, `convexpy dev` shows mail in its log.
    send_mail=smtp(smtp_url, sender=os.environ["MAIL_FROM"]) if smtp_url else None,
    app_name="{{name}}",
    on_delete=forget_notes,
)
