"""The Explore page in a real Chromium: one cursor and one zoom through all views, and what is taken home."""

from __future__ import annotations

import io
import re
import struct
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import soundfile
from listen_in_browser import box_of, hand_over, wait_until_it_plays
from sounds import clicks, noise, sine, wav_bytes

from crnn.config import FeatureConfig
from crnn.features import log_mel

pytestmark = pytest.mark.browser

SECONDS = 6.0
TONE = wav_bytes(sine(440.0, SECONDS) + noise(SECONDS, level=1e-4), subtype="PCM_16")

# Where the cursor and the sound are in each frame, and which stretch of each lane's width the cursor is on.
# A frame's callback that is asked for between two frames runs after the view's own, right before the frame
# is painted: asked for within a frame it may run first, and would see the cursor of the frame before.
WATCH = """
async ([number, frames]) => {
  const host = [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
    .filter((each) => each.shadowRoot.querySelector(".stage"))[number];
  const find = (name) => host.shadowRoot.querySelector(name);
  const seen = [];
  for (let frame = 0; frame < frames; frame += 1) {
    await new Promise((done) => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => requestAnimationFrame(done);
      requestAnimationFrame(() => channel.port2.postMessage(""));
    });
    const cursor = find(".cursor").getBoundingClientRect();
    const time = find("audio").currentTime;
    for (const lane of host.shadowRoot.querySelectorAll(".lane canvas")) {
      const box = lane.getBoundingClientRect();
      const inside = cursor.top <= box.top + 1 && cursor.bottom >= box.bottom - 1;
      seen.push([(cursor.left + 1 - box.left) / box.width, time, inside ? 1 : 0]);
    }
  }
  return seen;
}
"""


@pytest.fixture
def without_sound(page):
    """Explore as first opened."""
    page.get_by_role("link", name="Explore").click()
    # Listen has an uploader too: only Explore's words tell that the page has changed.
    page.get_by_text("a sound from the Listen page comes along").wait_for(timeout=60_000)
    page.get_by_role("tab", name="Upload").click()
    return page


@pytest.fixture
def explore(without_sound):
    """Explore with a tone of 440 Hz, waveform and mel."""
    return upload(without_sound, {"tone.wav": TONE})


def upload(page, sounds: dict[str, bytes]):
    """Give sounds by name, and wait for their picture."""
    given = [{"name": name, "mimeType": "audio/wav", "buffer": data} for name, data in sounds.items()]
    hand_over(page, given)
    page.locator(".picture canvas").wait_for(timeout=60_000)
    return page


def add(page, title: str) -> None:
    pictures = page.locator(".lane").count()
    page.get_by_text(title, exact=True).first.click()
    page.locator(".lane").nth(pictures).wait_for(timeout=120_000)


def read_peak(page, picture) -> tuple[float, str]:
    """The frequency and note that a visitor reads where he finds the loudest spot of a view."""
    picture.scroll_into_view_if_needed()
    box = box_of(picture)
    best = (-1e9, 0.0, "")
    for y in np.arange(box["y"] + box["height"] - 2, box["y"], -2):
        page.mouse.move(box["x"] + box["width"] / 2, y)
        text = page.locator(".readout").inner_text()
        level = re.search(r"· (?:≤ )?(−?)(\d+) dB from the loudest", text)
        peak = re.search(r"peak ([\d.]+) (k?)Hz \((\S+)\)", text)
        if level and peak:
            db = -float(level[2]) if level[1] else float(level[2])
            best = max(best, (db, float(peak[1]) * (1000 if peak[2] else 1), peak[3]))
    return best[1], best[2]


def test_cursor_and_zoom_go_through_all_views(explore) -> None:
    add(explore, "chroma")
    explore.get_by_role("button", name="Zoom in").click()
    explore.get_by_role("button", name="Play", exact=True).click()
    wait_until_it_plays(explore)
    for _ in range(6):  # a machine busy with other work holds up frames
        explore.locator(".view audio").evaluate("audio => { audio.currentTime = 0.1; }")
        seen = np.array(explore.evaluate(WATCH, [0, 20]))
        assert seen[:, 2].all(), "the cursor misses a view"
        # Zoomed to half: the window begins where the sound began.
        late = np.abs(seen[:, 0] * SECONDS / 2 - seen[:, 1])
        if np.quantile(late, 0.9) < 0.05:
            break
    assert np.quantile(late, 0.9) < 0.05
    assert len(np.unique(seen[:, 1])) > 10, "the sound stands still"
    assert explore.locator(".lane").count() == 4


def test_a4_is_read_in_constant_q_and_440_hz_in_linear(explore) -> None:
    add(explore, "linear spectrogram")
    add(explore, "constant-Q")
    pictures = explore.locator(".picture")
    hz, note = read_peak(explore, pictures.nth(0))
    assert hz == pytest.approx(440.0, abs=2.0)
    hz, note = read_peak(explore, pictures.nth(2))
    assert note == "A4"
    assert hz == pytest.approx(440.0, rel=0.01)


def test_part_loops_and_is_taken_home(explore) -> None:
    explore.get_by_role("button", name="select").click()
    box = box_of(explore.locator(".picture"))
    y = box["y"] + box["height"] / 2
    explore.mouse.move(box["x"] + box["width"] / 3, y)
    explore.mouse.down()
    explore.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    explore.mouse.up()
    save = explore.get_by_role("button", name=re.compile(r"^WAV, 0:02\.0 to 0:03\.0"))
    save.wait_for()
    explore.get_by_role("button", name="Loop").click()
    audio = explore.locator(".view audio")
    audio.evaluate("audio => { audio.currentTime = 2.7; return audio.play(); }")
    times = []
    for _ in range(12):
        explore.wait_for_timeout(150)
        times.append(audio.evaluate("audio => audio.currentTime"))
    # A busy machine is late at the end.
    assert all(1.9 < time < 4.2 for time in times)
    assert min(np.diff(times)) < 0, "it does not go round"
    with explore.expect_download() as download:
        save.click()
    samples, rate = soundfile.read(download.value.path())
    assert len(samples) / rate == pytest.approx(1.0, abs=0.05)


def test_picture_is_saved_as_png_and_svg(explore) -> None:
    add(explore, "LUFS")
    with explore.expect_download() as download:
        explore.get_by_role("button", name="SVG").click()
    with open(download.value.path(), "rb") as file:
        root = ET.fromstring(file.read())
    assert root.tag.endswith("svg")
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert any(text.startswith("As the ear hears") for text in texts)
    assert {"1 kHz", "−30 LUFS", "−80", "dB", "tone.wav, 0:00.0 to 0:06.0"} <= set(texts)
    left, top, width, _ = map(float, root.attrib["viewBox"].split())
    for element in root.iter():
        if element.tag.endswith("text") and element.get("text-anchor") == "end":
            # Five pixels a letter are few at this size.
            assert float(element.attrib["x"]) - 5 * len(element.text) > left, f"{element.text} is cut off"
            assert float(element.attrib["y"]) > top
        if element.text == "−80":
            # In letters wider than the page's, of seven pixels here.
            assert float(element.attrib["x"]) + 7 * len(element.text) < left + width, "the scale is cut off"
    with explore.expect_download() as download:
        explore.get_by_role("button", name="PNG").click()
    with open(download.value.path(), "rb") as file:
        header = file.read(24)
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert min(struct.unpack(">II", header[16:])) > 400


def test_numbers_are_saved_as_csv_and_npz(explore) -> None:
    explore.get_by_role("button", name="Numbers").click()
    with explore.expect_download() as download:
        explore.get_by_role("button", name="As the ear hears, CSV").click()
    with open(download.value.path(), encoding="utf-8") as file:
        header = file.readline().split(",")
        values = np.loadtxt(file, delimiter=",")
    assert header[0] == "seconds"
    assert values.shape[1] == len(header) == 129
    loudest = float(header[1 + values[:, 1:].mean(axis=0).argmax()])
    assert loudest == pytest.approx(440.0, rel=0.05)
    with explore.expect_download() as download:
        explore.get_by_role("button", name="As the ear hears, NPZ").click()
    with open(download.value.path(), "rb") as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as stored:
        np.testing.assert_allclose(stored["values"], values[:, 1:], atol=1e-3)


# How many callbacks are asked for in each frame: the view's own is one.
CALLBACKS_A_FRAME = """
async () => {
  const ask = window.requestAnimationFrame;
  let asked = 0;
  window.requestAnimationFrame = (act) => { asked += 1; return ask(act); };
  for (let frame = 0; frame < 20; frame += 1) await new Promise((done) => ask(done));
  window.requestAnimationFrame = ask;
  return asked / 20;
}
"""


def test_two_sounds_share_one_transport_that_a_switch_does_not_stop(without_sound) -> None:
    from playwright.sync_api import expect

    tones = {"A low tone held for long.wav": sine(440.0, 20.0), "A high tone held for long.wav": sine(4000.0, 20.0)}
    explore = upload(without_sound, {name: wav_bytes(tone, subtype="PCM_16") for name, tone in tones.items()})
    explore.get_by_text("Two sounds", exact=True).click()
    difference = explore.locator(".picture").nth(2)
    difference.wait_for(timeout=60_000)
    assert box_of(explore.locator(".keys"))["y"] < box_of(explore.locator(".play"))["y"] + 20, "its row is broken"
    audio = explore.locator(".view audio")
    explore.locator(".play").click()
    for _ in range(10):
        explore.keyboard.press("ArrowRight")
        explore.keyboard.press("ArrowLeft")
    assert explore.evaluate(CALLBACKS_A_FRAME) < 2.5, "every seek starts another loop"
    before = audio.evaluate("audio => [audio.currentTime, audio.src]")
    explore.keyboard.press("b")
    expect(audio).not_to_have_js_property("src", before[1])
    explore.wait_for_timeout(700)
    time, is_paused = audio.evaluate("audio => [audio.currentTime, audio.paused]")
    assert not is_paused, "the music stopped"
    assert before[0] < time < before[0] + 10, "it began anew"
    # A browser without a sound output calls that an error while it plays.
    assert audio.evaluate("audio => { audio.dispatchEvent(new Event('error')); return audio.src; }"), (
        "it lost its sound"
    )
    explore.get_by_role("button", name=re.compile("^A: ")).click()
    expect(audio).to_have_js_property("src", before[1])
    explore.wait_for_timeout(500)
    assert not audio.evaluate("audio => audio.paused"), "the music stopped"
    explore.locator(".play").click()
    assert read_level(explore, difference, 440.0) > 10
    assert read_level(explore, difference, 4000.0) < -10


@pytest.mark.parametrize("is_looping", [False, True])
def test_moment_is_kept_where_the_other_sound_has_ended(without_sound, is_looping: bool) -> None:
    from playwright.sync_api import expect

    tones = {"long.wav": sine(440.0, 60.0), "short.wav": sine(4000.0, 5.0)}
    explore = upload(without_sound, {name: wav_bytes(tone, subtype="PCM_16") for name, tone in tones.items()})
    explore.get_by_text("Two sounds", exact=True).click()
    explore.locator(".picture").nth(2).wait_for(timeout=60_000)
    audio, told = explore.locator(".view audio"), explore.locator(".told")
    if is_looping:
        explore.keyboard.press("l")
    explore.locator(".play").click()
    wait_until_it_plays(explore)
    for _ in range(2):
        explore.keyboard.press("Shift+ArrowRight")
    first = audio.evaluate("audio => audio.src")
    explore.keyboard.press("b")
    expect(told).to_have_text("B: short.wav ends at 0:05.0.")
    assert audio.evaluate("audio => audio.paused")
    moment = explore.locator(".now").inner_text()
    assert "0:20" <= moment < "0:59"
    # Its clock stands, whatever is pressed.
    explore.keyboard.press("Space")
    explore.wait_for_timeout(500)
    assert explore.locator(".now").inner_text() == moment
    assert audio.evaluate("audio => audio.paused"), "it began anew"
    explore.keyboard.press("a")
    expect(audio).to_have_js_property("src", first)
    wait_until_it_plays(explore)
    assert audio.evaluate("audio => audio.currentTime") > 19.9
    expect(told).to_be_empty()
    # And where it ends by itself the other one goes on, if it does not go round.
    explore.keyboard.press("b")
    expect(told).to_have_text("B: short.wav ends at 0:05.0.")
    explore.get_by_role("slider", name="Position in the sound").press("Home")
    wait_until_it_plays(explore)
    audio.evaluate("audio => { audio.currentTime = 4.5; }")
    if is_looping:
        expect(told).to_have_text("B: short.wav ends at 0:05.0, and goes round from there.")
        explore.wait_for_function(f"({WATCHED_TIME})() < 4")
        assert not audio.evaluate("audio => audio.paused")
        return
    expect(told).to_have_text("B: short.wav ends at 0:05.0.")
    explore.keyboard.press("a")
    expect(audio).to_have_js_property("src", first)
    wait_until_it_plays(explore)
    assert 4.9 < audio.evaluate("audio => audio.currentTime") < 20


# The sound's own time.
WATCHED_TIME = """() => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
  .map((host) => host.shadowRoot.querySelector(".view audio")).find((audio) => audio).currentTime"""


def read_level(page, picture, hz: float) -> float:
    """The level that a visitor reads on a mel picture at a frequency."""
    picture.scroll_into_view_if_needed()
    box, config = box_of(picture), FeatureConfig()
    share = log_mel.hz_to_mel(hz) / log_mel.hz_to_mel(config.fmax)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * (1 - float(share)))
    text = page.locator(".readout:visible").inner_text()
    level = re.search(r"· (?:≤ )?(−?)(\d+) dB(?! from)", text)
    assert level, text
    return -float(level[2]) if level[1] else float(level[2])


def test_click_track_reads_its_tempo(without_sound) -> None:
    explore = upload(without_sound, {"clicks.wav": wav_bytes(clicks(12.0), subtype="PCM_16")})
    add(explore, "onsets")
    tempo = re.search(r"About (\d+) BPM", explore.locator(".head").last.inner_text())
    assert tempo
    assert int(tempo[1]) == pytest.approx(120, abs=1)


def test_what_spoke_most_for_the_genre_is_a_click_away(explore) -> None:
    explore.get_by_text("Why this genre", exact=True).click()
    strongest = explore.get_by_text(re.compile(r"Strongest at \d:\d\d\.\d"))
    strongest.wait_for(timeout=120_000)
    explore.get_by_text("Asking about the rest").wait_for(state="detached", timeout=120_000)
    at = re.search(r"Strongest at (\d+):(\d\d\.\d)", strongest.inner_text())
    seconds = 60 * int(at[1]) + float(at[2])
    explore.get_by_role("button", name=f"Hear {at[1]}:{at[2]}").click()
    wait_until_it_plays(explore)
    heard = explore.locator(".view audio").evaluate("audio => audio.currentTime")
    assert seconds - 0.6 < heard < seconds + 3
