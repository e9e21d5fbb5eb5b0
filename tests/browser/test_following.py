"""How often and how long a link that was lost is followed again, by a clock that the test winds on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

COMPONENTS = Path(__file__).resolve().parents[2] / "ui" / "components"
# Below a folder of its own, as behind a proxy. What a link does is the test's to say: at first nothing.
PAGE = """
<div data-testid="stApp" data-test-script-state="notRunning"></div>
<a data-testid="stPageLink-NavLink" href="">Listen</a>
<a data-testid="stPageLink-NavLink" href="Explore?genre=jazz"><span>Explore</span></a>
<a data-testid="stPageLink-NavLink" href="Models">Models</a>
<a href="https://example.org">elsewhere</a>
<script>
  window.clicks = [];
  const say = (words) => (document.querySelector("[data-testid=stApp]").dataset.testScriptState = words);
  const leaving = () => document.documentElement.dataset.genrescopeLeaving ?? null;
  // As the app's own link does, with all else that may hear of it only later.
  document.querySelector("[href^=Explore]").addEventListener("click", () => (window.noted = leaving()));
  addEventListener("click", (event) => {
    event.preventDefault();
    clicks.push(`${performance.now() - began} ${event.target.closest("a").innerText}`);
  });
</script>
"""


@pytest.fixture
def page(chromium) -> Iterator[Any]:
    context = chromium.new_context()
    page = context.new_page()
    page.clock.install(time=0)
    page.route("**/*", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.goto("http://genrescope.test/music/")
    page.clock.pause_at(1000)
    scripts = [COMPONENTS / "leaving.js", COMPONENTS / "drawer" / "following.js"]
    page.add_script_tag(content="\n".join(path.read_text(encoding="utf-8") for path in scripts))
    page.evaluate("() => { following(); window.began = performance.now(); }")
    yield page
    context.close()


def follow(page: Any, name: str = "Explore", **how: Any) -> None:
    page.get_by_text(name, exact=True).dispatch_event("click", {"bubbles": True, "cancelable": True, **how})


def test_a_link_that_leads_nowhere_is_followed_three_times_more_and_waited_for_a_minute(page) -> None:
    follow(page)
    assert page.evaluate("noted") == "Explore"
    page.clock.run_for(60_000)
    # After two looks of 250 ms, then four, then eight.
    assert page.evaluate("clicks") == ["0 Explore", "500 Explore", "1500 Explore", "3500 Explore"]
    assert page.evaluate("leaving()") == "Explore"
    page.clock.run_for(250)
    assert page.evaluate("leaving()") is None
    page.clock.run_for(60_000)
    assert len(page.evaluate("clicks")) == 4


def test_nothing_is_followed_again_while_a_script_runs(page) -> None:
    page.evaluate("say('running')")
    follow(page)
    page.clock.run_for(10_000)
    page.evaluate("say('notRunning')")
    page.clock.run_for(250)
    # Looks that find nothing running count in turn.
    page.evaluate("say('running')")
    page.clock.run_for(250)
    page.evaluate("say('notRunning')")
    page.clock.run_for(499)
    assert page.evaluate("clicks") == ["0 Explore"]
    page.clock.run_for(1)
    assert page.evaluate("clicks") == ["0 Explore", "11000 Explore"]


@pytest.mark.parametrize(("name", "path"), [("Explore", "Explore/"), ("Listen", "."), ("Listen", "/")])
def test_a_link_that_led_on_is_done_with(page, name, path) -> None:
    page.evaluate("history.pushState(null, '', 'Models')")
    follow(page, name)
    page.evaluate("path => history.pushState(null, '', path)", path)
    page.clock.run_for(499)
    assert page.evaluate("leaving()") is not None
    page.clock.run_for(1)
    assert page.evaluate("leaving()") is None
    # Led back by whatever came later, it stays there.
    page.evaluate("history.pushState(null, '', 'Models')")
    page.clock.run_for(10_000)
    assert page.evaluate("clicks") == [f"0 {name}"]


@pytest.mark.parametrize("key", ["ctrlKey", "metaKey", "shiftKey", "altKey"])
def test_a_link_that_opens_elsewhere_is_left_alone(page, key) -> None:
    follow(page, **{key: True})
    assert page.evaluate("leaving()") is None
    page.clock.run_for(10_000)
    assert page.evaluate("clicks") == ["0 Explore"]


def test_of_two_links_the_later_one_counts_and_what_is_no_page_does_not(page) -> None:
    follow(page)
    page.clock.run_for(400)
    follow(page, "Models")
    follow(page, "elsewhere")
    page.clock.run_for(499)
    assert page.evaluate("clicks") == ["0 Explore", "400 Models", "400 elsewhere"]
    page.clock.run_for(1)
    assert page.evaluate("clicks")[3:] == ["900 Models"]
    # Also after one that was followed again.
    follow(page)
    page.clock.run_for(500)
    assert page.evaluate("clicks")[4:] == ["900 Explore", "1400 Explore"]


def test_who_goes_back_is_not_led_on(page) -> None:
    follow(page)
    page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
    page.clock.run_for(10_000)
    assert page.evaluate("clicks") == ["0 Explore"]
