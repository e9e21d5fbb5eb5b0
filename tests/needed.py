"""What a test needs of its machine."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacks(what: str) -> NoReturn:
    """Skip a test for what its machine lacks; fail it where pushes are checked, as a skip would hide faults there."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
