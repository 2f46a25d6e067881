"""A preview behind nginx, as docs/serving.md configures it: its own name leads to its own port."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from support.nginx import running_nginx
from support.ports import free_ports
from support.processes import ROOT, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed here"),
]
# The browser resolves every name below localhost to this machine.
PAGE = """
async ([url]) => {
    const socket = new WebSocket(url.replace("http", "ws") + "/api/1.21.0/sync");
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
    socket.close();
    return await (await fetch(url + "/version")).text();
}
"""


def test_a_name_leads_to_the_port_of_a_preview(tmp_path: Path, start_server: Any, browser: Any) -> None:
    page = (ROOT / "docs" / "serving.md").read_text().partition("## Previews")[2]
    (site,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    (upgrade,) = re.findall(r"map \$http_upgrade .*", (ROOT / "docs" / "serving.md").read_text())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ports = free_ports(1)
    site = site.replace("33[0-4][0-9]", "[0-9]+").replace(r"\.example\.com", r"\.localhost")
    template = f"http://p{{port}}.localhost:{port}"
    host = start_server("--previews", ports, "--preview-origin", template, "--preview-allow-origin", "*")
    with running_nginx(tmp_path / "nginx", upgrade + "\n" + site, port):
        preview = host.request("POST", "/api/convexpy/previews/claim", {"name": "pr-1"}, admin=True)[1]
        assert preview["url"] == f"http://p{ports.partition('-')[0]}.localhost:{port}"
        wait_for(lambda: _answers(port), what="nginx")
        opened = browser.new_page()
        opened.goto(f"{host.url}/version")
        assert opened.evaluate(PAGE, [preview["url"]])


def _answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
