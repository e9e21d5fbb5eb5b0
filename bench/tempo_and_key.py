"""How true are the tempo and the key that Listen tells? The demo's tracks, whose beat and scale are known, or yours.

    python -m bench.tempo_and_key [--per-style N]
    python -m bench.tempo_and_key --data FOLDER

For each style: the share of its tracks of which a tempo is told at all; of these, the share whose first reading is
within 2 % of the beat that the program played, and of which either reading is; the same for the key, where the
first is right, or either. What is wrong is mostly half or twice the tempo, and the relative or the parallel key. These
are synthesized pieces, twenty seconds each, with people's looseness but without people: recordings may fare worse.

FOLDER holds sounds and `tempo_and_key.csv`, with the columns `file`, `bpm` and `key` (“A minor”, “Db major”; a field is
empty where it is not known): of these the same, by the folder that a file is in.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn.analysis import tempo_and_key
from crnn.audio.clip import load_clip
from crnn.data import demo
from crnn.data.tracks import Track
from crnn.errors import CrnnError

_TOLERANCE = 0.02
_MINOR_THIRD = 3


@dataclass(frozen=True)
class Found:
    """Of one track: whether the first reading is right, and whether one of them is; None where nothing is told."""

    tempo: tuple[bool, bool] | None
    key: tuple[bool, bool] | None
    is_tempo_known: bool = True
    is_key_known: bool = True


def main() -> int:
    """Print a table, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-style", type=int, default=8, metavar="N", help="tracks of each style")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="sounds with tempo_and_key.csv; default: the demo")
    options = parser.parse_args()
    if options.data is None:
        rows = [(track.genre, _judged_demo(track)) for track in demo.tracks(options.per_style)]
    else:
        try:
            rows = _judged_folder(options.data)
        except (CrnnError, OSError, KeyError, ValueError) as err:
            parser.error(f"{options.data}: {err}")
    by_style: dict[str, list[Found]] = {}
    for style, one in rows:
        by_style.setdefault(style, []).append(one)
    by_style["all"] = [found for of_style in by_style.values() for found in of_style]
    columns = ("tempo_told", "tempo_first", "tempo_either", "key_told", "key_first", "key_either")
    print(f"{'':<14}" + "".join(f"{name:>14}" for name in columns))
    figures = {}
    for style, found in by_style.items():
        values = [
            *_shares([each.tempo for each in found if each.is_tempo_known]),
            *_shares([each.key for each in found if each.is_key_known]),
        ]
        figures[style] = dict(zip(columns, values, strict=True))
        print(f"{style:<14}" + "".join(f"{value:>14.2f}" for value in values))
    print(json.dumps(figures))
    return 0


def _judged_demo(track: Track) -> Found:
    song, samples = demo.song_of(track), demo.render(track, tempo_and_key.RATE)
    mode = "minor" if _MINOR_THIRD in song.scale else "major"
    return judged(samples, 60 / song.beat_seconds, (song.root % 12, mode))


def _judged_folder(folder: Path) -> list[tuple[str, Found]]:
    """Of each row of the table: the folder of its file, and what was found."""
    with (folder / "tempo_and_key.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        samples = load_clip(folder / row["file"], tempo_and_key.RATE).samples
        bpm, key = row["bpm"].strip(), row["key"].strip()
        known = judged(samples, float(bpm) if bpm else None, key_of(key) if key else None)
        found.append((Path(row["file"]).parent.name or folder.name, known))
    if not found:
        raise ValueError("tempo_and_key.csv has no row")
    return found


def key_of(words: str) -> tuple[int, str]:
    """Pitch class and mode of “A minor”, “B♭ major” or “F# minor”.

    Raises:
        ValueError: It is neither major nor minor, or of no note.
    """
    tonic, _, mode = words.replace("♭", "b").replace("♯", "#").partition(" ")
    naturals = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    if tonic[:1] not in naturals or tonic[1:] not in {"", "b", "#"} or mode not in {"major", "minor"}:
        raise ValueError(f"{words!r} is no key such as “A minor” or “Bb major”")
    return (naturals[tonic[0]] + {"": 0, "b": -1, "#": 1}[tonic[1:]]) % 12, mode


def judged(samples: npt.NDArray[np.float32], bpm: float | None, key: tuple[int, str] | None) -> Found:
    """What is told of a sound, against what is known.

    Args:
        samples: Mono, at `tempo_and_key.RATE`.
        bpm: Its tempo; None where it is not known.
        key: Pitch class and mode; None where they are not known.
    """
    tempo = tempo_and_key.tempo(samples, tempo_and_key.RATE) if bpm is not None else None
    keys = tempo_and_key.keys(samples, tempo_and_key.RATE) if key is not None else ()
    told = [each for each in ((tempo.bpm, tempo.other_bpm) if tempo else ()) if each is not None]
    is_right = [bpm is not None and abs(each / bpm - 1) < _TOLERANCE for each in told]
    is_key = [key_of(name) == key for name in keys]
    return Found(
        (is_right[0], any(is_right)) if is_right else None,
        (is_key[0], any(is_key)) if is_key else None,
        bpm is not None,
        key is not None,
    )


def _shares(found: list[tuple[bool, bool] | None]) -> tuple[float, float, float]:
    """Of how many something is told; of these the share whose first reading is right, and whose either is."""
    told = [each for each in found if each is not None]
    n = max(1, len(told))
    return len(told) / max(1, len(found)), sum(first for first, _ in told) / n, sum(either for _, either in told) / n


if __name__ == "__main__":
    sys.exit(main())
