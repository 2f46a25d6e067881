"""Sign-in of the examples in the Python reference."""

from typing import Any

from convexpy.auth import OIDC, Auth, Cost, EmailCode, GitHub, Google, Mail, MagicLink, MailNotSent, Password, SendMail, smtp

from ._generated.server import ActionCtx, MutationCtx, QueryCtx, query


# example: auth.Mail auth.SendMail auth.MailNotSent auth.smtp
def choose(smtp_url: str | None) -> SendMail:
    """Return what sends mail: a server, or what writes it to the log, of codes only."""
    if smtp_url is not None:
        return smtp(smtp_url, sender="Notes <notes@example.com>")

    async def write(ctx: ActionCtx, mail: Mail) -> None:
        if not mail.code:
            raise MailNotSent(f"no {mail.kind} to {mail.to}")
        ctx.log.info("%s: %s", mail.to, mail.code)

    return write
# end


# example: auth.Auth auth.Password auth.EmailCode auth.MagicLink auth.GitHub auth.Google auth.OIDC auth.Cost
def new_user(ctx: MutationCtx, user: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that users have beside those of sign-in."""
    return {"name": user.get("name", "somebody"), "role": "member"}


auth = Auth(
    providers=[
        Password(length_min=12, cost=Cost(memory_kib=46 * 1024, passes=1)),
        EmailCode(),
        MagicLink(),
        GitHub(),
        Google(),
        OIDC(id="acme", name="Acme", issuer="https://login.acme.example"),
    ],
    send_mail=choose(None),
    on_sign_up=new_user,
)


@query
def signed_in(ctx: QueryCtx) -> str | None:
    """Return the name of the signed-in user."""
    user = auth.user(ctx)
    return None if user is None else user["name"]
# end
