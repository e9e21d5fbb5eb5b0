"""After the first answer, in a real Chromium: sounds that change, long ones, and browsers that lack something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from listen_in_browser import SONG, box_of, sound_time, upload, verdict, wait_for_player, wait_until_it_plays
from sounds import sine, wav_bytes
from streamlit.proto.BackMsg_pb2 import BackMsg
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import EMBEDDINGS_NAME, ONNX_NAME, save_bundle

from .conftest import served

pytestmark = pytest.mark.browser

# A minute of each.
MINUTES = wav_bytes(np.concatenate([sine(100.0, 60.0), sine(5000.0, 60.0)]), subtype="PCM_16")


# From now on pictures are unpacked once `unpack` is called.
HOLD_UNPACKING = """() => {
  window.unpacking = 0;
  const ready = new Promise((done) => (window.unpack = done));
  const original = Response.prototype.arrayBuffer;
  Response.prototype.arrayBuffer = async function () {
    window.unpacking += 1;
    await ready;
    return original.call(this);
  };
}"""
TAKE_PLAYER_OFF = """() => {
  window.taken = [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
    .find((each) => each.shadowRoot.querySelector(".stage"));
  delete taken.dataset.ready;
  taken.remove();
}"""


def go_to_explore(page, part: str) -> None:
    page.get_by_role("link", name="Explore", exact=True).click()
    page.get_by_text(part, exact=True).first.click()


def drag(page, start: float, end: float, *, pixels_down: int = 0) -> None:
    """Choose a part, from one share of the width to another, or a rectangle."""
    page.get_by_role("button", name="select").click()
    box = box_of(page.locator(".picture").first)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y + pixels_down, steps=5)
    page.mouse.up()


def test_sound_that_changes_is_told_as_such_and_its_stretches_are_a_click_away(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("minutes.wav", MINUTES))
    expect(page.get_by_text("minutes.wav · 2:00 · change", exact=True)).to_be_visible()
    expect(verdict(page)).to_have_text(
        re.compile(r"^Changes: (bass|treble) \d\d\s% of the time, (bass|treble) \d\d\s%\.$")
    )
    shares = [int(found) for found in re.findall(r"(\d+)\s%", verdict(page).inner_text())]
    assert shares == pytest.approx([50, 50], abs=6)
    wait_for_player(page)
    stretches = page.get_by_role("list", name="Stretches").get_by_role("button")
    expect(stretches).to_have_text([re.compile(r"^0:00 bass$"), re.compile(r"^(0:5\d|1:0\d) treble$")])
    stretches.nth(1).click()
    assert sound_time(page) == pytest.approx(60.0, abs=10.0)


def test_view_that_is_taken_off_the_page_while_it_unpacks_breaks_nothing(page) -> None:
    upload(page, ("minutes.wav", MINUTES))
    wait_for_player(page)
    page.evaluate(HOLD_UNPACKING)
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function("unpacking > 0")
    page.evaluate(TAKE_PLAYER_OFF)
    page.evaluate("() => unpack()")
    page.wait_for_function("taken.dataset.ready === 'true'", timeout=10_000)


def test_colours_that_no_stretch_names_have_a_legend(page) -> None:
    from playwright.sync_api import expect

    # Two stretches that are too narrow for their name, as few of the whole as to be no change.
    brief = [sine(100.0, 290.0), sine(5000.0, 10.0)]
    upload(page, ("brief.wav", wav_bytes(np.concatenate(brief), subtype="PCM_16")))
    wait_for_player(page)
    expect(page.get_by_role("list", name="Colours").get_by_role("listitem")).to_have_text(["treble", "middle"])
    go_to_explore(page, "Views")
    wait_for_player(page)
    colours = page.get_by_role("list", name="Colours").get_by_role("listitem")
    expect(colours).to_have_text(["treble", "middle"])
    # It stays where it is while the picture is zoomed.
    place = box_of(colours.first)
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(300)
    assert box_of(colours.first) == place


def test_reasons_begin_where_the_genre_is_and_follow_the_cursor(page) -> None:
    from playwright.sync_api import expect

    # So full a bass that nothing else is thought of.
    full = sum(sine(hertz, 60.0) for hertz in np.arange(40.0, 900.0, 20.0)) / 43
    upload(page, ("full.wav", wav_bytes(np.concatenate([full, sine(5000.0, 60.0)]), subtype="PCM_16")))
    wait_for_player(page)
    go_to_explore(page, "Why this genre")
    reasons = page.get_by_text(re.compile("the model hears"))
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name="treble").click()
    told = reasons.filter(has_text="the model hears treble")
    expect(told).to_have_text(re.compile(r"^From 1:\d\d\.0 to .* with a confidence of 0\.[5-9]"))
    expect(told).to_have_text(re.compile(r"Over the whole sound: 0\.\d\d\."))
    expect(page.get_by_text("Asking about the rest")).to_have_count(0)
    # Gone to where it is not: a sentence, and no squares.
    wait_for_player(page)
    page.get_by_role("button", name="all", exact=True).click()
    box = box_of(page.locator(".picture"))
    page.mouse.click(box["x"] + 0.1 * box["width"], box["y"] + 20)
    expect(
        page.get_by_text(re.compile("^Nothing to explain: from 0:0.* the model does not hear treble"))
    ).to_be_visible()
    expect(reasons).to_have_count(0)


def test_zoom_in_reasons_and_what_ifs_draws_nothing_but_their_view(page) -> None:
    from playwright.sync_api import expect

    fragments: list[str] = []

    def watch(socket) -> None:
        def sent(payload) -> None:
            told = BackMsg.FromString(payload) if isinstance(payload, bytes) else BackMsg()
            if told.WhichOneof("type") == "rerun_script" and b'"detail":[' in payload:
                fragments.append(told.rerun_script.fragment_id)

        socket.on("framesent", sent)

    page.on("websocket", watch)
    page.reload()
    upload(page, ("minutes.wav", MINUTES))
    wait_for_player(page)
    go_to_explore(page, "Why this genre")
    page.get_by_text("Measured by deleting").wait_for()
    expect(page.get_by_text("Asking about the rest")).to_have_count(0)
    for part in ("Why this genre", "What if"):
        if part != "Why this genre":  # a second click on it would lead away
            page.get_by_text(part, exact=True).click()
        wait_for_player(page)
        fragments.clear()
        for _ in range(4):
            page.get_by_role("button", name="Zoom in").click()
        for _ in range(300):
            if fragments:
                break
            page.wait_for_timeout(200)
        assert fragments, f"{part}: no detail was asked for"
        assert all(fragments), f"{part}: the whole page is drawn again"
    # A rectangle is another question, and more than the view is drawn.
    page.get_by_text("without a rectangle", exact=True).click()
    page.get_by_text("drag a rectangle").wait_for()
    drag(page, 0.2, 0.8, pixels_down=60)
    page.get_by_text("With that gone.", exact=True).wait_for()


def test_first_example_is_compared_with_another_and_files_of_one_name_are_two(open_page) -> None:
    from playwright.sync_api import expect

    page = open_page()
    page.get_by_role("tab", name="Example").click()
    page.get_by_role("radiogroup", name=re.compile("^Examples")).get_by_role("radio").first.click()
    wait_for_player(page)
    go_to_explore(page, "Two sounds")
    expect(page.locator(".picture")).to_have_count(3)
    assert page.get_by_test_id("stException").count() == 0
    # Not loaded anew: what was given would come back.
    page = open_page()
    upload(page, ("one.wav", wav_bytes(sine(100.0, 6.0))), ("one.wav", wav_bytes(sine(5000.0, 6.0))))
    wait_for_player(page)
    go_to_explore(page, "Two sounds")
    expect(page.locator(".picture")).to_have_count(3)
    page.get_by_role("combobox").last.click()
    expect(page.get_by_role("option", name=re.compile("^one.wav"))).to_have_count(1)
    assert page.get_by_test_id("stException").count() == 0


def test_part_that_is_looked_at_closer_plays_and_loops_within_it(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    go_to_explore(page, "Views")
    wait_for_player(page)
    drag(page, 0.6, 0.7)
    page.get_by_role("button", name="Look closer").click()
    expect(page.get_by_role("button", name="Back to the whole sound")).to_be_visible()
    wait_for_player(page)
    page.get_by_role("button", name="Loop").click()
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(  # it has gone round
        """() => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].some((host) => {
          const audio = host.shadowRoot?.querySelector(".view audio");
          if (!audio) return false;
          const times = (window.heard ??= []);
          times.push(audio.currentTime);
          return times.some((time, at) => at && time < times[at - 1] - 1);
        })"""
    )
    times = np.array(page.evaluate("window.heard"))
    # A busy machine is late at the end.
    assert times[times > 0].min() > 11.8
    assert times.max() < 16.0


def test_player_without_a_sound_output_says_so(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    audio, told = page.locator(".view audio"), page.locator(".status")
    # What Firefox does where there is none: an error, while the sound's clock runs.
    page.get_by_role("button", name="Play", exact=True).click()
    wait_until_it_plays(page)
    audio.evaluate("audio => audio.dispatchEvent(new Event('error'))")
    expect(told).to_have_text(re.compile("^Nothing is heard: the browser has no sound output"))
    # A file that it cannot read does not run.
    page.get_by_role("button", name="Pause", exact=True).click()
    audio.evaluate("audio => audio.dispatchEvent(new Event('error'))")
    expect(told).to_have_text(re.compile("^The browser cannot play this sound"))


def test_denied_microphone_is_told_on_train_before_anything_is_pressed(page) -> None:
    from playwright.sync_api import expect

    browser = page.context.new_cdp_session(page)
    here = {"browserContextId": browser.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]}
    browser.send("Browser.setPermission", {"permission": {"name": "microphone"}, "setting": "denied"} | here)
    page.get_by_role("link", name="Train", exact=True).click()
    # Another test may have given data sets last.
    page.get_by_text("Clip by clip", exact=True).click()
    expect(page.get_by_text("Clips of it", exact=True)).to_be_visible()
    words = page.locator(".meter .words")
    expect(words).to_have_text("No microphone: allow it in the browser’s address bar, or plug one in.")


def test_table_of_many_files_says_that_it_scrolls(page) -> None:
    from playwright.sync_api import expect

    songs = [(f"{number}.wav", wav_bytes(sine(100.0 * number, 3.0))) for number in range(1, 9)]
    upload(page, *songs, ("notes.wav", b"words only\n" * 50))
    expect(page.get_by_text(re.compile("^9 files: the table scrolls"))).to_be_visible()
    # The first row is chosen by itself.
    expect(verdict(page)).to_contain_text("Sounds like")


def test_what_was_cleared_does_not_come_back_with_the_next_file(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG), ("high.wav", wav_bytes(sine(6000.0, 6.0))))
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    wait_for_player(page)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Clear the list").click()
    expect(page.get_by_text("Let music play to the microphone")).to_be_visible()
    expect(page.get_by_test_id("stFileUploaderDropzoneInput")).to_have_count(1)
    upload(page, ("low.wav", wav_bytes(sine(80.0, 6.0))))
    expect(page.get_by_text("low.wav · 0:06 · change")).to_be_visible()


@pytest.mark.timeout(900)
def test_part_of_a_sound_too_long_to_be_held_has_its_reasons(page) -> None:
    from playwright.sync_api import expect

    sixteen = np.concatenate([np.tile(sine(100.0, 10.0, 8000), 90), np.tile(sine(3000.0, 10.0, 8000), 6)])
    upload(page, ("sixteen.wav", wav_bytes(sixteen, 8000, "PCM_U8")))
    expect(page.get_by_text("sixteen.wav · 16:00 · change")).to_be_visible(timeout=120_000)
    # A busy machine listens for minutes.
    expect(verdict(page)).to_be_visible(timeout=400_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=120_000)
    wait_for_player(page)
    drag(page, 0.97, 0.98)
    part = page.get_by_text(re.compile(r"^15:3\d\.\d to 15:4\d\.\d\. Sounds like"))
    expect(part).to_be_visible(timeout=120_000)
    genre = re.search("Sounds like (\\w+)", part.inner_text())[1]
    page.get_by_role("button", name="Why this part?").click()
    expect(page.get_by_text(re.compile(f"[Tt]he model hears {genre}")).first).to_be_visible(timeout=120_000)
    # Read from the sound: as many seconds around it as the slider's steps are apart.
    expect(
        page.get_by_text(re.compile(r"^sixteen, 15:30\.0 to 15:45\.0|^sixteen, 15:30\.0 to 16:00\.0")).first
    ).to_be_visible()


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app with a model that has a map of its training tracks."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    bundle = tiny_bundle(folder)
    network = bundle.file(ONNX_NAME).read_bytes()

    def write(where: Path) -> None:
        (where / ONNX_NAME).write_bytes(network)
        np.savez_compressed(
            where / EMBEDDINGS_NAME,
            embeddings=np.float16([[-60, -70, -80], [-70, -70, -50], [-80, -60, -70]]),
            labels=np.array([0, 2, 1], np.int16),
            track_ids=np.array(["a", "b", "c"]),
            centre=np.float32([-70, -70, -70]),
            axes=np.float32([[1, 0], [0, 1], [0, 0]]),
        )

    save_bundle(bundle, folder, write, replace=True)
    with served(folder.parent, tmp_path_factory.mktemp("server")) as address:
        yield address


def test_nothing_lies_over_the_legend_of_the_map_where_no_finger_hovers(chromium, mapped) -> None:
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    context = chromium.new_context(viewport={"width": 768, "height": 1024}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(mapped)
    assert page.evaluate("matchMedia('(hover: none)').matches")
    upload(page, ("song.wav", wav_bytes(sine(100.0, 12.0))))
    wait_for_player(page)
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Explore", exact=True).click()
    page.get_by_text("Where it lies", exact=True).click()
    legend = page.locator(".js-plotly-plot .legend")
    expect(legend).to_be_visible()
    expect(page.locator(".modebar-btn")).to_have_count(0)
    context.close()


def test_long_name_in_the_list_leaves_its_cross_beside_it(page) -> None:
    upload(page, (f"{'W' * 60}.wav", SONG))
    row = page.locator('[class*="st-key-heard-row-"]').first
    name, cross = (box_of(row.get_by_role("button").nth(number)) for number in (0, 1))
    assert cross["y"] == pytest.approx(name["y"], abs=6)
    assert name["x"] + name["width"] <= cross["x"]
    sidebar = box_of(page.get_by_test_id("stSidebar"))
    assert cross["x"] + cross["width"] <= sidebar["x"] + sidebar["width"]
