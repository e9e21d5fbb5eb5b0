"""What is held of a visit, and for how long after its visitor left."""

from __future__ import annotations

from ui.shared.visits import Visits

ANN, BEN = ("", "ann"), ("", "ben")


def test_who_left_is_let_go_and_who_stays_is_not() -> None:
    visits = Visits(held_seconds=90.0)
    visits.hold(ANN, {"a": 1}, 10, 0.0, session_id="open")
    visits.hold(BEN, {"b": 2}, 10, 0.0, session_id="closed")
    assert visits.sweep({"open"}, 90.0) == 0
    assert visits.find(BEN, 90.0) == {"b": 2}
    assert visits.sweep({"open"}, 91.0) == 1
    assert (visits.find(ANN, 91.0), visits.find(BEN, 91.0)) == ({"a": 1}, None)
    # An hour on an open page, then gone.
    assert visits.sweep({"open"}, 3600.0) == 0
    assert visits.sweep(set(), 3691.0) == 1


def test_a_page_holds_one_visit_open() -> None:
    visits = Visits(held_seconds=90.0)
    visits.hold(ANN, {"a": 1}, 10, 0.0, session_id="page")
    visits.hold(BEN, {"b": 2}, 10, 1.0, session_id="page")
    assert (visits.find(ANN, 1.0), visits.find(BEN, 1.0)) == (None, {"b": 2})


def test_pages_without_a_session_do_not_push_each_other_out() -> None:
    visits = Visits()
    visits.hold(ANN, {"a": 1}, 10, 0.0)
    visits.hold(BEN, {"b": 2}, 10, 0.0)
    assert visits.find(ANN, 0.0) == {"a": 1}


def test_a_person_is_forgotten_with_all_his_visits_and_nobody_else() -> None:
    visits = Visits()
    for person, visit in (("ann", "a"), ("ann", "b"), ("ben", "a")):
        visits.hold((person, visit), {"x": person}, 1, 0.0, session_id=person + visit)
    visits.forget("ann")
    assert [visits.find(("ann", visit), 1.0) for visit in "ab"] == [None, None]
    assert visits.find(("ben", "a"), 1.0) == {"x": "ben"}


def test_more_than_is_held_goes_and_what_was_seen_last_stays() -> None:
    visits = Visits(held_bytes=100)
    visits.hold(ANN, {"a": 1}, 50, 0.0)
    visits.hold(BEN, {"b": 2}, 50, 1.0)
    visits.hold(ANN, {"a": 1}, 50, 2.0)
    assert visits.find(BEN, 2.0) == {"b": 2}
    visits.hold(("", "cid"), {"c": 3}, 1, 3.0)
    assert (visits.find(ANN, 3.0), visits.find(BEN, 3.0)) == ({"a": 1}, None)


def test_what_is_too_old_is_not_found_before_it_is_swept() -> None:
    visits = Visits(held_seconds=90.0)
    visits.hold(ANN, {"a": 1}, 10, 0.0)
    assert visits.find(ANN, 90.0) == {"a": 1}
    assert visits.find(ANN, 90.1) is None
