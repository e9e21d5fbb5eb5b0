"""Other projects' test files: is every one answered or refused in a sentence, and heard as long as ffmpeg hears it?

    python -m bench.foreign FOLDER [FOLDER ...]

Takes what a folder holds by the project's own rule, and binary files of other endings in which ffmpeg finds sound.
Each goes the way of an upload (decode in a worker, made mono); its length is compared with that of all samples
that the command `ffmpeg` decodes of the same track. Prints a line for each file that is refused, or that differs
by over 0.1 s, then counts as JSON, a row a folder. The exit status is 1 if an error has no name, or a decoder failed.

Source packages carry such files, and so do source distributions on PyPI:

    apt-get source --download-only taglib quodlibet flac    (a deb-src line is needed)
    pip download --no-binary mutagen,beets --no-deps mutagen beets
"""

from __future__ import annotations

import argparse
import collections
import json
import shutil
import subprocess
import sys
from pathlib import Path

from crnn.audio.clip import AudioStream
from crnn.audio.folders import contents
from crnn.errors import AudioError, DecoderFailedError
from crnn.limits import MIN_CLIP_SECONDS

RATE = 22_050
_TOLERANCE_SECONDS = 0.1


def main() -> int:
    """Try all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if not shutil.which("ffmpeg"):
        print("needs ffmpeg", file=sys.stderr)
        return 2
    is_bad = False
    for folder in options.folders:
        counts: collections.Counter[str] = collections.Counter()
        for path in _sound_files(folder):
            outcome, told = tried(path)
            counts[outcome] += 1
            is_bad |= outcome in {"failed", "no name"}
            if told:
                print(f"{folder.name}/{path.relative_to(folder)}: {told}", flush=True)
        print(json.dumps({"folder": folder.name, "files": counts.total(), **dict(sorted(counts.items()))}), flush=True)
    return int(is_bad)


def _sound_files(folder: Path) -> list[Path]:
    found = contents(folder)
    others = [path for path in found.others if _is_binary(path) and ffmpeg_seconds(path)]
    return [path for path in sorted((*found.audio, *others)) if path.is_file()]


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(4096)


def tried(path: Path) -> tuple[str, str]:
    """What became of a file, in a word, and what there is to be told of it."""
    theirs = ffmpeg_seconds(path)
    try:
        with AudioStream(path, RATE) as stream:
            for _ in stream:
                pass
            ours, notes = stream.duration_seconds, stream.notes
    except AudioError as err:
        refused = "refused" if theirs else "refused, as by ffmpeg"
        outcome = "failed" if isinstance(err, DecoderFailedError) else refused
        return outcome, f"{type(err).__name__}: {err} (ffmpeg: {theirs:.2f} s)"
    except Exception as err:  # noqa: BLE001 - an error without a name of ours is what this looks for
        return "no name", repr(err)
    if abs(ours - theirs) > _TOLERANCE_SECONDS:
        return "other length", f"{ours:.2f} s, ffmpeg {theirs:.2f} s; {' '.join(notes)}"
    return "heard" if ours >= MIN_CLIP_SECONDS else "heard, too short for an answer", ""


def ffmpeg_seconds(path: Path) -> float:
    """Seconds of sound that ffmpeg decodes of a file's track; 0 if none."""
    command = ["ffmpeg", "-v", "quiet", "-nostdin", "-i", f"file:{path}", "-map", "0:a:0", "-ac", "1"]
    command += ["-ar", str(RATE), "-f", "s16le", "-"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return 0.0
    return len(done.stdout) / 2 / RATE


if __name__ == "__main__":
    sys.exit(main())
