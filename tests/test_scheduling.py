"""How tests are dealt to several processes."""

from __future__ import annotations

from scheduling import BROWSERS, units


def test_neighbours_of_one_file_stay_together_and_all_browsers() -> None:
    """A file's slow tests come later than its quick ones, and may fall to another process."""
    tests = ["tests/a.py::one", "tests/a.py::two[x::y]", "tests/b.py::one", "tests/a.py::slow"]
    browsers = ["tests/browser/a.py::one", "tests/browser/b.py::one"]
    found = units([*tests, *browsers])
    assert list(found) == [*tests, *browsers]
    first, second, other, slow, *rest = found.values()
    assert first == second
    assert len({first, other, slow}) == 3
    assert rest == [BROWSERS, BROWSERS]
