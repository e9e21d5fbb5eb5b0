from __future__ import annotations

import pytest
import streamlit as st
from streamlit import config
from streamlit.runtime.context import StreamlitHeaders

from ui.shared import visitor
from ui.shared.visitor import is_direct, may_send_files


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST", None])
def test_this_machine_is_direct(host: str | None) -> None:
    assert is_direct(StreamlitHeaders([] if host is None else [("Host", host)]))


@pytest.mark.parametrize(("host", "origin"), [("localhost:8501", "http://localhost:8501"), ("[::1]", "https://[::1]")])
def test_its_own_page_is_direct(host: str, origin: str) -> None:
    assert is_direct(StreamlitHeaders([("Host", host), ("Origin", origin)]))


@pytest.mark.parametrize(
    ("address", "is_admin"),
    [("strauss@example.org", True), ("Strauss@Example.org", True), ("strauß@example.org", False), ("", False)],
)
def test_an_admin_is_told_by_every_letter(address: str, is_admin: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_ADMINS", "ann@example.org, STRAUSS@example.org")
    monkeypatch.setattr(st, "user", {"email": address, "email_verified": True})
    assert visitor._is_admin() is is_admin


def test_no_address_is_on_a_list_that_ends_with_a_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_ADMINS", "ann@example.org,")
    monkeypatch.setattr(st, "user", {"email": "", "email_verified": True})
    assert not visitor._is_admin()


@pytest.mark.parametrize("missing", ["is_logged_in", "iss", "sub"])
def test_who_signed_in_has_a_name_that_stays(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    user = {"is_logged_in": True, "iss": "https://id.example", "sub": "ann"}
    monkeypatch.setattr(st, "user", user)
    assert visitor.is_signed_in()
    monkeypatch.setattr(st, "user", {name: value for name, value in user.items() if name != missing})
    assert not visitor.is_signed_in()


@pytest.mark.parametrize("is_verified", [False, None, "false", "true"])
def test_an_address_that_is_not_verified_makes_no_admin(is_verified: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_ADMINS", "ann@example.org")
    monkeypatch.setattr(st, "user", {"email": "ann@example.org", "email_verified": is_verified})
    assert not visitor._is_admin()


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
        {"Host": "localhost:8501", "Origin": "http://localhost:9999"},
        {"Host": "localhost:8501", "Origin": "http://127.0.0.1:8501"},
        {"Host": "localhost:8501", "Origin": "http://localhost"},
        {"Host": "localhost:8501", "Origin": "null"},
    ],
)
def test_what_came_through_a_proxy_or_by_another_name_is_not(headers: dict[str, str]) -> None:
    assert not is_direct(StreamlitHeaders(headers.items()))


@pytest.mark.parametrize(
    ("origin", "host", "is_own", "is_own_by_name"),
    [
        (None, "music.example", True, True),
        ("https://music.example", "music.example", True, True),
        ("https://music.example:8443", "music.example", False, True),
        ("https://evil.example", "music.example", False, False),
        ("https://music.example@evil.example", "music.example", False, False),
        ("https://[", "music.example", False, False),
        ("null", None, False, False),
    ],
)
def test_whose_page_it_is(origin: str | None, host: str | None, is_own: bool, is_own_by_name: bool) -> None:
    assert visitor.is_own_page(origin, host) is is_own
    assert visitor.is_own_page(origin, host, port_matters=False) is is_own_by_name


@pytest.mark.parametrize(
    ("headers", "cookies", "may"),
    [
        ({"Host": "localhost"}, {"_streamlit_xsrf": "2|a|b|1"}, True),
        ({"Host": "localhost"}, {"another": "1"}, False),
        ({"Host": "localhost"}, {}, False),
        # Disconnected for a moment: nothing is known of him.
        ({}, {}, True),
    ],
)
def test_a_browser_that_keeps_cookies_back_sends_no_files(
    headers: dict[str, str], cookies: dict[str, str], may: bool
) -> None:
    assert may_send_files(headers, cookies) is may


def test_where_no_cookie_is_asked_for_none_is_missed() -> None:
    config.set_option("server.enableXsrfProtection", False)
    try:
        assert may_send_files({"Host": "localhost"}, {})
    finally:
        config.set_option("server.enableXsrfProtection", True)
