"""What strangers would do to a served app; `python -m bench.attack` prints the same acts as a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import attack, hostile_networks

# Real servers, or seconds of a network that never ends.
SLOW = {
    "writing",
    "swelling",
    "trial",
    "after trial",
    "upload",
    "host name",
    "messages",
    "values",
    "media",
    "host's",
    "leave",
}


@pytest.mark.parametrize(
    "act",
    [pytest.param(act, id=act.name, marks=[pytest.mark.slow] if act.name in SLOW else []) for act in attack.ATTACKS],
)
def test_it_is_held(act: attack.Attack, tmp_path: Path) -> None:
    told = act.does(tmp_path)
    if told.startswith("NOT TRIED"):
        pytest.skip(told)
    assert told


def test_the_hostile_networks_are_networks() -> None:
    hostile_networks.check_networks()


def test_an_act_that_comes_through_is_told() -> None:
    with pytest.raises(attack.BrokenError, match="nothing refused it"):
        attack.refused(lambda: None)
