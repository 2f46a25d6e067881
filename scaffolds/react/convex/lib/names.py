"""Names of people and channels."""

from convexpy import ConvexError


def clean_name(name: str, what: str) -> str:
    """Return a name without surrounding space; raises `ConvexError` if nothing, or too much, is left."""
    name = name.strip().lstrip("#")
    if not 1 <= len(name) <= 40:
        raise ConvexError({"code": "BadName", "message": f"the name of a {what} has 1 to 40 characters"})
    return name
