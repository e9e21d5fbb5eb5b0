"""The Explore page read and handled as a visitor does; its fixtures are in `tests/pages/conftest.py`."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
from sounds import noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest

PAGE = "pages/1_Explore.py"
SONG = wav_bytes(sine(440.0, 5.0) + noise(5.0, level=0.001))


def players(app: AppTest) -> list[dict[str, Any]]:
    """What each listening view was given to draw."""
    found = [e.proto for e in app.get("bidi_component") if e.proto.component_name == "genrescope_player"]
    return [json.loads(json.loads(proto.json)["json"]) for proto in found]


def choose(app: AppTest, key: str, value: object) -> AppTest:
    app.session_state[key] = value
    return app.run()


def cells_of(picture: dict[str, Any]) -> np.ndarray:
    """The picture as the browser unpacks it, `(columns, rows)`."""
    cells = np.frombuffer(zlib.decompress(base64.b64decode(picture["cells"])), np.uint8)
    return cells.reshape(picture["columns"], picture["rows"]).astype(int)


def titles(app: AppTest) -> list[str]:
    return [picture["title"] for picture in players(app)[0]["pictures"]]
