"""What a browser asked for reaches it, whatever its page does meanwhile.

Streamlit 1.67 empties a page's outgoing messages when a run of it begins, and lets go of its replies with them: a file
that was given in that moment waited for its address for good, and nothing on the page told so.
"""

from __future__ import annotations

from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

_REPLIES = frozenset({"file_urls_response", "backend_operation_response", "heartbeat_ack"})


def keep_replies() -> None:
    """From now on a run that begins lets go of what pages drew, and of no reply."""
    if getattr(ForwardMsgQueue.clear, "is_ours", False):
        return
    clear = ForwardMsgQueue.clear

    def clear_what_was_drawn(
        self: ForwardMsgQueue, retain_lifecycle_msgs: bool = False, fragment_ids_this_run: list[str] | None = None
    ) -> None:
        replies = [message for message in self._queue if message.WhichOneof("type") in _REPLIES]
        clear(self, retain_lifecycle_msgs, fragment_ids_this_run)
        # Without it the queue goes for good: the visit is over, or its page is another.
        if retain_lifecycle_msgs:
            kept = set(map(id, self._queue))
            self._queue.extend(reply for reply in replies if id(reply) not in kept)

    clear_what_was_drawn.is_ours = True  # type: ignore[attr-defined]
    ForwardMsgQueue.clear = clear_what_was_drawn  # type: ignore[method-assign]
