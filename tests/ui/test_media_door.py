"""Media are for the visit that they were made for, and for the browser that opened it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from streamlit.runtime import media_file_manager
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string, generate_xsrf_token_string

from ui.shared import media_door
from ui.shared.media_door import MediaDoor

COOKIE = "_streamlit_xsrf"


@dataclasses.dataclass
class House:
    """A store of media with a door, and who is in it."""

    door: MediaDoor
    manager: Any
    cookies: dict[str, dict[str, str]]

    def add(self, visit: str, data: bytes, **facts: Any) -> str:
        context = SimpleNamespace(session_id=visit)
        with (
            mock.patch.object(media_door, "get_script_run_ctx", return_value=context),
            mock.patch.object(media_file_manager, "_get_session_id", return_value=visit),
        ):
            return str(self.manager.add(data, "audio/wav", f"at.{len(data)}", **facts)).rpartition("/")[2]


@pytest.fixture
def house() -> House:
    cookies: dict[str, dict[str, str]] = {}

    def client(visit: str) -> Any:
        held = cookies.get(visit)
        return held if held is None else SimpleNamespace(client_context=SimpleNamespace(cookies=held))

    manager = MediaFileManager(MemoryMediaFileStorage("/media"))
    door = MediaDoor(SimpleNamespace(media_file_mgr=manager, get_client=client))  # type: ignore[arg-type]
    door.close()
    for visit in ("ann", "ben"):
        cookies[visit] = {COOKIE: generate_xsrf_token_string()}
    return House(door, manager, cookies)


def test_one_song_has_an_address_in_each_visit_and_a_constant_one(house: House) -> None:
    assert house.add("ann", b"song") == house.add("ann", b"song")
    assert house.add("ann", b"song") != house.add("ben", b"song")


def test_tracks_that_rest_in_the_same_places_are_not_one(house: House) -> None:
    """Streamlit tells large files by their length, beginning, middle and end alone."""
    quarter, rest = bytes([1]) * 2**19, bytes(2**19)
    first, second = rest + quarter + rest + rest + rest, rest + rest + rest + quarter + rest
    assert house.add("ann", first) != house.add("ann", second)


def test_no_address_follows_from_what_anybody_knows(house: House) -> None:
    other = MediaDoor(SimpleNamespace(media_file_mgr=MediaFileManager(MemoryMediaFileStorage("/media"))))  # type: ignore[arg-type]
    other._runtime = house.door._runtime
    other.close()
    assert House(other, other._manager, {}).add("ann", b"song") != house.add("ann", b"song")


def test_it_is_given_to_the_browser_that_opened_the_visit(house: House) -> None:
    name = house.add("ann", b"song")
    token, stamp = decode_xsrf_token_string(house.cookies["ann"][COOKIE])
    # The same secret under another mask, as each answer brings it.
    assert house.door.may_fetch(name, {COOKIE: generate_xsrf_token_string(token, stamp)})
    for cookies in ({}, house.cookies["ben"], {COOKIE: "2|a|b|c"}, {COOKIE: ""}):
        assert not house.door.may_fetch(name, cookies)
    # A laptop that slept has no connection, and what it plays is its own all the same.
    del house.cookies["ann"]
    assert house.add("ann", b"song") == name
    assert not house.door.may_fetch(name, {})


def test_without_cookies_the_address_is_the_key(house: House) -> None:
    house.cookies["ann"] = {}
    assert house.door.may_fetch(house.add("ann", b"song"), {})


def test_what_ended_is_let_go(house: House) -> None:
    for visit in ("ann", "ben"):
        house.add(visit, b"played")
        house.add(visit, b"a download", file_name="part.wav", is_for_static_download=True)
    house.door.forget({"ben"})
    assert sorted(file.content for file in house.manager._storage._files_by_id.values()) == [b"a download", b"played"]
    assert set(house.door._owners.values()) == {"ben"}
    house.manager.clear_session_refs("ben")
    house.manager.remove_orphaned_files()
    house.manager.remove_orphaned_files()
    assert not house.manager._storage._files_by_id
    assert not house.door._owners


def test_a_download_made_when_it_is_asked_for_is_its_visits(house: House) -> None:
    with mock.patch.object(media_file_manager, "_get_session_id", return_value="ann"):
        identity = house.manager.add_deferred(lambda: b"made late", "audio/wav", "at")
    house.add("ann", b"song")
    name = house.manager.execute_deferred(identity).rpartition("/")[2]
    assert house.door.may_fetch(name, house.cookies["ann"])
    assert not house.door.may_fetch(name, house.cookies["ben"])
