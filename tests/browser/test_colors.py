"""How a genre's colour is drawn, in exact cases."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

COLORS = Path(__file__).resolve().parents[2] / "ui" / "components" / "colors.js"


def test_dark_colours_are_lifted_on_a_dark_page_alone(chromium) -> None:
    page = chromium.new_page()
    page.set_content(
        '<p id="light" style="color: rgb(49, 51, 63)"></p><p id="dark" style="color: rgb(250, 250, 250)"></p>'
    )
    page.add_script_tag(content=COLORS.read_text(encoding="utf-8"))
    drawn = page.evaluate(
        """() => ["light", "dark"].map((id) => ["#332288", "#DDCC77"]
          .map((color) => colorAt(document.getElementById(id), color)))"""
    )
    # 35 % of the way to white: 51 + 0.35 * 204 = 122.4, 34 + 0.35 * 221 = 111.35, 136 + 0.35 * 119 = 177.65.
    assert drawn == [["#332288", "#DDCC77"], ["rgb(122 111 178)", "#DDCC77"]]
    assert page.evaluate("() => colorAt(document.createElement('p'), '#332288')") == "#332288"
    page.close()
