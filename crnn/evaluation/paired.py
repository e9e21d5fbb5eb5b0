"""Two answers for the same tracks: whether one is right more often than chance alone would make it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# A difference that chance makes less often than this counts.
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Paired:
    """Right answers of two on the same tracks.

    only_first, only_second: tracks that one alone had right.
    p_value: how often chance alone would part them so far, either way (exact McNemar test).
    """

    n_tracks: int
    n_first: int
    n_second: int
    only_first: int
    only_second: int
    p_value: float

    @property
    def second_gains(self) -> bool:
        """Whether the second is right more often, beyond chance."""
        return self.only_second > self.only_first and self.p_value < SIGNIFICANT

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def compare(first_right: npt.ArrayLike, second_right: npt.ArrayLike) -> Paired:
    """Compare who was right on which track.

    Args:
        first_right: Whether the first was, one bool a track.
        second_right: The same of the second.
    """
    first, second = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = _sign_test(only_first, only_second)
    return Paired(len(first), int(first.sum()), int(second.sum()), only_first, only_second, p_value)


def _sign_test(a: int, b: int) -> float:
    """Two-sided exact binomial test of `a` against `b` at even odds (McNemar 1947)."""
    n = a + b
    tail = sum(math.comb(n, k) for k in range(min(a, b) + 1)) / 2**n
    return min(1.0, 2 * tail)


def sentence(found: Paired, first: str, second: str) -> str:
    """Who was right how often, and whether chance alone would part them so far; empty without a track.

    Args:
        found: From `compare`.
        first: What the first is called.
        second: What the second is called.
    """
    if not found.n_tracks:
        return ""
    if not found.only_first + found.only_second:
        return f"Right of {found.n_tracks}: {first} {found.n_first}, {second} {found.n_second}; the same ones."
    counts = (
        f"Right of {found.n_tracks}: {first} {found.n_first}, {second} {found.n_second}; "
        f"{found.only_first} by {first} alone, {found.only_second} by {second} alone."
    )
    p_value = "p < 0.001" if found.p_value < 0.0005 else f"p = {found.p_value:.3f}"
    test = f"Exact McNemar test: {p_value}"
    if found.p_value < SIGNIFICANT:
        return f"{counts} {test}, a difference beyond chance."
    if _sign_test(0, found.only_first + found.only_second) >= SIGNIFICANT:
        return f"{counts} {test}: so few that one alone has right cannot tell a difference from chance."
    return f"{counts} {test}: chance alone would often part them so far."
