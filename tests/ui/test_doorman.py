"""How much visitors may hold in memory together, counted once whoever holds it."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from crnn.errors import CrnnError
from crnn.limits import BY_MODE
from ui.shared import doorman, holdings, steady
from ui.shared.answer_cache import View
from ui.shared.doorman import _Uploads
from ui.shared.garbage import Garbage
from ui.shared.holdings import HELD, Holdings
from ui.shared.media_door import MediaDoor
from ui.shared.state import Sound
from ui.shared.visits import Visits

LIMITS = dataclasses.replace(BY_MODE["public"], held_bytes=100, visit_bytes=200, server_bytes=250)


def uploads(stored: dict[str, list[bytes]], held: Holdings | None = None, media: MediaDoor | None = None) -> _Uploads:
    storage = {v: {str(i): SimpleNamespace(data=d) for i, d in enumerate(files)} for v, files in stored.items()}
    store: Any = SimpleNamespace(file_storage=storage, add_file=None, get_upload_urls=None)
    runtime: Any = SimpleNamespace(uploaded_file_mgr=store, is_active_session=lambda _: True)
    return _Uploads(runtime, LIMITS, held or Holdings(), media or media_of({}))


def media_of(files: dict[str, bytes]) -> MediaDoor:
    """A door with one file for each visit."""
    door = MediaDoor.__new__(MediaDoor)
    door._owners = {f"of {visit}": visit for visit in files}
    door._store = SimpleNamespace(_files_by_id={f"of {v}": SimpleNamespace(content=d) for v, d in files.items()})  # type: ignore[assignment]
    return door


class Thing:
    """Something that is held, and its bytes."""

    def __init__(self, held: Holdings, data: bytes) -> None:
        self.data = data
        held.add(self, lambda thing: {id(thing.data): len(thing.data)})


def test_a_visitor_has_his_share() -> None:
    assert uploads({"ann": [bytes(60)]})._has_room("ann", 40)
    assert not uploads({"ann": [bytes(60)]})._has_room("ann", 41)
    assert uploads({"ann": [bytes(60)]})._has_room("ben", 100)


def test_what_is_held_counts_against_the_server_and_once() -> None:
    shown, held = bytes(100), Holdings()
    things = [Thing(held, shown), Thing(held, shown), Thing(held, bytes(90))]
    both = uploads({"ann": [shown]}, held)
    assert both._has_room("cid", 60)
    assert not both._has_room("cid", 61)
    # It makes room for what its visitor gives next.
    assert uploads({}, held)._has_room("ann", 60)
    # What nobody holds any more counts no more.
    del things[2]
    assert both._has_room("cid", 100)


def test_sounds_count_whoever_holds_them_and_as_long_as_that() -> None:
    sound = Sound("a.wav", bytes(77), "upload")
    view = View(np.zeros((2, 3), np.float32), bytes(50), 0.0)
    keys = {id(sound.data), id(view.power), id(view.wav)}
    assert sorted(HELD.weights()[key] for key in keys) == [24, 50, 77]
    del sound, view
    gc.collect()
    assert not [thing for thing in HELD.weights() if thing in keys]


def test_a_full_server_says_so() -> None:
    held = Holdings()
    thing = Thing(held, bytes(100))
    held.check_room(dataclasses.replace(LIMITS, server_bytes=101))
    with pytest.raises(CrnnError, match="as it can"):
        held.check_room(dataclasses.replace(LIMITS, server_bytes=len(thing.data)))


def test_what_only_points_at_itself_makes_room_before_anybody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Holdings()
    door = uploads({}, held)
    gc.disable()
    try:
        for is_full in (
            lambda: not door._has_room("ann", 100),
            lambda: held.check_room(dataclasses.replace(LIMITS, server_bytes=200)),
        ):
            thing: Any = Thing(held, bytes(200))
            thing.itself = thing
            del thing
            assert sum(held.weights().values()) == 200
            for module in (doorman, holdings):
                monkeypatch.setattr(module, "GARBAGE", Garbage())
            assert not is_full()
            assert not held.weights()
    finally:
        gc.enable()


def test_garbage_is_searched_for_where_there_was_work_and_not_again_at_once() -> None:
    at_once, later = Garbage(least_seconds=3600.0), Garbage(least_seconds=0.0)
    assert at_once.collect()
    assert later.collect()
    assert not later.collect()
    made = [[number] for number in range(50_000)]
    assert not at_once.collect()
    assert later.collect()
    assert len(made) == 50_000


def test_the_doorman_searches_each_time_that_he_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[None] = []
    loop = SimpleNamespace(is_closed=lambda: len(searches) == 2, call_soon_threadsafe=lambda *_: None)
    runtime: Any = SimpleNamespace(_get_async_objs=lambda: SimpleNamespace(eventloop=loop))
    looks = iter(range(10))
    # Without a search he would look on for ever.
    monkeypatch.setattr(doorman, "time", SimpleNamespace(sleep=lambda _: next(looks)))
    monkeypatch.setattr(doorman, "GARBAGE", SimpleNamespace(collect=lambda: searches.append(None)))
    doorman._look_on(runtime, (), Visits())
    assert len(searches) == next(looks) == 2


def test_all_that_is_made_for_a_visitor_counts_against_him(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was heard, shown, played and downloaded, beside what his uploaders hold."""
    played, held = bytes(60), Holdings()
    monkeypatch.setattr(holdings, "get_script_run_ctx", lambda: SimpleNamespace(session_id="ann"))
    things = [Thing(held, bytes(50)), Thing(held, played)]
    door = uploads({"ann": [bytes(40)]}, held, media_of({"ann": played, "ben": bytes(20)}))
    # 40 + 50 + 60, and what plays is what is shown.
    assert door._has_room("ann", 50)
    assert not door._has_room("ann", 51)
    assert not uploads({"ann": [bytes(40)]}, held, media_of({"ann": bytes(61)}))._has_room("ann", 1)
    assert door._has_room("ben", 80)
    assert not door._has_room("ben", 81)
    held.check_room(dataclasses.replace(LIMITS, visit_bytes=111))
    with pytest.raises(CrnnError, match="for you as it holds for one visitor"):
        held.check_room(dataclasses.replace(LIMITS, visit_bytes=110))
    del things[0]
    assert door._has_room("ann", 60)


def test_an_upload_counts_from_its_first_byte_on() -> None:
    door = uploads({"ann": [bytes(40)]})
    told: list[int] = []
    doors_open = asyncio.Event()

    async def app(*_: Any) -> None:
        await doors_open.wait()
        told.append(204)

    async def give(length: str, visit: str = "ann") -> None:
        headers = [(b"content-length", length.encode())] if length else []
        scope = {"type": "http", "method": "PUT", "path": "/", "headers": headers, "path_params": {"session_id": visit}}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                told.append(message["status"])

        await door.counted(app)(scope, None, send)

    async def all_at_once() -> None:
        first = [asyncio.create_task(give("30")), asyncio.create_task(give("30"))]
        await asyncio.sleep(0)
        # Sixty are on their way beside forty: neither one byte more, nor one who does not tell how many.
        await asyncio.gather(give("1"), give(""), give("-5"))
        assert told == [413] * 3
        assert door._has_room("ben", 100)
        doors_open.set()
        await asyncio.gather(*first)
        await give("60")

    asyncio.run(all_at_once())
    assert told == [413] * 3 + [204] * 3
    assert door._under_way.total() == 0


def test_an_upload_that_stands_still_holds_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "WINDOW_SECONDS", 0.05)
    door = uploads({})
    headers = [(b"content-length", b"80")]
    scope = {"type": "http", "method": "PUT", "path": "/", "headers": headers, "path_params": {"session_id": "ann"}}

    async def never() -> None:
        await asyncio.Event().wait()

    async def app(_: Any, receive: Any, __: Any) -> None:
        await receive()

    async def stand_still() -> None:
        with pytest.raises(HTTPException, match="too slowly"):
            await asyncio.wait_for(door.counted(app)(scope, never, None), 20)

    asyncio.run(stand_still())
    assert door._under_way.total() == 0


def test_what_is_on_its_way_of_all_counts_against_the_server() -> None:
    door = uploads({})
    door._under_way["ann"] = 200
    assert door._has_room("ben", 50)
    assert not door._has_room("ben", 51)


def test_an_upload_is_taken_once_and_not_counted_twice() -> None:
    door, taken = uploads({"ann": [bytes(40)]}), []
    door._add = lambda visit, file: taken.append(file.file_id)
    door._expected["ann"] = {"a"}
    # As many bytes as were told of are on their way, and there is room for no more.
    door._under_way["ann"] = 60
    file = SimpleNamespace(file_id="a", data=bytes(60))
    door._add_file("ann", file)
    assert taken == ["a"]
    with pytest.raises(HTTPException) as again:
        door._add_file("ann", file)
    assert again.value.status_code == 400
    door._expected["ann"] = {"b"}
    with pytest.raises(HTTPException) as more:
        door._add_file("ann", SimpleNamespace(file_id="b", data=bytes(61)))
    assert more.value.status_code == 413


def test_no_more_ids_are_given_out_than_ten_times_what_may_be_given_at_once() -> None:
    door = uploads({})
    door._urls = lambda _, names: [SimpleNamespace(file_id=name) for name in names]
    first, second = (door._get_upload_urls("ann", (f"{call}{n}" for n in range(150))) for call in "ab")
    assert (len(first), len(second)) == (150, 50)
    assert len(door._expected["ann"]) == 10 * LIMITS.files_at_once == 200


@pytest.mark.parametrize(("mode", "is_allowed"), [("local", False), ("shared", True), ("public", True)])
def test_a_page_of_another_port_is_another_at_a_machine_of_ones_own(
    mode: Any, is_allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorman.starlette_websocket, "_is_origin_allowed", None)
    monkeypatch.setattr(doorman.server_util, "is_allowed_origin", lambda _: False)
    doorman._keep_other_pages_out(mode)
    ask: Any = doorman.starlette_websocket._is_origin_allowed
    assert ask("http://localhost:9999", "localhost:8501") is is_allowed
    assert ask("http://localhost:8501", "localhost:8501")
    assert not ask("http://evil.example", "localhost:8501")
