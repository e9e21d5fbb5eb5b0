"""`bundle.json` as text: read warily, its digest checked, of a version that is known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from crnn.errors import BundleError

# 2: `tagging`, `companion`, and two front ends. 3: a rule for music that hears short sounds twice.
FORMAT_VERSION = 3
JSON_NAME = "bundle.json"
_MAX_JSON_BYTES = 4 * 2**20
_MAX_INT = 2**63


def written(values: dict[str, Any]) -> str:
    """The text of a description, with its version and digest."""
    values = json.loads(json.dumps(values | {"format_version": FORMAT_VERSION}, allow_nan=False))
    values["digest"] = hashlib.sha256(_canonical(values)).hexdigest()
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _canonical(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read(folder: Path) -> dict[str, Any]:
    """The description in a folder, brought to the present form.

    Raises:
        BundleError: There is none, it is damaged, or its version is not known.
    """
    path = folder / JSON_NAME
    damaged = f"{JSON_NAME} of “{folder.name}” cannot be read: it is damaged."
    try:
        if not path.is_file():
            raise BundleError(f"“{folder.name}” is no model: it has no {JSON_NAME}.")
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise BundleError(f"{JSON_NAME} of “{folder.name}” is too large to be one.")
        values = json.loads(path.read_text(encoding="utf-8"), parse_int=_small_int)
    except OSError as err:
        raise BundleError(f"{JSON_NAME} of “{folder.name}” cannot be read: {err.strerror or err}.") from err
    except (UnicodeDecodeError, ValueError, RecursionError) as err:
        raise BundleError(damaged) from err
    if not isinstance(values, dict):
        raise BundleError(f"{JSON_NAME} of “{folder.name}” is not a model's description.")
    _check_version(values.get("format_version"), folder)
    digest = values.pop("digest", None)
    try:
        # NaN and half characters pass through json.loads, and no further.
        found = hashlib.sha256(_canonical(values)).hexdigest()
    except (ValueError, RecursionError) as err:
        raise BundleError(damaged) from err
    if digest != found:
        raise BundleError(f"{JSON_NAME} of “{folder.name}” was changed or damaged. Copy or import it again.")
    # What a version before knew nothing of.
    return ({"tagging": None, "companion": None} | values) if values.pop("format_version") == 1 else values


def _small_int(digits: str) -> int:
    """What no float holds would be an error wherever it is reckoned with."""
    value = int(digits)
    if abs(value) > _MAX_INT:
        raise ValueError(f"{digits[:20]}… is too large")
    return value


def _check_version(version: object, folder: Path) -> None:
    if type(version) is int and 1 <= version <= FORMAT_VERSION:
        return
    if type(version) is int and version > FORMAT_VERSION:
        raise BundleError(
            f"The model “{folder.name}” has the format {version}; this GenreScope reads up to {FORMAT_VERSION}. "
            "Update GenreScope to use it."
        )
    raise BundleError(f"{JSON_NAME} of “{folder.name}” names no known format version.")
