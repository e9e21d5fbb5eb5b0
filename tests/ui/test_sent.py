"""Values of widgets that no browser sends are dropped before anything reads them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from streamlit.elements.arrow import DataframeSelectionSerde
from streamlit.elements.widgets.data_editor import DataEditorSerde
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.state.common import WidgetMetadata
from streamlit.runtime.state.session_state import Serialized, SessionState

from ui.components import shapes
from ui.shared import sent

ID = "$$ID-5d41402abc4b2a76b9719d911017c592-a.key"
HUGE = 10**400


def widget(value_type: str, deserializer: Any = lambda value: value, **facts: Any) -> WidgetMetadata[Any]:
    return WidgetMetadata(ID, deserializer, lambda value: value, value_type, **facts)  # type: ignore[arg-type]


def said(field: str, value: Any) -> WidgetState:
    state = WidgetState(id=ID)
    if isinstance(value, list):
        getattr(state, field).data.extend(value)
    else:
        setattr(state, field, value)
    return state


SELECTION = widget("string_value", DataframeSelectionSerde().deserialize)
EDITS = widget("string_value", DataEditorSerde().deserialize)
NUMBER, RANGE = widget("double_value"), widget("double_array_value")
CHOICE = widget("string_value", formatted_options=["a", "b"])
CHOICES = widget("string_array_value", formatted_options=["a", "b"], max_array_length=1)
PLAYER = widget("json_value", callbacks=dict.fromkeys(("region", "segment"), print))
VISIT = widget("json_trigger_value", json.loads, callbacks={"former": print})


@pytest.mark.parametrize(
    ("metadata", "field", "good", "bad"),
    [
        (NUMBER, "double_value", [1.5], [float("nan"), float("inf")]),
        (NUMBER, "int_value", [500], []),
        (RANGE, "double_array_value", [[1.0, 2.0]], [[1.0, float("nan")]]),
        (CHOICE, "string_value", ["a"], ["c", ""]),
        (CHOICES, "string_array_value", [["a"], []], [["c"], ["a", "b"], ["a", "a"]]),
        (
            SELECTION,
            "string_value",
            ['{"selection": {"rows": [1], "columns": ["x"], "cells": [[0, "x"]]}}'],
            [
                "", "{", "[]", "null", '{"selection": []}', '{"selection": {"rows": [-1]}}',
                '{"selection": {"rows": ["a"]}}', '{"selection": {"cells": [1]}}',
                '{"selection": {"cells": [["a", 1]]}}',
                '{"selection": {"points": [1]}}', '{"selection": {"rows": 5}}', "[" * 100_000,
            ],
        ),
        (
            EDITS,
            "string_value",
            ['{"edited_rows": {"0": {"Learnt as": "a"}}, "added_rows": [], "deleted_rows": []}'],
            ['{"edited_rows": {"a": {}}}', '{"edited_rows": {"0": 1}}', '{"added_rows": [{}]}', '{"deleted_rows": [0]}',
             '{"edited_rows": {"0": {"Learnt as": []}}}'],
        ),
        (
            PLAYER,
            "json_value",
            ["{}", '{"region": null, "segment": 3}', '{"region": {"start": 0, "end": 1.5, "low": null, "high": null}}'],
            ["null", "[]", '{"strange": 1}', '{"moment": 1}', '{"segment": []}', '{"segment": true}', "{",
             f'{{"segment": {HUGE}}}', '{"region": {"start": 0}}', '{"region": {"start": 0, "end": NaN}}',
             '{"segment": 1' + "0" * 5000 + "}"],
        ),
        (
            VISIT,
            "json_trigger_value",
            ['[{"event": "former", "value": {"id": "abc", "holds": 2}}]'],
            ['[{"event": "other", "value": 1}]', '[{"event": "former", "value": 1}]', "[1]", "{",
             f'{{"event": "former", "value": {{"id": "abc", "holds": {HUGE}}}}}'],
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_as_if_it_had_not_come(
    metadata: WidgetMetadata[Any], field: str, good: list[Any], bad: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    sent.look_first()
    other = said("bool_value", True)
    for value, is_good in (
        [(said(field, each), True) for each in good] + [(said(field, each), False) for each in bad] + [(other, False)]
    ):
        for is_known in (True, False):
            session = SessionState()
            session._old_state[ID] = "before"
            if is_known:
                session._new_widget_state.set_widget_metadata(metadata)
            caplog.clear()
            with caplog.at_level(logging.WARNING, "crnn.sent"):
                session.set_widgets_from_proto(WidgetStates(widgets=[value]))
                # What no page has drawn yet is looked at when one does.
                session._new_widget_state.set_widget_metadata(metadata)
                read = [session._getitem(ID, None) for _ in range(2)]
                session._compact_state()
            assert (read[0] != "before") is is_good, value
            assert len(caplog.records) == (not is_good)
            assert not any(record.exc_info for record in caplog.records)


def test_one_that_was_emptied_is_heard() -> None:
    sent.look_first()
    assert sent.fits(NUMBER, WidgetState(id=ID))
    assert sent.fits(widget(None), said("double_value", 1.0))  # type: ignore[arg-type]


def test_values_are_dropped_amid_a_look_through_all() -> None:
    sent.look_first()
    session = SessionState()
    for number in range(3):
        key = f"{ID}{number}"
        session._new_widget_state[key] = Serialized(WidgetState(id=key, bool_value=True))
        session._new_widget_state.set_widget_metadata(WidgetMetadata(key, str, str, "string_value"))
    assert [session._new_widget_state.get(key) for key in session._new_widget_state] == [None] * 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("told", {"listening": "a", "number": 1, "rate": 48_000, "at": 0, "samples": "AAA=", "isLast": 1}),
        ("told", {"listening": "a" * 65, "number": 1, "rate": 48_000, "at": 0, "samples": ""}),
        ("told", {"listening": "a", "number": 1.5, "rate": 48_000, "at": 0, "samples": ""}),
        ("told", {"listening": "a", "number": 1, "rate": 48_000, "at": -1, "samples": ""}),
        ("told", {"listening": "a", "number": 1, "rate": 48_000, "at": 0, "samples": "A" * (7 * 2**20)}),
        ("former", {"id": "", "holds": 1}),
        ("former", {"id": "a", "holds": 10_001}),
        ("detail", [1.0]),
        ("moment", "1"),
        ("unheard", None),
    ],
)
def test_no_component_tells_it(name: str, value: Any) -> None:
    assert not shapes.fits(name, value)


def test_what_the_components_tell() -> None:
    message = {
        "listening": "a",
        "number": 1,
        "rate": 48_000,
        "at": 0,
        "samples": "AAA=",
        "isLast": False,
        "keepsOn": True,
    }
    for name, value in (
        ("told", message), ("former", {"id": "a", "holds": 2}), ("detail", [0, 1.5]), ("moment", 1.5), ("segment", 0),
        ("region", {"start": 0.0, "end": 1.0, "low": 10, "high": 20.5}), ("region", None),
    ):  # fmt: skip
        assert shapes.fits(name, value)


def test_a_choice_is_made_once_and_an_event_is_one_that_the_widget_has() -> None:
    many = widget("string_array_value", formatted_options=["a", "b"])
    assert sent.fits(many, said("string_array_value", ["a", "b"]))
    assert not sent.fits(many, said("string_array_value", ["a", "a"]))
    told = json.dumps({"event": "segment", "value": 3})
    assert sent.fits(widget("json_trigger_value", callbacks={"segment": print}), said("json_trigger_value", told))
    assert not sent.fits(VISIT, said("json_trigger_value", told))
