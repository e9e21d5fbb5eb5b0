"""A file that a thread makes: what it raises reaches the page, and it ends where nobody waits for it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import pytest

from ui.models.making import Making


def test_what_is_made_or_went_wrong_reaches_who_waits() -> None:
    may_end = threading.Event()

    def make(on_wait: Callable[[], None]) -> bytes:
        on_wait()
        assert may_end.wait(30)
        return b"zip"

    making = Making("onnx", "model-onnx.zip", make)
    assert not making.is_done()
    may_end.set()
    assert making.is_done(30)
    assert (making.file(), making.key, making.name) == (b"zip", "onnx", "model-onnx.zip")

    def fail(on_wait: Callable[[], None]) -> bytes:
        raise OSError("The disk is full.")

    failed = Making("onnx", "model-onnx.zip", fail)
    assert failed.is_done(30)
    with pytest.raises(OSError, match=r"The disk is full\."):
        failed.file()


@pytest.mark.parametrize("is_stopped", [True, False])
def test_it_is_made_no_further_once_it_is_stopped_or_its_visit_is_gone(is_stopped: bool) -> None:
    is_under_way, has_ended = threading.Event(), threading.Event()

    def make(on_wait: Callable[[], None]) -> bytes:
        try:
            for _ in range(3000):
                on_wait()
                is_under_way.set()
                has_ended.wait(0.01)
        finally:
            has_ended.set()
        return b"nobody has asked for it"

    making = Making("onnx", "model-onnx.zip", make)
    assert is_under_way.wait(30)
    if is_stopped:
        making.stop()
        assert making.is_done(30)
        with pytest.raises(Exception, match="^$"):
            making.file()
    else:
        del making
        gc.collect()
    assert has_ended.wait(5)
