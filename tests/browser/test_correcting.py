"""“No, this is …” in a real Chromium: what was said is kept, whatever else happens to the page meanwhile."""

from __future__ import annotations

import pytest
from listen_in_browser import SONG, upload, wait_for_player

pytestmark = pytest.mark.browser

# As when the connection was lost and found again, and the server knows nothing of the visit any more.
LOSE_THE_VISIT = """async () => {
  sessionStorage.setItem("genrescope.visit", JSON.stringify({ id: "gone", holds: 1 }));
  const app = document.querySelector("[data-testid=stApp]");
  app.dataset.testConnectionState = "PINGING_SERVER";
  await new Promise((done) => setTimeout(done, 200));
  app.dataset.testConnectionState = "CONNECTED";
}"""


def test_the_box_stays_open_and_the_word_is_kept_when_the_page_is_drawn_anew(page) -> None:
    """A sentence that comes on top moves all that is below it; what was open and half filled in stays so."""
    from playwright.sync_api import expect

    upload(page, ("song.wav", SONG))
    wait_for_player(page)
    page.get_by_text("No, this is …").click()
    page.get_by_label("If it is another genre").fill("whistling")
    page.get_by_text("Keep this sound on this machine").click()
    page.evaluate(LOSE_THE_VISIT)
    expect(page.get_by_text("gone from the server’s memory")).to_be_visible()
    expect(page.get_by_label("If it is another genre")).to_be_visible()
    expect(page.get_by_label("If it is another genre")).to_have_value("whistling")
    page.get_by_role("button", name="Correct it").press("Enter")
    expect(page.get_by_text("Kept among your corrections.")).to_be_visible()
    # The button went; the keyboard goes on where it was.
    expect(page.get_by_role("button", name="Correct it")).to_have_count(0)
    assert page.evaluate("document.activeElement.innerText").strip().endswith("No, this is …")
