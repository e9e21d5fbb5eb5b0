"""How true are the tempo and the key that Listen tells? The demo's tracks, whose beat and scale are known.

    python -m bench.tempo_and_key [--per-style N]

For each style: the share of its tracks of which a tempo is told at all; of these, the share whose first reading is
within 2 % of the beat that the program played, and of which either reading is; the same for the key, where the
first is right, or either. What is wrong is mostly half or twice the tempo, and the relative or the parallel key. These
are synthesized pieces, twenty seconds each, with people's looseness but without people: recordings may fare worse.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass

from crnn.analysis import tempo_and_key
from crnn.data import demo
from crnn.data.tracks import Track

_TOLERANCE = 0.02
_NAMES = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_MINOR_THIRD = 3


@dataclass(frozen=True)
class Found:
    """Of one track: whether the first reading is right, and whether one of them is; None where nothing is told."""

    tempo: tuple[bool, bool] | None
    key: tuple[bool, bool] | None


def main() -> int:
    """Print a table, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-style", type=int, default=8, metavar="N", help="tracks of each style")
    options = parser.parse_args()
    by_style: dict[str, list[Found]] = {}
    for track in demo.tracks(options.per_style):
        by_style.setdefault(track.genre, []).append(_judged(track))
    by_style["all"] = [found for of_style in by_style.values() for found in of_style]
    columns = ("tempo_told", "tempo_first", "tempo_either", "key_told", "key_first", "key_either")
    print(f"{'':<14}" + "".join(f"{name:>14}" for name in columns))
    figures = {}
    for style, found in by_style.items():
        values = [*_shares([each.tempo for each in found]), *_shares([each.key for each in found])]
        figures[style] = dict(zip(columns, values, strict=True))
        print(f"{style:<14}" + "".join(f"{value:>14.2f}" for value in values))
    print(json.dumps(figures))
    return 0


def _judged(track: Track) -> Found:
    song, samples = demo.song_of(track), demo.render(track, tempo_and_key.RATE)
    tempo = tempo_and_key.tempo(samples, tempo_and_key.RATE)
    keys = tempo_and_key.keys(samples, tempo_and_key.RATE)
    is_right = [
        abs(bpm * song.beat_seconds / 60 - 1) < _TOLERANCE
        for bpm in ((tempo.bpm, tempo.other_bpm) if tempo else ())
        if bpm is not None
    ]
    tonic, mode = _NAMES[song.root % 12], "minor" if _MINOR_THIRD in song.scale else "major"
    same = {tonic, {"D♭": "C♯", "A♭": "G♯"}.get(tonic, tonic)}
    is_key = [name in {f"{spelling} {mode}" for spelling in same} for name in keys]
    return Found((is_right[0], any(is_right)) if is_right else None, (is_key[0], any(is_key)) if is_key else None)


def _shares(found: list[tuple[bool, bool] | None]) -> tuple[float, float, float]:
    """Of how many something is told; of these the share whose first reading is right, and whose either is."""
    told = [each for each in found if each is not None]
    n = max(1, len(told))
    return len(told) / len(found), sum(first for first, _ in told) / n, sum(either for _, either in told) / n


if __name__ == "__main__":
    sys.exit(main())
