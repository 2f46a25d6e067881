"""`v`, the namespace of validators."""

from __future__ import annotations

from typing import Any

from convexpy.values._annotations import validator_of
from convexpy.values._builders import Builders
from convexpy.values._validator import Validator


class _V(Builders):
    """The namespace `v`."""

    def of(self, annotation: Any, /) -> Validator:
        """The validator that an annotation stands for.

        Raises:
            ProjectError: there is no Convex type for it.
        """
        return validator_of(annotation)


v: _V = _V()
"""The namespace of validators."""
