"""Who is served: the person at this machine, people who sign in, or strangers. Decided here and nowhere else.

`GENRESCOPE_MODE` says it. Told nothing, a server that only its own machine can reach is `local`, and any other
`public`: whoever forgets to say it must not lend his machine to a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast, get_args

from crnn.errors import CrnnError

Mode = Literal["local", "shared", "public"]

VARIABLE, OLD_VARIABLE = "GENRESCOPE_MODE", "GENRESCOPE_LOCAL"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_REFUSALS = frozenset({"0", "no", "off", "false"})


def decide(environment: Mapping[str, str], address: str | None) -> Mode:
    """The mode of a server.

    Args:
        environment: The process's variables.
        address: What the server listens on; None is every network that the machine has.

    Raises:
        CrnnError: `GENRESCOPE_MODE` is none of the three words; nobody is served by guess.
    """
    told = environment.get(VARIABLE, "").strip().lower()
    if told:
        if told not in get_args(Mode):
            raise CrnnError(f"{VARIABLE} is “{told}”, and local, shared or public is expected. Nobody is served.")
        return cast(Mode, told)
    if environment.get(OLD_VARIABLE, "").strip().lower() in _REFUSALS:
        return "public"
    return "local" if address in LOCAL_NAMES else "public"
