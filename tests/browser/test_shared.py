"""Two people who sign in through a real OpenID provider, in a real Chromium: each finds his own things alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oidc_provider_mock
import pytest
from sounds import sine, wav_bytes

from bench.signing_in import House, correct, give, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with oidc_provider_mock.run_server_in_thread() as provider:
        found = House(tmp_path, provider.server_port)
        found.open()
        try:
            yield found
        finally:
            found.kill()


def test_each_has_his_own_and_finds_it_after_a_kill(chromium: Any, house: House) -> None:
    from playwright.sync_api import expect

    song = wav_bytes(sine(60.0, 8.0))
    ann, ben = sign_in(chromium, house, "ann"), sign_in(chromium, house, "ben")
    # The same sound, and yet no address of one leads to the other's.
    assert give(ann, song) != give(ben, song)
    correct(ann, "humming")
    kept = list((house.home / "people").glob("*/collections/corrections/humming/*.wav"))
    assert len(kept) == 1
    ben.goto(f"{house.address}/Train")
    ben.get_by_text("Data sets", exact=True).click()
    expect(ben.get_by_text("Choose one or more data sets").or_(ben.get_by_text("demo: eight")).first).to_be_visible()
    ben.get_by_role("combobox", name="Learn from").click()
    expect(ben.get_by_text("corrections: 1 clip")).to_have_count(0)

    house.kill()
    house.open()
    ann.goto(f"{house.address}/Train")
    ann.get_by_text("Data sets", exact=True).click()
    ann.get_by_role("combobox", name="Learn from").click()
    expect(ann.get_by_text("corrections: 1 clip of humming").first).to_be_visible()
    # An address that nobody vouched for makes no admin, whatever it says.
    ben.goto(f"{house.address}/Models")
    expect(ben.get_by_text("It is this server’s own, and nobody’s to change.")).to_be_visible()
    expect(ben.get_by_role("button", name="Delete", exact=True)).to_have_count(0)

    # The sound that is on show goes as well, and nothing is said to be missing.
    ann.goto(house.address)
    give(ann, song)
    ann.get_by_test_id("stSidebar").get_by_role("button", name="ann").click()
    ann.get_by_text("Delete all that is mine").click()
    ann.get_by_role("button", name="Delete it now").click()
    expect(ann.get_by_text("What an answer looks like")).to_be_visible()
    expect(ann.get_by_text("song.wav")).to_have_count(0)
    expect(ann.get_by_text("0 of 2048 MB are kept for you")).to_be_visible()
    expect(ann.get_by_text("gone from the server")).to_have_count(0)
    assert not kept[0].exists()
