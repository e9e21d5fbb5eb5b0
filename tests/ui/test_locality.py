from __future__ import annotations

import pytest
from streamlit.runtime.context import StreamlitHeaders

from ui.locality import is_direct


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST", None])
def test_this_machine_is_direct(host: str | None) -> None:
    assert is_direct(StreamlitHeaders([] if host is None else [("Host", host)]))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "music.example.org"},
        {"Host": "192.168.1.7:8501"},
        {"Host": "localhost.example.org"},
        {"Host": "[::1"},
        {"Host": ""},
        {"Host": "localhost:8501", "X-Forwarded-For": "203.0.113.9"},
        {"host": "localhost:8501", "x-real-ip": "203.0.113.9"},
        {"Host": "localhost:8501", "Forwarded": "for=203.0.113.9"},
        {"Host": "localhost:8501", "Via": "1.1 proxy"},
    ],
)
def test_what_came_through_a_proxy_or_by_another_name_is_not(headers: dict[str, str]) -> None:
    assert not is_direct(StreamlitHeaders(headers.items()))
