"""What is broken fails, however often it is tried; what fails once is told."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest
tries = {"broken": 0, "shaky": 0, "plain": 0}

def count(name, n_failing):
    tries[name] += 1
    assert tries[name] > n_failing, f"{name}, try {tries[name]}"

@pytest.fixture
def fresh():
    return []

@pytest.mark.browser
def test_broken(fresh):
    count("broken", 99)

@pytest.mark.browser
def test_shaky(fresh):
    fresh.append(1)
    assert fresh == [1], "of the first try"
    count("shaky", 1)

def test_plain():
    count("plain", 1)

def test_tries():
    assert tries == {"broken": 2, "shaky": 2, "plain": 1}
"""


def test_a_browser_test_is_tried_twice_and_no_other(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from second_try import pytest_runtest_protocol")
    pytester.makeini("[pytest]\nmarkers = browser")
    pytester.makepyfile(TESTS)
    found = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    found.assert_outcomes(passed=2, failed=2, warnings=2)
    found.stdout.fnmatch_lines(["FAILED *::test_broken*", "FAILED *::test_plain*"])
    found.stdout.fnmatch_lines(["*failed at first:*", "*shaky, try 1*"])
