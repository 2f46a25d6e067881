"""docs/examples/compose.yml is a file for Docker Compose whose parts fit together, with options that `convexpy serve` has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml  # type: ignore[import-untyped]

from convexpy.serve import nodes
from convexpy.serve.options import parse
from convexpy.services.variables.service import KEY_VARIABLE
from convexpy_cli.serve import DATABASE, commands
from convexpy_cli.serve.start import server_arguments

FILE = Path(__file__).parents[2] / "docs" / "examples" / "compose.yml"
NODES = ("one", "two", "three")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def serve_command() -> click.Command:
    return typer.main.get_command(commands.app)


def test_services_name_services_volumes_and_secrets_that_are_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        needed = service.get("depends_on", [])
        conditions = needed if isinstance(needed, dict) else {other: {} for other in needed}
        assert set(conditions) <= set(services), name
        for other, how in conditions.items():
            if how.get("condition") == "service_healthy":
                assert "healthcheck" in services[other]
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"], name
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
    used = [
        volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])
    ]
    assert sorted(used) == sorted(compose["volumes"])


def test_hosts_in_addresses_are_services(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        words = " ".join([str(service.get("command", "")), str(service.get("entrypoint", ""))])
        words += " ".join(str(value) for value in service.get("environment", {}).values())
        hosts = re.findall(r"(?:@|http://)([a-z]\w*)|--to ([a-z]\w*)", words)
        assert {first or second for first, second in hosts} - {"localhost"} <= set(services)
    balanced = re.findall(r"--to (\w+):(\d+)", services["balancer"]["command"])
    default = {parameter.name: parameter.default for parameter in serve_command().params}["port"]
    assert balanced == [(name, str(default)) for name in NODES]


@pytest.mark.parametrize("name", NODES)
def test_variables_of_a_node_are_options_with_which_nodes_start(
    compose: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = compose["services"][name]["environment"]
    command = serve_command()
    known = {
        variable
        for parameter in command.params
        for variable in (
            [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or ())
        )
    }
    ours = {variable for variable in given if variable.startswith("CONVEXPY_")}
    assert ours - known - {KEY_VARIABLE} == set()
    assert DATABASE in ours
    secret = tmp_path / "secret"
    secret.write_text("ab" * 32)
    # As Compose would set them, with a value for each variable of its own.
    for variable, value in given.items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+\}", "0f" * 32, value))
    monkeypatch.setenv("CONVEXPY_SERVE_SECRET_FILE", str(secret))
    with command.make_context("serve", [], resilient_parsing=False) as context:
        options = parse(server_arguments(context.params, as_json=True, log_format="json"))
    nodes.check(options)
    assert options.node == name
    (mounted,) = compose["services"][name]["secrets"]
    assert given["CONVEXPY_SERVE_SECRET_FILE"] == f"/run/secrets/{mounted}"


def test_nodes_differ_by_their_name_alone(compose: dict[str, Any]) -> None:
    first, *rest = [
        {**service, "environment": {**service["environment"], "CONVEXPY_SERVE_NODE": ""}}
        for service in (compose["services"][name] for name in NODES)
    ]
    assert rest == [first, first]
