"""Whether copies of recordings are found, and other recordings are not taken for copies.

    python -m bench.near_copies --copies 60

Some recordings of a data set are encoded anew (mp3 at 64 and 32 kbit/s, Opus, AAC), cut at a random place at another
level, or both, and put among all of them. Prints how each kind was found, its lowest correlation, and the pairs of
originals that correlate most: what stands above the threshold there is a copy, or a false alarm. Needs ffmpeg.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from crnn import paths
from crnn.config import FeatureConfig
from crnn.data import near_duplicates
from crnn.data.collection import gather, log_mels
from crnn.data.feature_cache import CACHE_FOLDER, log_mel_of_file
from crnn.data.tracks import Track

# Name, whether it is cut, ending, and ffmpeg's options.
KINDS = (
    ("mp3, 64 kbit/s", False, "mp3", ["-b:a", "64k"]),
    ("mp3, 32 kbit/s mono", False, "mp3", ["-ac", "1", "-b:a", "32k"]),
    ("Opus, 48 kbit/s", False, "opus", ["-b:a", "48k"]),
    ("AAC, 96 kbit/s", False, "m4a", ["-b:a", "96k"]),
    ("cut, 7 dB softer", True, "wav", ["-af", "volume=-7dB"]),
    ("cut, mp3 96 kbit/s", True, "mp3", ["-b:a", "96k"]),
)
DATA = ("gtzan-audio", "emotify-audio")
_LEFT_SECONDS = 8.0


def main() -> None:
    """Print a line a kind, then the other pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=[str(paths.data_dir() / name) for name in DATA])
    parser.add_argument("--copies", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    config = FeatureConfig()
    collection = gather(options.data)
    found, _ = log_mels(collection, collection.tracks, config, folder=paths.home_dir() / CACHE_FOLDER)
    known = [(t, m) for t, m in zip(collection.tracks, found, strict=True) if m is not None and t.path is not None]
    rng = random.Random(options.seed)
    chosen = [rng.randrange(len(known)) for _ in range(options.copies)]
    with tempfile.TemporaryDirectory() as folder:
        copies = [
            _copy_of(
                known[i][0], KINDS[n % len(KINDS)], Path(folder) / str(n), len(known[i][1]) / config.frame_rate_hz, rng
            )
            for n, i in enumerate(chosen)
        ]
        mels = [m for _, m in known] + [log_mel_of_file(path, config) for path in copies]
    near_duplicates.SAME_ABOVE, threshold = -1.0, near_duplicates.SAME_ABOVE
    started = time.monotonic()
    pairs = near_duplicates.find_near_copies(mels, config.frame_rate_hz)
    print(f"{len(mels)} tracks compared in {time.monotonic() - started:.1f} s")
    _tell(pairs, chosen, [t for t, _ in known], threshold)


def _copy_of(
    track: Track, kind: tuple[str, bool, str, list[str]], stem: Path, seconds: float, rng: random.Random
) -> Path:
    """A file that holds the recording of `track` in another form."""
    _, is_cut, ending, how = kind
    start = rng.uniform(0.5, max(0.6, seconds - _LEFT_SECONDS)) if is_cut else 0.0
    path = stem.with_suffix(f".{ending}")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-ss", f"{start:.4f}", "-i", str(track.path), *how, str(path)]
    subprocess.run(command, check=True)
    return path


def _tell(pairs: list[near_duplicates.NearCopy], chosen: list[int], tracks: list[Track], threshold: float) -> None:
    """Print how each kind was found, and what else is alike."""
    by_kind: dict[str, list[float]] = defaultdict(list)
    others = []
    for pair in pairs:
        number = pair.second - len(tracks)
        if pair.first >= len(tracks):
            continue
        if number >= 0 and chosen[number] == pair.first:
            by_kind[KINDS[number % len(KINDS)][0]].append(pair.correlation)
        elif number < 0:
            others.append(pair)
    for number, (name, *_) in enumerate(KINDS):
        n = len(chosen[number :: len(KINDS)])
        n_found = sum(value >= threshold for value in by_kind[name])
        print(f"{name:<20} {n_found} of {n} found, correlation from {min(by_kind[name], default=0):.3f}")
    print(f"pairs of originals that correlate most (threshold {threshold:g}):")
    for pair in sorted(others, key=lambda p: -p.correlation)[:12]:
        print(f"  {pair.correlation:.3f}  {words(tracks[pair.first])} / {words(tracks[pair.second])}")


def words(track: Track) -> str:
    """A track's id, and who plays what if known."""
    return ", ".join(filter(None, (track.track_id, track.artist, track.title)))


if __name__ == "__main__":
    main()
