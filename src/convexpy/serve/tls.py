"""Certificates from files, checked before anything is opened: a server must not find out at its first client."""

from __future__ import annotations

import datetime
import logging
import ssl
from pathlib import Path

from convexpy.errors import Error

EXPIRES_SOON = datetime.timedelta(days=14)
logger: logging.Logger = logging.getLogger("convexpy.serve")


class TlsInvalid(Error):
    """The certificate or its key cannot be used."""


def _no_password() -> str:
    raise TlsInvalid("the private key is encrypted", hint="openssl pkey -in KEY -out PLAIN.pem")


def check_tls(cert: Path | None, key: Path | None) -> None:
    """Check a certificate chain and its key; warn of one that has expired or soon will.

    Raises:
        TlsInvalid: one of them is missing, unreadable, encrypted, no PEM, or they don't belong together.
    """
    if cert is None and key is None:
        return
    if cert is None or key is None:
        raise TlsInvalid(
            "--tls-cert and --tls-key go together", hint="--tls-cert chain.pem --tls-key key.pem"
        )
    for file in (cert, key):
        try:
            file.read_bytes()
        except OSError as error:
            raise TlsInvalid(f"cannot read {file}: {error.strerror}") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, _no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsInvalid(f"the key in {key} is not that of the certificate in {cert}") from error
        raise TlsInvalid(f"{cert} and {key} are not a certificate and key in PEM form") from error
    _warn_of_expiry(cert)


def _warn_of_expiry(cert: Path) -> None:
    from cryptography import x509

    left = x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc - datetime.datetime.now(
        datetime.UTC
    )
    if left < datetime.timedelta():
        logger.warning("the certificate in %s has expired: clients will refuse it", cert)
    elif left < EXPIRES_SOON:
        logger.warning("the certificate in %s expires in %d days", cert, left.days)
