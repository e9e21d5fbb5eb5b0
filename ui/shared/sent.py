"""What a browser sent as the values of widgets, looked at before any of it is read.

Streamlit reads what comes by the page's socket as what the page's own widget would have said, and ends the page in a
traceback where it is not. Whoever writes such messages himself is told nothing: a value of another kind, one that is
none of the choices, or that a component of ours cannot have told is dropped as if it had not been sent, with one line
in the log.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.state.common import unpack_widget_state_value
from streamlit.runtime.state.session_state import Serialized, SessionState, WStates

from crnn.untrusted import visible
from ui.components import shapes

_COMPONENT_KINDS = frozenset({"json_value", "json_trigger_value"})
# A number field registers as float even if it sends whole numbers.
_SENT_AS_WELL = frozenset({("double_value", "int_value")})
_MOST_ROWS = 2**31
_log = logging.getLogger("crnn.sent")


class _Dropped(Serialized):
    """A value that nobody reads."""


def look_first() -> None:
    """From now on look at every value before it is read."""
    if getattr(WStates.__getitem__, "is_ours", False):
        return
    take, read = SessionState.set_widgets_from_proto, WStates.__getitem__

    def take_what_fits(self: SessionState, widget_states: WidgetStates) -> None:
        known = self._new_widget_state.widget_metadata
        kept = WidgetStates()
        # What fits a widget that no page has drawn yet is not known; its value is checked when one draws it.
        kept.widgets.extend(
            each for each in widget_states.widgets if each.id not in known or _is_good(known[each.id], each)
        )
        take(self, kept)

    def read_if_it_fits(self: WStates, k: str) -> Any:
        state, metadata = self.states.get(k), self.widget_metadata.get(k)
        if isinstance(state, Serialized) and metadata is not None:
            if not isinstance(state, _Dropped) and not _is_good(metadata, state.value):
                self.states[k] = state = _Dropped(state.value)
            if isinstance(state, _Dropped):
                # What Streamlit raises for a value that is not there.
                raise KeyError(k)
        return read(self, k)

    read_if_it_fits.is_ours = True  # type: ignore[attr-defined]
    SessionState.set_widgets_from_proto = take_what_fits  # type: ignore[method-assign]
    WStates.__getitem__ = read_if_it_fits  # type: ignore[method-assign]


def _is_good(metadata: Any, sent: Any) -> bool:
    try:
        if fits(metadata, sent):
            metadata.deserializer(unpack_widget_state_value(sent))
            return True
        why = "it does not fit"
    except Exception as err:  # noqa: BLE001 - Streamlit's widgets may raise anything over a value; the sender made it
        why = type(err).__name__
    _log.warning("A value for %s was dropped: %s", visible(sent.id[-60:]), why)
    return False


def fits(metadata: Any, sent: Any) -> bool:
    """Whether a widget's own page could have sent a value.

    Args:
        metadata: Streamlit's, of the widget.
        sent: Its `WidgetState` of Streamlit's protocol.

    Raises:
        ValueError, RecursionError: It is no JSON where that is expected.
    """
    kind = sent.WhichOneof("value")
    if kind is None:
        return True
    # For an emptied widget Streamlit no longer knows the kind.
    if metadata.value_type not in {kind, None} and (metadata.value_type, kind) not in _SENT_AS_WELL:
        return False
    if kind in _COMPONENT_KINDS:
        return _component_could_tell(metadata, kind, sent)
    value = unpack_widget_state_value(sent)
    serde = type(getattr(metadata.deserializer, "__self__", None)).__name__
    if serde in _PICKED:
        return kind == "string_value" and _PICKED[serde](json.loads(value))
    if kind == "double_value":
        return math.isfinite(value)
    if kind == "double_array_value":
        return all(map(math.isfinite, value))
    chosen = [value] if kind == "string_value" else list(value) if kind == "string_array_value" else None
    if metadata.formatted_options is not None:
        if chosen is None or not set(chosen) <= set(metadata.formatted_options):
            return False
        if len(chosen) != len(set(chosen)) and not metadata.allow_url_duplicates:
            return False
    return chosen is None or not metadata.max_array_length or len(chosen) <= metadata.max_array_length


def _component_could_tell(metadata: Any, kind: str, sent: Any) -> bool:
    told = json.loads(getattr(sent, kind))
    names = set(metadata.callbacks or ())
    if kind == "json_value":
        return isinstance(told, dict) and all(name in names and shapes.fits(name, told[name]) for name in told)
    events = told if isinstance(told, list) else [told]
    return all(
        isinstance(event, dict)
        and isinstance(event.get("event"), str)
        and event["event"] in names
        and shapes.fits(event["event"], event.get("value"))
        for event in events
    )


def _is_selection(told: Any) -> bool:
    """What was picked in a table or a chart; whether there is such a row its page knows."""
    picked = told.get("selection") if isinstance(told, dict) else None
    if not isinstance(picked, dict) or not all(isinstance(part, list) for part in picked.values()):
        return False
    cells, points = picked.get("cells", []), picked.get("points", [])
    return (
        all(map(_is_row, picked.get("rows", [])))
        and all(isinstance(name, str) for name in picked.get("columns", []))
        and all(isinstance(cell, list) and len(cell) == 2 and _is_row(cell[0]) and _is_name(cell[1]) for cell in cells)
        and all(isinstance(point, dict) for point in points)
    )


def _are_edits(told: Any) -> bool:
    """What was changed in a table whose rows stay as they are."""
    if not isinstance(told, dict) or told.get("added_rows") or told.get("deleted_rows"):
        return False
    edited = told.get("edited_rows", {})
    return isinstance(edited, dict) and all(
        row.isascii()
        and row.isdigit()
        and len(row) < 10
        and isinstance(cells, dict)
        and all(map(_is_plain, cells.values()))
        for row, cells in edited.items()
    )


def _is_row(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_ROWS


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str)


_PICKED: dict[str, Callable[[Any], bool]] = {
    "DataframeSelectionSerde": _is_selection,
    "PlotlyChartSelectionSerde": _is_selection,
    "DataEditorSerde": _are_edits,
}
