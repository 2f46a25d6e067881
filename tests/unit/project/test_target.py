"""Choosing a deployment: the first source wins, and a key never goes to another source's URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convexpy.errors import ProjectError
from convexpy.project import Target, TargetRequest, open_project, resolve_target

CONFIG = """
[deployments.staging]
url = "https://staging.example.com"
[deployments.live]
url = "https://api.example.com"
production = true
protected = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    (root / "convexpy.toml").write_text(CONFIG, encoding="utf-8")
    user = tmp_path / "user"
    user.mkdir()
    credentials = user / "credentials.toml"
    credentials.write_text('["https://api.example.com"]\nkey = "live|abc"\n', encoding="utf-8")
    credentials.chmod(0o600)
    return root


def resolve(folder: Path, **request: Any) -> Target:
    return resolve_target(open_project(folder), TargetRequest(user_folder=folder.parent / "user", **request))


def test_without_anything_it_is_local(folder: Path) -> None:
    target = resolve(folder)
    assert (target.kind, target.name, target.url_source) == ("local", "local", "built-in default")


def test_sources_in_their_order(folder: Path) -> None:
    (folder / ".env").write_text("CONVEXPY_URL=http://dotenv\nCONVEXPY_DEPLOY_KEY=e|1\n", encoding="utf-8")
    assert resolve(folder).url == "http://dotenv"
    (folder / ".env.local").write_text(
        "CONVEXPY_URL=http://local\nCONVEXPY_DEPLOY_KEY=l|1\n", encoding="utf-8"
    )
    assert resolve(folder).url == "http://local"
    environment = {"CONVEXPY_URL": "http://process", "CONVEXPY_DEPLOY_KEY": "p|1"}
    assert resolve(folder, environment=environment).url == "http://process"
    file = folder / "ci.env"
    file.write_text(
        "CONVEX_SELF_HOSTED_URL=http://file\nCONVEX_SELF_HOSTED_ADMIN_KEY=f|1\n", encoding="utf-8"
    )
    assert resolve(folder, environment=environment, env_file=file).url == "http://file"
    found = resolve(folder, environment=environment, env_file=file, url="http://flag/", admin_key="x|1")
    assert (found.url, found.admin_key, found.url_source) == ("http://flag", "x|1", "flag --url")


@pytest.mark.parametrize(
    "environment",
    [{"CONVEXPY_URL": "http://a"}, {"CONVEXPY_DEPLOY_KEY": "a|1"}, {"CONVEX_SELF_HOSTED_ADMIN_KEY": "a|1"}],
)
def test_half_a_pair_is_refused_even_if_another_source_has_the_rest(
    folder: Path, environment: dict[str, str]
) -> None:
    (folder / ".env.local").write_text("CONVEXPY_URL=http://b\nCONVEXPY_DEPLOY_KEY=b|1\n", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        resolve(folder, environment=environment)
    assert caught.value.code == "TargetIncomplete"


def test_empty_variables_count_as_unset(folder: Path) -> None:
    assert resolve(folder, environment={"CONVEXPY_URL": "", "CONVEXPY_DEPLOYMENT": ""}).kind == "local"


def test_a_url_without_a_key_uses_the_one_remembered_for_its_origin(folder: Path) -> None:
    target = resolve(folder, url="https://api.example.com")
    assert (target.admin_key, target.key_source, target.production) == ("live|abc", "credentials file", True)
    with pytest.raises(ProjectError):
        resolve(folder, url="https://api.example.com:444")


def test_prod_is_the_one_marked_production(folder: Path) -> None:
    target = resolve(folder, deployment="prod")
    assert (target.name, target.url, target.protected) == ("live", "https://api.example.com", True)


def test_an_unknown_name_suggests_the_nearest(folder: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        resolve(folder, deployment="stagin")
    assert caught.value.code == "TargetUnknown"
    assert "staging" in str(caught.value.hint)


def test_both_families_differing_is_a_note_and_ours_wins(folder: Path) -> None:
    environment = {
        "CONVEXPY_URL": "http://ours",
        "CONVEXPY_DEPLOY_KEY": "o|1",
        "CONVEX_SELF_HOSTED_URL": "http://theirs",
        "CONVEX_SELF_HOSTED_ADMIN_KEY": "t|1",
    }
    target = resolve(folder, environment=environment)
    assert target.url == "http://ours"
    assert len(target.notes) == 1


def test_a_hosted_deployment_is_ignored_with_a_note_and_a_local_one_is_local(folder: Path) -> None:
    target = resolve(folder, environment={"CONVEX_DEPLOYMENT": "dev:joyful-capybara-123"})
    assert target.kind == "local"
    assert "joyful-capybara-123" in target.notes[0]
    assert resolve(folder, environment={"CONVEX_DEPLOYMENT": "local:x"}).notes == ()


def test_credentials_that_others_can_read_are_refused(folder: Path) -> None:
    (folder.parent / "user" / "credentials.toml").chmod(0o644)
    with pytest.raises(ProjectError, match="read by others"):
        resolve(folder, deployment="live")


def test_a_deploy_ignores_what_was_chosen_for_development(folder: Path) -> None:
    (folder / ".env.local").write_text(
        "CONVEXPY_DEPLOYMENT=staging\nCONVEXPY_URL=http://dev\nCONVEXPY_DEPLOY_KEY=d|1\n", encoding="utf-8"
    )
    found = resolve(folder, deploying=True)
    assert (found.name, found.production, found.named) == ("live", True, True)
    environment = {"CONVEXPY_URL": "http://process", "CONVEXPY_DEPLOY_KEY": "p|1"}
    explicit = resolve(folder, deploying=True, environment=environment)
    assert (explicit.url, explicit.named) == ("http://process", False)
    assert resolve(folder, deploying=True, environment={"CONVEXPY_DEPLOYMENT": "staging"}).name == "staging"
    assert resolve(folder, deploying=True, deployment="local").kind == "local"
    (folder / "convexpy.toml").write_text("", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        resolve(folder, deploying=True)
    assert caught.value.code == "TargetIncomplete"
    assert "CONVEXPY_DEPLOY_KEY" in str(caught.value.hint)


def test_without_a_project_the_users_own_names_count(folder: Path) -> None:
    user = folder.parent / "user"
    (user / "config.toml").write_text(
        '[deployments.mine]\nurl = "https://api.example.com"\nproduction = true\n', encoding="utf-8"
    )
    request = TargetRequest(deployment="mine", user_folder=user)
    found = resolve_target(None, request)
    assert (found.url, found.admin_key, found.production) == ("https://api.example.com", "live|abc", True)
    assert resolve_target(None, TargetRequest(user_folder=user)).kind == "local"
