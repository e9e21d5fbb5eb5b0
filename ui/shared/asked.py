"""What a page of this app may ask of the server; what else Streamlit would do for any page is the host's to do.

Whoever can open the page's socket may, in Streamlit, clear the caches of all visitors, read which files of the
checkout are not committed, and have files written beside the app. Where others are served none of it is heard.
"""

from __future__ import annotations

import logging
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.app_session import AppSession

_HEARD = frozenset({"rerun_script", "stop_script", "app_heartbeat", "file_urls_request"})
_OPERATIONS = frozenset({"deferred_file", "dataframe_chunk"})
# A page has a hundred.
_MOST_WIDGETS = 2000
_log = logging.getLogger("crnn.doorman")


def hear_pages_alone() -> None:
    """From now on hear no more of a page than this app's own pages say."""
    if getattr(AppSession.handle_backmsg, "is_ours", False):
        return
    handle = AppSession.handle_backmsg

    def handle_if_heard(self: AppSession, msg: BackMsg) -> None:
        if is_heard(msg):
            handle(self, msg)
        else:
            _log.warning("A page asked for what is not its own: %s", msg.WhichOneof("type"))

    handle_if_heard.is_ours = True  # type: ignore[attr-defined]
    AppSession.handle_backmsg = handle_if_heard  # type: ignore[method-assign]


def is_heard(msg: Any) -> bool:
    """Whether it is something that this app's own pages say.

    Args:
        msg: A message of a page.
    """
    kind = msg.WhichOneof("type")
    if kind == "backend_operation_request":
        return msg.backend_operation_request.WhichOneof("payload") in _OPERATIONS
    if kind == "rerun_script" and len(msg.rerun_script.widget_states.widgets) > _MOST_WIDGETS:
        return False
    return kind in _HEARD
