"""The player on the Listen page in a real Chromium: cursor, seeking, zoom, what is set and kept."""

from __future__ import annotations

import numpy as np
import pytest
from listen_in_browser import (
    SECONDS,
    SONG,
    box_of,
    loudest_hz,
    sound_time,
    upload,
    wait_for_player,
    wait_until_it_plays,
)
from sounds import RATE, sine, wav_bytes

pytestmark = pytest.mark.browser

# Time at the cursor's place on the screen, and the sound's own time, over some frames.
FOLLOW = """
async ({selector, frames}) => {
  const host = [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
    .find((each) => each.shadowRoot.querySelector(selector));
  const find = (name) => host.shadowRoot.querySelector(name);
  const audio = find("audio");
  const seen = [];
  for (let frame = 0; frame < frames; frame += 1) {
    // A frame's callback that is asked for between two frames runs after the view's own, right before it is painted.
    await new Promise((done) => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => requestAnimationFrame(done);
      requestAnimationFrame(() => channel.port2.postMessage(""));
    });
    const box = find(".overlay").getBoundingClientRect();
    const cursor = find(".cursor").getBoundingClientRect();
    // The line is two pixels wide, its middle on the spot.
    seen.push([(cursor.left + 1 - box.left) / box.width, audio.currentTime, audio.paused ? 1 : 0]);
  }
  return seen;
}
"""


def in_step(page, frames: int = 30) -> np.ndarray:
    """Cursor's time and sound's time in seconds while it plays, shape `(frames, 2)`, once they were in step."""
    for _ in range(4):  # a machine busy with other work holds up frames
        seen = np.array(page.evaluate(FOLLOW, {"selector": ".stage", "frames": frames}))
        assert not seen[:, 2].any(), "the sound does not play"
        late = np.abs(seen[:, 0] * SECONDS - seen[:, 1])
        if np.quantile(late, 0.9) < 0.05:
            break
    assert np.quantile(late, 0.9) < 0.05
    return np.stack([seen[:, 0] * SECONDS, seen[:, 1]], axis=1)


def test_cursor_keeps_in_step_with_the_sound(page) -> None:
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    page.get_by_role("button", name="Play", exact=True).click()
    wait_until_it_plays(page)
    steps = in_step(page)
    assert steps[-1, 0] > steps[0, 0] + 0.3, "the cursor stands still"

    box = box_of(page.locator(".picture"))
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 30)
    assert 0.59 * SECONDS < sound_time(page) < 0.7 * SECONDS
    steps = in_step(page)
    assert steps[0, 0] > 0.59 * SECONDS

    page.get_by_role("button", name="½×").click()
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 30)
    steps = in_step(page)
    assert page.locator(".view audio").evaluate("audio => audio.playbackRate") == 0.5
    assert 0.29 * SECONDS < steps[0, 1] < steps[-1, 1] < 0.6 * SECONDS


def test_it_plays_on_where_the_theme_changes(page) -> None:
    """Streamlit takes its components down and sets them up again then, on the same elements."""
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    play = page.locator(".view .play")
    play.click()
    wait_until_it_plays(page)
    # Whether it does depends on what else is drawn in that moment.
    for scheme in ("dark", "light") * 5:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(150)
    assert not page.locator(".view audio").evaluate("audio => audio.paused")
    play.click()
    assert page.locator(".view audio").evaluate("audio => audio.paused")


def test_click_and_keys_seek(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    box = box_of(page.locator(".cells"))
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 40)
    assert sound_time(page) == pytest.approx(0.25 * SECONDS, abs=0.05)
    stage = page.get_by_role("slider", name="Position in the sound")
    stage.focus()
    page.keyboard.press("ArrowRight")
    assert sound_time(page) == pytest.approx(0.25 * SECONDS + 1, abs=0.05)
    page.keyboard.press("Home")
    assert sound_time(page) == 0.0
    assert stage.get_attribute("aria-valuetext").startswith("0:00.0 of 0:20.0, bass ")
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowDown")
    assert sound_time(page) == pytest.approx(9.0, abs=0.05)
    page.keyboard.press("Home")
    # Anywhere on the page where no field has the focus.
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    wait_until_it_plays(page)
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == 0
    page.keyboard.press("Space")
    assert page.locator(".view audio").evaluate("audio => audio.paused")
    page.keyboard.press("?")
    expect(page.get_by_text("play or pause · ")).to_be_visible()


def test_zoom_and_pan_keep_clicks_true(page) -> None:
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    box = box_of(page.locator(".picture"))
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 30)
    for _ in range(2):
        page.get_by_role("button", name="Zoom in").click()
    # A quarter of the sound around its middle is shown: 7.5 to 12.5 s.
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 30)
    assert sound_time(page) == pytest.approx(8.5, abs=0.05)
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 30, steps=8)
    page.mouse.up()
    assert sound_time(page) == pytest.approx(8.5, abs=0.05), "a drag must not seek"
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 30)
    assert sound_time(page) == pytest.approx(10.5, abs=0.1)
    page.keyboard.down("Control")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Control")
    page.wait_for_timeout(200)
    page.get_by_role("button", name="all", exact=True).click()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 30)
    assert sound_time(page) == pytest.approx(18.0, abs=0.05)


def test_zoom_shows_more_not_larger(page) -> None:
    ticks = np.tile(np.concatenate([sine(3000.0, 0.05), np.zeros(RATE // 20, np.float32)]), 1800)
    upload(page, ("ticks.wav", wav_bytes(ticks, subtype="PCM_16")))
    wait_for_player(page)
    box = box_of(page.locator(".picture"))
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 30)
    for _ in range(6):
        page.get_by_role("button", name="Zoom in").click()
    # 2.8 s of 180 are shown: 28 ticks, each of whose two edges splashes over all frequencies. A column of the whole
    # picture is nearly as wide as a tick and its pause.
    row = """canvas => {
      const y = Math.round(canvas.height * 0.35);
      const line = canvas.getContext("2d").getImageData(0, y, canvas.width, 1).data;
      return Array.from({ length: canvas.width }, (_, x) => line[4 * x] + line[4 * x + 1]);
    }"""
    picture = page.locator(".picture canvas").first

    def edges_seen() -> int:
        bright = np.array(picture.evaluate(row), dtype=float)
        above = bright > (bright.min() + bright.max()) / 2
        return int((np.diff(above.astype(int)) == 1).sum())

    for _ in range(120):
        if 54 <= edges_seen() <= 58:
            break
        page.wait_for_timeout(250)
    assert 54 <= edges_seen() <= 58, "the zoom shows bricks"


def test_segments_exact_input_is_shown_and_left_again(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    page.get_by_role("button", name="Play", exact=True).click()
    # However long the click took to come: the first segment is meant.
    page.locator(".view audio").evaluate("audio => { audio.currentTime = 0; }")
    page.get_by_role("button", name="Show the model’s input here").click()
    expect(page.get_by_text("What the model heard from 0:00.0 to 0:10.0")).to_be_visible()
    assert not page.locator(".view audio").evaluate("audio => audio.paused"), "the sound stopped"
    page.get_by_role("button", name="Pause", exact=True).click()
    assert loudest_hz(page) == pytest.approx(100.0, rel=0.3)
    page.get_by_role("button", name="Back to the whole sound").click()
    expect(page.get_by_role("button", name="Show the model’s input here")).to_be_visible()
    assert loudest_hz(page, at=0.75) == pytest.approx(5000.0, rel=0.04)


def test_view_that_is_taken_off_the_page_draws_nothing(page) -> None:
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    # Its size is none then, which it is told of; the fixture fails on a script's error.
    page.locator(".stage").evaluate("""async (stage) => {
      const { host } = stage.getRootNode();
      const frames = async () => { for (let n = 0; n < 3; n += 1) await new Promise(requestAnimationFrame); };
      const place = host.parentElement;
      host.remove();
      await frames();
      place.append(host);
      await frames();
    }""")
    assert loudest_hz(page, at=0.25) == pytest.approx(100.0, rel=0.3)


def test_source_line_is_in_reach_with_the_list_of_pages_closed(page) -> None:
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    for width in (1280, 768, 400):
        if width < 1280:
            # A narrow page begins with the list closed; what was given comes back.
            page.set_viewport_size({"width": width, "height": 800})
            page.reload()
        wait_for_player(page)
        if width == 1280:
            page.get_by_test_id("stSidebar").hover()
            page.get_by_test_id("stSidebarCollapseButton").locator("button").click()
        expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()
        # A click fails where something else lies over what is clicked.
        page.get_by_text("song.wav · 0:20 · change").click()
        expect(page.get_by_role("tab", name="Upload")).to_be_visible()


def test_speed_and_volume_are_set_and_kept(open_page) -> None:
    from playwright.sync_api import expect

    def heard(page) -> tuple[float, float]:
        return tuple(page.locator(".view audio").evaluate("audio => [audio.playbackRate, audio.volume]"))

    page = open_page()
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    for words, rate in (("2×", 2.0), ("¾×", 0.75)):
        page.locator(".rate", has_text=words).click()
        assert heard(page) == (rate, 1.0)
    volume = page.get_by_role("slider", name="Volume")
    volume.fill("0.4")
    assert heard(page) == (0.75, 0.4)
    # With the focus there its arrows are its own, and space plays all the same.
    volume.press("ArrowRight")
    assert heard(page) == pytest.approx((0.75, 0.45))
    assert sound_time(page) == 0
    volume.press(" ")
    wait_until_it_plays(page)
    page.reload()
    wait_for_player(page)
    assert heard(page) == pytest.approx((0.75, 0.45))
    page.set_viewport_size({"width": 400, "height": 800})
    speeds = page.locator(".rate:visible")
    expect(speeds).to_have_text(["¾×"])
    speeds.click()
    expect(speeds).to_have_text(["1×"])
    assert heard(page)[0] == 1.0


# Of each control that is shown: whether its words fit it, and where it lies.
CONTROLS = """bar => [...bar.querySelectorAll("button, .time")].filter((each) => each.offsetWidth).map((each) => {
  const { left, right, top } = each.getBoundingClientRect();
  return { words: each.className, fits: each.scrollWidth <= each.clientWidth, left, right, top };
})"""


@pytest.mark.parametrize("width", [320, 360, 400])
def test_players_controls_fit_a_narrow_screen(open_page, width: int) -> None:
    page = open_page(width, 640)
    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    controls = page.locator(".bar").evaluate(CONTROLS)
    assert len(controls) == 8
    for control in controls:
        assert control["fits"], control
        assert 0 <= control["left"] < control["right"] <= width, control
    tops = [control["top"] for control in controls if "time" not in control["words"]]
    assert max(tops) - min(tops) < 10, "the controls take a second row of the screen"
