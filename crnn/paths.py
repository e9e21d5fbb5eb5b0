"""Where things lie: models, what the app writes, and the data of tests.

Environment variables move each of them; nothing is made here, only named.
"""

from __future__ import annotations

import os
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent


def home_dir() -> Path:
    """Folder of all that the app writes besides models (`GENRESCOPE_HOME`, by default `var`)."""
    return _from_environment("GENRESCOPE_HOME", _REPOSITORY / "var")


def models_dir() -> Path:
    """Folder of the bundles (`GENRESCOPE_MODELS`, by default `models`)."""
    return _from_environment("GENRESCOPE_MODELS", _REPOSITORY / "models")


def data_dir() -> Path:
    """Folder where tests and scripts look for data (`GENRESCOPE_DATA`); it need not exist."""
    return _from_environment("GENRESCOPE_DATA", _REPOSITORY.parent / "shared" / "data")


def _from_environment(variable: str, default: Path) -> Path:
    value = os.environ.get(variable, "").strip()
    return Path(value).expanduser().resolve() if value else default
