"""The question of `convexpy init` about sign-in."""

from __future__ import annotations

from convexpy.errors import ProjectError
from convexpy.project import SIGN_IN_KINDS, SignIn, SignInKind
from convexpy_cli import errors
from convexpy_cli.context import Context

_TITLES: dict[SignInKind, str] = {
    "none": "none",
    "clerk": "Clerk",
    "oidc": "another OpenID Connect issuer",
}


def ask_sign_in(
    ctx: Context, *, kind: str | None, issuer: str | None, application: str | None, asking: bool
) -> SignIn:
    """Return how people sign in: from flags, else from the person at the terminal, else not at all.

    Raises:
        Failure: a kind that there is not, or an issuer that is no address (exit 2); an issuer is needed and nobody
            is there to ask (exit 4).
    """
    if kind is None:
        kind = "oidc" if issuer or application else "none"
        if asking and kind == "none":
            choices = list(_TITLES.items())
            kind = ctx.prompts.choose("Sign-in", choices, default="none", answered_by="--auth KIND")
    found = _known(kind)
    if found != "oidc":
        if issuer or application:
            raise errors.usage(f"--auth {found} cannot be combined with --auth-issuer or --auth-application")
        return SignIn(found)
    issuer = issuer or ctx.prompts.text("Address of the issuer", answered_by="--auth-issuer URL")
    application = application or ctx.prompts.text(
        "Application id (client id)", answered_by="--auth-application ID"
    )
    sign_in = SignIn(found, issuer.strip(), application.strip())
    try:
        sign_in.check()
    except ProjectError as error:
        raise errors.usage(str(error)) from None
    return sign_in


def _known(kind: str) -> SignInKind:
    for known in SIGN_IN_KINDS:
        if kind == known:
            return known
    raise errors.usage(f"--auth {kind!r} is not valid", ", ".join(SIGN_IN_KINDS))
