"""What a browser asked for outlives the beginning of a run."""

from __future__ import annotations

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from ui.shared import replies


def message(kind: str, **fields: str) -> ForwardMsg:
    made = ForwardMsg()
    if kind == "script_finished":
        made.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
        return made
    getattr(made, kind).SetInParent()
    for name, value in fields.items():
        setattr(getattr(made, kind), name, value)
    return made


def kinds(queue: ForwardMsgQueue) -> list[str | None]:
    return [each.WhichOneof("type") for each in queue._queue]


def filled() -> ForwardMsgQueue:
    replies.keep_replies()
    queue = ForwardMsgQueue()
    queue._queue = [
        message("delta"),
        message("file_urls_response", response_id="1"),
        message("script_finished"),
        message("backend_operation_response", request_id="2"),
    ]
    return queue


def test_addresses_of_uploads_outlive_the_beginning_of_a_run() -> None:
    queue = filled()
    queue.clear(retain_lifecycle_msgs=True)
    assert kinds(queue) == ["script_finished", "file_urls_response", "backend_operation_response"]
    assert queue._queue[1].file_urls_response.response_id == "1"


def test_a_fragment_that_begins_doubles_no_reply() -> None:
    queue = filled()
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["a"])
    assert sorted(filter(None, kinds(queue))) == sorted(kinds(filled()))


def test_a_queue_that_goes_for_good_is_empty() -> None:
    queue = filled()
    queue.clear()
    assert kinds(queue) == []


def test_a_second_page_wraps_the_queue_no_second_time() -> None:
    replies.keep_replies()
    wrapped = ForwardMsgQueue.clear
    replies.keep_replies()
    assert ForwardMsgQueue.clear is wrapped
