"""Words for numbers and names, as every sentence, table and axis of the app writes them."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[str], n_shown: int = 8) -> str:
    """Names for a message, the first few of them, with the number of the others.

    Args:
        names: What is listed.
        n_shown: How many are named.
    """
    printable = ("".join(c if c.isprintable() else "?" for c in name) for name in names[:n_shown])
    shown = ", ".join(f"“{name}”" for name in printable)
    return shown if len(names) <= n_shown else f"{shown} and {len(names) - n_shown} more"


def distinct(names: Sequence[str]) -> list[str]:
    """Names of which none is another's, for a list to choose from: those that come again are numbered."""
    told: list[str] = []
    for name in names:
        number, label = 1, name
        # A numbered name must not equal the own name of another.
        while label in told or (number > 1 and label in names):
            number += 1
            label = f"{name} ({number})"
        told.append(label)
    return told


def number_of(n: int, noun: str) -> str:
    """A count with its noun: “1 genre”, “3 genres”.

    Args:
        n: How many.
        noun: In the singular; its plural must end in s.
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def sentence_case(words: str) -> str:
    """`words` with a capital at the beginning and nothing else changed: R&B stays R&B."""
    return words[:1].upper() + words[1:]


def percent(share: float) -> str:
    """A share as a percentage of two significant digits, never a certain 100 %."""
    return "over 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def percents(shares: Sequence[float]) -> list[int]:
    """Shares as whole percentages that add up as the shares do: those that lost most by rounding down get one more.

    Args:
        shares: Of one whole, 0 to 1 each.
    """
    exact = [round(100 * share, 6) for share in shares]
    told = [int(value) for value in exact]
    by_loss = sorted(range(len(told)), key=lambda place: told[place] - exact[place])
    for place in by_loss[: round(sum(exact)) - sum(told)]:
        told[place] += 1
    return told


def clock(seconds: float) -> str:
    """Seconds as m:ss.t, from an hour on as h:mm:ss.t."""
    tenths = round(seconds * 10)
    minutes = tenths // 600
    first = f"{minutes // 60}:{minutes % 60:02d}" if minutes >= 60 else str(minutes)
    return f"{first}:{tenths // 10 % 60:02d}.{tenths % 10}"


def confidence(share: float) -> str:
    """A confidence as a number of two digits, never a certain 1."""
    return "> 0.99" if share > 0.99 else f"{share:.2f}"


def decibels(value_db: float) -> str:
    """A level as whole dB, with a true minus sign."""
    return f"{value_db:.0f} dB".replace("-0 dB", "0 dB").replace("-", "−")


def hertz(frequency_hz: float) -> str:
    """A frequency in Hz below 1 kHz, in kHz above."""
    return f"{frequency_hz:.0f} Hz" if frequency_hz < 1000 else f"{frequency_hz / 1000:.1f} kHz"


_NUMBERS = "no one two three four five six seven eight nine ten eleven twelve".split()


def in_words(number: int) -> str:
    """A whole number as a word up to twelve, in digits beyond."""
    return _NUMBERS[number] if 0 <= number < len(_NUMBERS) else str(number)


def with_interval(value: float, interval: tuple[float, float] | None, digits: int = 2) -> str:
    """A score with its 95 % interval, “0.75 (0.30 to 0.95)”; a dash where nothing was counted.

    Args:
        value: The score.
        interval: From where to where; None of nothing.
        digits: Behind the point.
    """
    if interval is None:
        return "–"
    low, high = interval
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def signed(value: float) -> str:
    """A difference with its sign, a true minus: “+0.05”, “−0.10”; “0.00” without one."""
    said = f"{value:+.2f}".replace("-", "−")
    return said if float(f"{value:.2f}") else said[1:]


def off_by(low: float, high: float) -> str:
    """From where to where a confidence may be off: “from 0.11 too low to 0.15 too high”, “from 0.02 to 0.15 too high”.

    Args:
        low: The lower end of confidence less the share right.
        high: The higher end.
    """
    ends = [f"{abs(end):.2f}" for end in (low, high)]
    # What rounds to nothing is neither high nor low.
    signs = [0.0 if end == "0.00" else excess for end, excess in zip(ends, (low, high), strict=True)]
    if signs[0] < 0 < signs[1]:
        return f"from {ends[0]} too low to {ends[1]} too high"
    nearer, further = ends[::-1] if signs[0] < 0 else ends
    return f"from {nearer} to {further} too {'low' if signs[0] < 0 else 'high'}"


def right_of(confusion: Sequence[Sequence[int]]) -> str:
    """How many answers were right, and of how many: “9 of 12”, as a share of few says less than it seems to.

    Args:
        confusion: Counts, a row for each true genre, a column for each answer.
    """
    return f"{sum(row[place] for place, row in enumerate(confusion))} of {sum(map(sum, confusion))}"
