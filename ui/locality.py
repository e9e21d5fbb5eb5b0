"""Who is looking: whoever sits at this machine may name its folders, whoever comes over a network may not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st

_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
_SIGNS_OF_A_PROXY = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")
_REFUSALS = {"0", "no", "off", "false"}


def is_local() -> bool:
    """Whether this visitor may have the app read folders of this machine, and fetch addresses for him.

    Only where the server listens to this machine alone and nothing tells of a proxy before it. A proxy need not
    betray itself, so `GENRESCOPE_LOCAL=no` says it for good.
    """
    if os.environ.get("GENRESCOPE_LOCAL", "").strip().lower() in _REFUSALS:
        return False
    return st.get_option("server.address") in _LOCAL_NAMES and is_direct(st.context.headers)


def is_direct(headers: Mapping[str, str]) -> bool:
    """Whether a request with these headers was made to a name of this machine, and through no proxy that says so."""
    if any(sign in headers for sign in _SIGNS_OF_A_PROXY):
        return False
    try:
        name = urlsplit(f"//{headers.get('Host', 'localhost')}").hostname
    except ValueError:
        return False
    return name in _LOCAL_NAMES
