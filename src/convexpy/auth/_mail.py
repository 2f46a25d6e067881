"""Mail of sign-in: what is sent, and how: over SMTP, by a function of the app, or in development to the log."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit

import msgspec

from convexpy.errors import Error
from convexpy.functions import ActionCtx

MailKind: TypeAlias = Literal[
    "verify", "account-exists", "reset", "no-account", "sign-in", "change-email", "email-changed"
]
SMTP_S_MAX = 20.0
SMTPS_PORT, SUBMISSION_PORT = 465, 587


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to be sent. `code` and `url` are what it is about, where there is one: for an app that writes its own text."""

    kind: MailKind
    to: str
    subject: str
    text: str
    code: str = ""
    url: str = ""


SendMail: TypeAlias = Callable[[ActionCtx, Mail], Awaitable[None]]


class MailNotSent(Error):
    """A mail could not be sent, or nobody was named to send it."""


def smtp(url: str, *, sender: str) -> SendMail:
    """Return what sends mail over SMTP.

    Args:
        url: `smtp://user:password@host:587` (with STARTTLS), `smtps://user:password@host` (TLS from the beginning), or
            `smtp+plain://host:25`, which is not encrypted: for a server on the same machine.
        sender: The address that mail comes from, with or without a name.

    Raises:
        ValueError: it is not such an address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps", "smtp+plain") or not parts.hostname:
        raise ValueError("an SMTP server is given as smtp://user:password@host:587 or smtps://…")

    async def send(ctx: ActionCtx, mail: Mail) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, mail.to, mail.subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=parts.hostname)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        try:
            await asyncio.to_thread(_deliver, url, message)
        except (OSError, smtplib.SMTPException) as error:
            raise MailNotSent(f"{parts.hostname} did not take a mail: {error}") from error

    return send


def _deliver(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    host, tls = parts.hostname or "", ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, parts.port or SMTPS_PORT, timeout=SMTP_S_MAX, context=tls
        )
    else:
        server = smtplib.SMTP(host, parts.port or SUBMISSION_PORT, timeout=SMTP_S_MAX)
    with server:
        if parts.scheme == "smtp":
            server.starttls(context=tls)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


async def log_mail(ctx: ActionCtx, mail: Mail) -> None:
    """Write a mail to the log: under `convexpy dev`, where nobody was named to send it.

    Raises:
        MailNotSent: this is not `convexpy dev`.
    """
    if not os.environ.get("CONVEXPY_DEVELOPMENT"):
        raise MailNotSent("no mail can be sent: Auth(send_mail=smtp(…)) says how")
    ctx.log.info("mail to %s: %s\n%s", mail.to, mail.subject, mail.text)


def written(kind: MailKind, to: str, *, app: str, code: str = "", url: str = "", minutes: int = 0) -> Mail:
    """Return a mail with the text that apps start with."""
    ignore = "If this was not you, ignore this mail: nothing has changed."
    subject, text = {
        "verify": (f"{code} is your code for {app}", f"Enter this code to complete your sign-up: {code}"),
        "account-exists": (
            f"You have an account at {app}",
            "Somebody, perhaps you, wanted to use this address, which has an account already. Sign in instead, or reset "
            "your password.",
        ),
        "reset": (
            f"{code} resets your password for {app}",
            f"Enter this code to choose a new password: {code}",
        ),
        "no-account": (
            f"You have no account at {app}",
            "Somebody, perhaps you, wanted to reset the password of this address. It has no account.",
        ),
        "sign-in": (
            f"Sign in to {app}" if url else f"{code} is your code for {app}",
            f"Open this address to sign in: {url}" if url else f"Enter this code to sign in: {code}",
        ),
        "change-email": (f"{code} confirms your address for {app}", f"Enter this code to confirm it: {code}"),
        "email-changed": (
            f"Your address at {app} was changed",
            "Mail goes to another address from now on. If this was not you, sign in and look at your account.",
        ),
    }[kind]
    lines = [text]
    if minutes:
        lines.append(f"It is valid for {minutes} minutes, and once.")
    if kind != "email-changed":
        lines.append(ignore)
    return Mail(kind=kind, to=to, subject=subject, text="\n\n".join(lines) + "\n", code=code, url=url)
