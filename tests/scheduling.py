"""How tests are dealt to the processes of pytest-xdist."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

BROWSERS = "browsers"


def units(nodeids: Sequence[str]) -> dict[str, str]:
    """The unit of each test, which stays in one process.

    Tests of one file that follow each other are one, for what they share is made once for each process. All that
    drive a browser are one: two browsers and their servers are too much for two cores.

    Args:
        nodeids: Tests in the order of the collection.
    """
    found: dict[str, str] = {}
    for number, (file, tests) in enumerate(itertools.groupby(nodeids, key=lambda nodeid: nodeid.split("::")[0])):
        found |= dict.fromkeys(tests, BROWSERS if "/browser/" in file else f"{number} {file}")
    return found


class InOrder(LoadScopeScheduling):
    """Whoever is free takes the next unit; ids stay as they are, as `--dist loadgroup` would not leave them.

    Args:
        config: Of pytest.
        log: As of `LoadScopeScheduling`.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        # Not those of the most tests first.
        config.option.loadscopereorder = False
        self._units: dict[str, str] = {}

    def schedule(self) -> None:
        """Deal the tests, which all processes have collected by now."""
        if not self._units:
            self._units = units(next(iter(self.registered_collections.values())))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._units[nodeid]
