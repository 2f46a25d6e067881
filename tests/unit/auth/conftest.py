"""Deployments in memory of an app with sign-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.sign_in_app import sign_in_app
from support.sign_in_people import People, people_of

from convexpy.testing._local import LocalDeployment

MakePeople = Callable[..., People]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return what writes an app with these options, once."""
    written: dict[str, Path] = {}

    def write(**options: Any) -> Path:
        key = repr(sorted(options.items()))
        if key not in written:
            folder = tmp_path_factory.mktemp("auth") / "convex"
            folder.mkdir()
            for name, text in sign_in_app(**options).items():
                (folder / name).write_text(text)
            written[key] = folder
        return written[key]

    return write


@pytest.fixture
def make_people(folders: Callable[..., Path]) -> Iterator[MakePeople]:
    """Return what starts a deployment of the app with these options."""
    started: list[LocalDeployment] = []

    def make(**options: Any) -> People:
        local = LocalDeployment(folders(**options))
        started.append(local)
        return people_of(local)

    yield make
    for local in started:
        local.close()


@pytest.fixture
def people(make_people: MakePeople) -> People:
    """People of an app that verifies addresses."""
    return make_people()
