"""The Train page opened, and what a visitor reads there."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from streamlit.testing.v1 import AppTest

APP = str(Path(__file__).resolve().parents[1] / "app.py")


def open_page(way: str = "sets") -> AppTest:
    """The page as first opened, with folders, zips and the demo (`sets`), or clip by clip (`clips`)."""
    from crnn.data.last_choice import keep_way
    from crnn.owner import MACHINE

    keep_way(way, owner=MACHINE)
    return AppTest.from_file(APP, default_timeout=240).switch_page("pages/2_Train.py").run()


def zipped(names: dict[str, bytes]) -> bytes:
    """A zip of files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zip_file:
        for name, data in names.items():
            zip_file.writestr(name, data)
    return out.getvalue()
