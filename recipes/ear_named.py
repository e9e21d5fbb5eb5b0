"""The inputs of `recipes.ear`, each with its SHA-256, and which of those at hand are others.

    python -m recipes.ear_named --data DATA --debian DEBIAN > recipes/ear_named.json

writes what is at hand as what is named. Of a folder it is what

    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum

says in it: the digest of the names and digests of all its files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from crnn import paths
from recipes.ear_sounds import PACKAGES

_TABLE = Path(__file__).with_suffix(".json")
_OF_DATA = (
    "gtzan-logmel.npz",
    "elsewhere-mel100.npz",
    "elsewhere-logmel.npz",
    "gtzan-partition.csv",
    "gtzan-audio",
    "gtzan-reference",
    "gtzan-cuts",
    "emotify-audio",
    "not-music",
    "teachers/mn04",
)


def main() -> int:
    """Print the digests of what is at hand, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=paths.data_dir())
    parser.add_argument("--debian", type=Path, required=True, help="a folder for each unpacked package")
    options = parser.parse_args()
    print(json.dumps({name: digest(path) for name, path in _places(options.data, options.debian).items()}, indent=2))
    return 0


def named() -> dict[str, str]:
    """SHA-256 of each input; packages begin with `debian/`."""
    table: dict[str, str] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table


def others(data: Path, debian: Path) -> list[str]:
    """Names of the inputs that are missing or have another SHA-256 than is named.

    Args:
        data: Labelled and other sound, as tests have it.
        debian: Unpacked packages, as `recipes.ear_sounds` says.
    """
    places = _places(data, debian)
    return [name for name, sha256 in named().items() if not places[name].exists() or digest(places[name]) != sha256]


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and digests of a folder's files; links are passed over.

    Args:
        path: Of the file or folder.

    Raises:
        OSError: It cannot be read.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    names = {found.relative_to(path).as_posix().encode(): found for found in path.rglob("*")}
    files = {name: found for name, found in names.items() if found.is_file() and not found.is_symlink()}
    lines = (digest(files[name]).encode() + b"  ./" + name + b"\n" for name in sorted(files))
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _places(data: Path, debian: Path) -> dict[str, Path]:
    return {name: data / name for name in _OF_DATA} | {f"debian/{name}": debian / name for name in PACKAGES}


if __name__ == "__main__":
    sys.exit(main())
