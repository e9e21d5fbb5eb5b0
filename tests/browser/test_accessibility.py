"""axe-core on what a visitor meets, on a light and on a dark page."""

from __future__ import annotations

import numpy as np
import pytest
from listen_in_browser import box_of, hand_over
from sounds import noise, sine, wav_bytes

pytestmark = pytest.mark.browser

SONG = wav_bytes(np.concatenate([sine(100.0, 8.0), sine(5000.0, 8.0)]) + noise(16.0, level=1e-3), subtype="PCM_16")


# Whether the page is drawn in a scheme; Streamlit takes a moment for it.
IS_DRAWN = """scheme => {
  const [red, green, blue] = getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor
    .match(/[\\d.]+/g).map(Number);
  return (red + green + blue < 380) === (scheme === "dark");
}"""


def check(page, state: str) -> None:
    """Fails on what axe-core calls moderate or worse, in light and in dark."""
    # The one that it is in first: a change of scheme takes longest.
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for scheme in ("dark", "light") if is_dark else ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(IS_DRAWN, arg=scheme)
        for attempt in range(8):  # colours that are on their way from one scheme to the other have no contrast
            page.wait_for_timeout(1000 if attempt else 250)
            grave = grave_faults(page)
            if not grave:
                break
        assert not grave, f"{state}, {scheme}"


def grave_faults(page) -> list[tuple[object, ...]]:
    from axe_playwright_python.sync_playwright import Axe

    return [
        (each["id"], each["nodes"][0]["target"], each["nodes"][0]["failureSummary"])
        for each in Axe().run(page).response["violations"]
        if each["impact"] in {"moderate", "serious", "critical"}
    ]


def test_nothing_serious_is_found_on_listen_and_explore(page) -> None:
    check(page, "before there is a sound")
    page.get_by_role("tab", name="Upload").click()
    song = {"name": "song.wav", "mimeType": "audio/wav", "buffer": SONG}
    hand_over(page, song)
    page.locator(".picture canvas").first.wait_for(timeout=60_000)
    check(page, "an answer")
    page.get_by_role("button", name="Why?").click()
    page.get_by_text("Measured by deleting").wait_for(timeout=60_000)
    check(page, "why")


@pytest.mark.parametrize(("link", "words"), [("Train", "Data"), ("Models", "tiny")])
def test_nothing_serious_is_found_on_train_and_models_and_they_fit_a_phone(page, link: str, words: str) -> None:
    from playwright.sync_api import TimeoutError

    page.get_by_role("link", name=link, exact=True).click()
    page.get_by_test_id("stMain").get_by_text(words).first.wait_for(timeout=60_000)
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")
    main = page.get_by_test_id("stMain")
    if link == "Models":
        # The table is a canvas, which takes clicks some time after it is there; the first row's box is below the head.
        card = main.get_by_text("Model card")
        for _ in range(5):
            box = box_of(page.get_by_test_id("stDataFrame"))
            page.mouse.click(box["x"] + 16, box["y"] + 35 + 17)
            try:
                card.wait_for(timeout=10_000)
                break
            except TimeoutError:
                continue
        assert card.is_visible()
    check(page, link)
    if link == "Train":
        # Tabs, and code in small print.
        main.get_by_text("Data sets", exact=True).click()
        main.get_by_text("Add a data set").click()
        main.get_by_role("tab", name="Zip or archive").wait_for()
        check(page, "a data set to add")
    page.set_viewport_size({"width": 400, "height": 800})
    # As wide as a table of what ten genres were taken for.
    main.get_by_test_id("stMarkdownContainer").last.evaluate("""place => {
      place.insertAdjacentHTML("beforeend", `<table><tr>${"<td>classical</td>".repeat(11)}</tr></table>`);
    }""")
    page.wait_for_timeout(1000)
    # Fails where it scrolls sideways.
    page.wait_for_function("main => main.scrollWidth <= main.clientWidth", arg=main.element_handle())
    # The table scrolls by itself, and no word of it is broken; none is drawn in a folded box.
    n_lines = """place => {
      const word = document.createRange();
      word.selectNodeContents([...place.querySelectorAll("td")].at(-1));
      return word.getClientRects().length;
    }"""
    assert main.get_by_test_id("stMarkdownContainer").last.evaluate(n_lines) <= 1


def give(page, sounds: dict[str, bytes]) -> None:
    given = [{"name": name, "mimeType": "audio/wav", "buffer": data} for name, data in sounds.items()]
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(given)


def go(page, link: str, words: str) -> None:
    page.get_by_role("link", name=link, exact=True).click()
    page.get_by_test_id("stMain").get_by_text(words).first.wait_for(timeout=60_000)


def settle(page) -> None:
    page.wait_for_timeout(200)
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")


def test_closed_list_of_pages_is_not_walked_through(open_page) -> None:
    from playwright.sync_api import expect

    page = open_page(400, 800)
    sidebar = page.get_by_test_id("stSidebar")
    focused = "document.activeElement.closest('[data-testid=stSidebar]') !== null"

    def walked() -> list[bool]:
        page.evaluate("document.activeElement.blur()")
        found = []
        for _ in range(20):
            page.keyboard.press("Tab")
            found.append(page.evaluate(focused))
        # The link that skips to the content lies over the button while it has the focus.
        page.evaluate("document.activeElement.blur()")
        return found

    expect(sidebar).to_have_js_property("inert", True)
    assert not any(walked())
    page.get_by_test_id("stExpandSidebarButton").click()
    expect(sidebar).to_have_js_property("inert", False)
    assert any(walked())
    # It closes itself where another page was gone to.
    sidebar.get_by_role("link", name="Models", exact=True).click()
    page.get_by_test_id("stMain").get_by_text("tiny").first.wait_for()
    expect(sidebar).to_have_js_property("inert", True)


def test_nothing_serious_is_found_while_listen_listens(page) -> None:
    page.locator(".keep input").check()
    page.get_by_role("button", name="Listen", exact=True).click()
    page.locator(".live .timeline").wait_for(timeout=60_000)
    check(page, "listening along")
    page.get_by_role("button", name="Stop listening").click()
    page.locator(".picture canvas").first.wait_for(timeout=60_000)


def test_nothing_serious_is_found_on_a_part_an_error_and_many_files(open_page) -> None:
    page = open_page()
    page.get_by_role("tab", name="Upload").click()
    give(page, {"song.wav": SONG})
    picture = page.locator(".picture canvas").first
    picture.wait_for(timeout=60_000)
    page.get_by_role("button", name="select").click()
    box = box_of(page.locator(".picture").first)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Why this part?").wait_for()
    check(page, "a part")
    # Not loaded anew: what was given would come back.
    page = open_page()
    page.get_by_role("tab", name="Upload").click()
    give(page, {"rubbish.wav": b"rubbish"})
    page.get_by_test_id("stAlert").first.wait_for(timeout=60_000)
    check(page, "an error")
    # Not loaded anew: what was given would come back.
    page = open_page()
    page.get_by_role("tab", name="Upload").click()
    give(page, {"one.wav": SONG, "two.wav": SONG[: len(SONG) // 2], "three.wav": b"rubbish"})
    page.get_by_test_id("stDataFrame").first.wait_for(timeout=60_000)
    settle(page)
    check(page, "many files")


def test_nothing_serious_is_found_on_the_parts_of_explore(page) -> None:
    go(page, "Explore", "a sound from the Listen page comes along")
    page.get_by_role("tab", name="Upload").click()
    give(page, {"song.wav": SONG, "other.wav": SONG[: len(SONG) // 2]})
    page.locator(".picture canvas").first.wait_for(timeout=60_000)
    settle(page)
    check(page, "views")
    for part in ("What if", "Where it lies", "Two sounds"):
        page.get_by_text(part, exact=True).click()
        settle(page)
        check(page, part)


def test_nothing_serious_is_found_on_data_sets_what_training_hears_and_two_models(page) -> None:
    go(page, "Train", "Data")
    page.get_by_text("Data sets", exact=True).click()
    page.get_by_text("192 tracks, 8 genres").wait_for(timeout=60_000)
    settle(page)
    check(page, "a data set")
    page.get_by_text("What training hears", exact=True).first.click()
    settle(page)
    check(page, "what training hears")
    go(page, "Models", "tiny")
    page.get_by_role("tab", name="Compare two").click()
    two = page.get_by_role("tabpanel", name="Compare two")
    two.get_by_role("tab", name="Upload").click()
    give(two, {"song.wav": SONG})
    two.locator(".view audio").wait_for(state="attached", timeout=60_000)
    settle(page)
    check(page, "two models")
