"""Checks of the values of `--allow-host` and `--allow-origin`."""

from __future__ import annotations

from convexpy_cli import errors


def check_allowed_host(text: str) -> None:
    """Check a host: a name, an address, `.example.com` for every name below it, or `*`.

    Raises:
        Failure: it is a URL, has a port, or is malformed.
    """
    from convexpy.protocol.host_names import read_host

    bare = text.removeprefix(".")
    known = read_host(f"[{bare}]" if bare.count(":") > 1 and not bare.startswith("[") else bare)
    has_port = known is not None and bare.count(":") == 1
    if text != "*" and (known is None or has_port):
        raise errors.usage(
            f"--allow-host {text!r} is not a host name or an address",
            "--allow-host 192.168.1.20, --allow-host dev.example.com; without scheme, port and path",
        )


def check_allowed_origin(text: str) -> None:
    """Check a web origin: `https://app.example.com`, `null`, or `*`.

    Raises:
        Failure: it has no scheme, has a path, or is malformed.
    """
    from convexpy.protocol.host_names import read_origin

    if text not in ("*", "null") and read_origin(text) is None:
        raise errors.usage(
            f"--allow-origin {text!r} is not a web origin",
            "--allow-origin https://app.example.com, http://192.168.1.20:5173, or * for any",
        )
