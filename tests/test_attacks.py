"""What strangers would do to a served app; `python -m bench.attack` prints the same acts as a table."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bench import attack, attacking, hostile_networks, serving
from ui.shared import doorman, promises, visits

ROOT = Path(__file__).resolve().parents[1]

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
    "under way",
    "talk",
    "name",
    "zips",
    "long messages",
}


@pytest.mark.parametrize(
    "act",
    [pytest.param(act, id=act.name, marks=[pytest.mark.slow] if act.name in SLOW else []) for act in attack.ATTACKS],
)
def test_it_is_held(act: attack.Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if act.name == "leave":
        # The same way in less time; how long a served app keeps it is held below.
        monkeypatch.setenv("STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL", "5")
    told = act.does(tmp_path)
    if told.startswith("NOT TRIED"):
        pytest.skip(told)
    assert told


def test_what_a_visitor_gave_is_gone_within_the_two_minutes_that_are_promised() -> None:
    """However late each look comes: the visit's end, and the doorman's turn after it."""
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    look = doorman._LOOK_EVERY_SECONDS
    assert settings["server"]["disconnectedSessionTTL"] + look <= 110
    assert visits.LEFT_SECONDS + look <= 110
    assert "within two minutes" in promises._LEFT


def test_the_hostile_networks_are_networks() -> None:
    hostile_networks.check_networks()


def test_an_act_that_comes_through_is_told() -> None:
    with pytest.raises(attacking.CameThroughError, match="nothing refused it"):
        attack.refused(lambda: None)
    attacking.hold(True, "it was changed")
    with pytest.raises(attacking.CameThroughError, match="it was changed"):
        attacking.hold(False, "it was changed")


def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(serving.NotServedError, match=r"ended with status 1 and .*encodings"),
        serving.served(tmp_path, PYTHONHOME=str(tmp_path)),
    ):
        pytest.fail("nothing is served")


def test_a_server_that_does_not_come_up_in_time_is_told_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "UP_SECONDS", 0.0)
    with (
        pytest.raises(serving.NotServedError, match="does not answer after 0 s"),
        serving.served(tmp_path),
    ):
        pytest.fail("nothing is served")
