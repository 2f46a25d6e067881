"""Sign-in of an app's own users: passwords, links and codes by mail, OAuth and OpenID Connect, sessions."""

from convexpy.auth._auth import Auth as Auth
from convexpy.auth._email import EmailCode as EmailCode, MagicLink as MagicLink
from convexpy.auth._hashing import Cost as Cost
from convexpy.auth._mail import Mail as Mail, MailNotSent as MailNotSent, SendMail as SendMail, smtp as smtp
from convexpy.auth._oauth import OIDC as OIDC, GitHub as GitHub, Google as Google
from convexpy.auth._password import Password as Password
from convexpy.auth._tables import auth_tables as auth_tables, user_fields as user_fields
