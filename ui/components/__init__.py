"""Custom components from the files beside their wrappers: no network, no npm.

A component is registered once a process; mounting it again is cheap. Data goes
as one JSON string, because Streamlit inspects every list that it is given for
data frames, and would import pandas for that.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).resolve().parent


@cache
def component(name: str) -> ComponentRenderer:
    """The mounting command of the component in `ui/components/<name>/`: `view.html`, `view.css`, and its scripts.

    The scripts are one to the browser: `view.js` comes last, and what it uses of the others is there by then. What
    lasts while Streamlit takes a component down and sets it up again is in `lasting.js`, how a genre's colour is drawn
    in `colors.js`, and that a page is being left in `leaving.js`, for all of them.
    """
    folder = _FOLDER / name
    html, css = ((folder / f"view.{kind}").read_text(encoding="utf-8") for kind in ("html", "css"))
    scripts = sorted(folder.glob("*.js"), key=lambda path: (path.name == "view.js", path.name))
    shared = sorted(_FOLDER.glob("*.js"))
    js = "\n".join(path.read_text(encoding="utf-8") for path in [*shared, *scripts])
    return st.components.v2.component(f"genrescope_{name}", html=html, css=css, js=js)


def payload(values: dict[str, Any]) -> dict[str, str]:
    """`values` as a component's `data`."""
    return {"json": json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))}


def rounded_share(share: float) -> float:
    """A share with as many digits as a browser needs; above 0.99, where all pages say so, it stays above.

    Args:
        share: 0 to 1.
    """
    rounded = round(share, 4)
    return 0.9901 if share > 0.99 >= rounded else rounded
