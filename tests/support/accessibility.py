"""What axe-core finds in a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDTHS = (390, 1280)
VIOLATIONS = """async () => {
  const found = await axe.run();
  return found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}"""


def complaints(window: Any, node_clients: Path) -> list[str]:
    """Return what axe-core finds serious, in wide and narrow windows, dark and light; assert that nothing is cut off."""
    window.add_script_tag(path=str(node_clients / "node_modules" / "axe-core" / "axe.min.js"))
    found: list[str] = []
    for width in WIDTHS:
        for scheme in ("dark", "light"):
            window.set_viewport_size({"width": width, "height": 800})
            window.emulate_media(color_scheme=scheme)
            found += [f"{width} {scheme}: {each}" for each in window.evaluate(VIOLATIONS)]
            assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, scheme)
    return found
