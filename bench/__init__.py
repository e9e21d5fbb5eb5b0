"""Measures what the docs claim, and tries what must not happen: `python -m bench.NAME`, from the repository's root."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Sounds and models made by hand are borrowed from the tests.
sys.path.append(str(ROOT / "tests"))
