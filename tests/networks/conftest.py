"""What every check of a network's files on music does alike."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from crnn.networks import parity


@pytest.fixture(scope="session", autouse=True)
def _examples_made_once() -> Iterator[None]:
    """Each check makes the same pieces of music anew: that takes longer than a small network's answers do."""
    made_once = functools.cache(parity.example)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "example", made_once)
        yield
