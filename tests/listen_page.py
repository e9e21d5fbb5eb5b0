"""The Listen page read and handled as a visitor does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sounds import sine, wav_bytes
from streamlit.testing.v1 import AppTest

APP = str(Path(__file__).resolve().parents[1] / "app.py")
TREBLE = wav_bytes(sine(6000.0, 12.0))
BASS = wav_bytes(sine(60.0, 12.0))


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    return app.file_uploader[0].set_value([(name, data, "audio/wav") for name, data in files]).run()


def verdict(app: AppTest) -> str:
    # A percentage stays together where a line ends.
    return str(app.main.subheader[0].value).replace("\u00a0", " ")


def numbers_of(app: AppTest) -> Any:
    return next(expander for expander in app.main.expander if expander.label == "The same in words and numbers")


def component(app: AppTest, name: str) -> dict[str, Any]:
    """What a component was given to draw."""
    for element in app.get("bidi_component"):
        if element.proto.component_name == f"genrescope_{name}":
            return dict(json.loads(json.loads(element.proto.json)["json"]))
    raise AssertionError(f"no {name} on the page")
