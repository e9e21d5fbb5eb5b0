"""Who is looking, as the owner of what he does: the only place where a request becomes a person.

The person at the machine, somebody who signed in, or a stranger whose things last as long as his visit.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from crnn.mode import LOCAL_NAMES, Mode, decide
from crnn.owner import MACHINE, Owner, person

ADMINS_VARIABLE = "GENRESCOPE_ADMINS"
_VISIT = "genrescope.visit"
_SIGNS_OF_A_PROXY = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")


def mode() -> Mode:
    """How this visitor is served.

    A local server is for whoever sits at it: what comes through a proxy, or under another name, is a stranger's.

    Raises:
        CrnnError: The host's setting is none.
    """
    decided = server_mode()
    return "public" if decided == "local" and not is_direct(st.context.headers) else decided


def server_mode() -> Mode:
    """How this server serves, whoever asks.

    Raises:
        CrnnError: The host's setting is none.
    """
    return decide(os.environ, st.get_option("server.address"))


def owner() -> Owner:
    """This visitor; in shared mode only once he has signed in.

    Raises:
        CrnnError: The host's setting is none.
    """
    found = mode()
    if found == "local":
        return MACHINE
    if found == "shared" and is_signed_in():
        return person(str(st.user["iss"]), str(st.user["sub"]), is_admin=_is_admin())
    if _VISIT not in st.session_state:
        st.session_state[_VISIT] = secrets.token_hex(16)
    return Owner("public", st.session_state[_VISIT])


def is_signed_in() -> bool:
    """Whether somebody vouches for him, by an issuer and a name that stay."""
    return bool(st.user.get("is_logged_in")) and bool(st.user.get("iss")) and bool(st.user.get("sub"))


def _is_admin() -> bool:
    """Whether his verified address is on the host's list (`GENRESCOPE_ADMINS`, separated by commas)."""
    admins = {_without_case(name) for name in os.environ.get(ADMINS_VARIABLE, "").split(",")} - {""}
    is_verified = st.user.get("email_verified") is True
    return is_verified and _without_case(str(st.user.get("email", ""))) in admins


def _without_case(address: str) -> str:
    """An address with the case of its ASCII letters alone set aside.

    To Unicode, strauß and strauss are one word in two cases, and they are two people's addresses.
    """
    return "".join(letter.lower() if letter.isascii() else letter for letter in address.strip())


def is_direct(headers: Mapping[str, str]) -> bool:
    """Whether a request with these headers was made by this app's own page to a name of this machine.

    Not through a proxy that says so, and not by a page of another port or name (`Origin`).
    """
    if any(sign in headers for sign in _SIGNS_OF_A_PROXY):
        return False
    try:
        name = urlsplit(f"//{headers.get('Host', 'localhost')}").hostname
    except ValueError:
        return False
    return name in LOCAL_NAMES and is_own_page(headers.get("Origin"), headers.get("Host"))


def is_own_page(origin: str | None, host: str | None, *, port_matters: bool = True) -> bool:
    """Whether a request comes from a page of the very server that it is made to.

    Args:
        origin: Of the page, as its browser says; None where none asks, which no page can bring about.
        host: As the request names the server.
        port_matters: Whether a page of another port is another's.
    """
    if origin is None:
        return True
    place, asked = origin.partition("://")[2].lower(), (host or "").lower()
    if port_matters:
        return bool(place) and place == asked
    try:
        name = urlsplit(f"//{place}").hostname
        return name is not None and name == urlsplit(f"//{asked}").hostname
    except ValueError:
        return False


def may_send_files(headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
    """Whether what this visitor's browser uploads or records is taken: not without the cookie against forged requests.

    Args:
        headers: Of the request that opened his visit; none while he is disconnected.
        cookies: Of the same.
    """
    return not headers or XSRF_COOKIE_NAME in cookies or not st.get_option("server.enableXsrfProtection")


def place() -> str:
    """Where things are kept, as he has to understand it."""
    return "on this machine" if mode() == "local" else "on this server"
