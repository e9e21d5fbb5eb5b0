"""What every training of these tests does alike."""

from __future__ import annotations

import functools

import pytest

from crnn.training import publish

_made_once = functools.cache(publish.negative_cells)


@pytest.fixture(autouse=True)
def _noises_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no music is learnt from 216 sounds, made on the spot: that takes longer than a small network does."""
    monkeypatch.setattr(publish, "negative_cells", _made_once)
