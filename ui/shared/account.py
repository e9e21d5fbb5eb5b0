"""Signing in and out where people have things of their own, and the way to take all of them back."""

from __future__ import annotations

import streamlit as st
from streamlit.errors import StreamlitAuthError

from crnn.jobs import runs
from crnn.mode import Mode
from crnn.owner import forget, used_bytes
from ui.shared import limits, promises, visitor, visits
from ui.shared.words import plain

NO_PROVIDER = (
    "Nobody can sign in yet: the host has not named an OpenID provider in `.streamlit/secrets.toml`. "
    "docs/hosting.md says how."
)


def ask_to_sign_in() -> None:
    """Show the way in and end the page, unless this visitor has signed in."""
    if visitor.is_signed_in():
        return
    st.title("GenreScope", anchor=False)
    st.markdown("Hear a clip, see it, and know its genre. On this server everyone has models and clips of their own.")
    if st.button("Sign in", type="primary", icon=":material/login:", key="account.in"):
        try:
            st.login()
        except StreamlitAuthError:
            st.error(NO_PROVIDER)
    st.stop()


def draw(mode: Mode) -> None:
    """Who is signed in, and what he can do about it; nothing where nobody signs in."""
    if mode != "shared":
        return
    name = str(st.user.get("name") or st.user.get("email") or "signed in")
    with st.popover(plain(name[:40]), icon=":material/person:", width="stretch"):
        owner = visitor.owner()
        used, granted = used_bytes(owner.home) / 2**20, owner.limits.disk_bytes >> 20
        st.caption(f"{used:.0f} of {granted} MB are kept for you." + (" You are an admin." if owner.is_admin else ""))
        if st.button("Sign out", icon=":material/logout:", key="account.out", width="stretch"):
            st.logout()
        is_sure = st.checkbox("Delete all that is mine", key="account.sure", help=promises.MINE)
        if is_sure and st.button("Delete it now", icon=":material/delete_forever:", key="account.forget"):
            _forget_all()


def _forget_all() -> None:
    owner = visitor.owner()
    active = runs.active_run(owner)
    if active is not None:
        active.ask("stop")
        st.warning("Your training is being stopped. Press it again in a moment.")
        return
    forget(owner)
    for key in list(st.session_state):
        del st.session_state[key]
    # The browser still names what its uploaders hold; there is nothing by those names any more.
    limits.release_all()
    visits.forget_visits_of(repr(owner))
    st.rerun()
