"""Does a file that is odd in its form get the answer of the plain sound? By how far the posteriors lie apart.

    python -m bench.field [--cases FOLDER] [--model NAME|DIR]
    python -m bench.field --coded FILE ... [--seconds 6]

The folder holds plain sounds, `00-control-NAME.flac`, and the same sounds with something about their form that
programs stumble over. For each the length, the verdict, and half the sum of the differences of its posterior to
that of the control that is nearest (total variation; at most 0.1 where the sound is all the same). Where two sounds
were joined, or most of a file is hiss, no control is the whole of it: the files' own README says what is right.
Without --cases: `field-cases` in GENRESCOPE_DATA.

With --coded: of the first seconds of each file, as lossy files that ffmpeg makes (an mp3 behind 5000 zeros too), the
share that has the top genre of the plain wav, and how far the posteriors and the lengths lie apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crnn import paths
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.errors import AudioError
from crnn.inference.classifier import Classifier, Prediction

# A name, an ending, ffmpeg's options, and how many zeros stand before the file.
CODINGS = (
    ("AAC 64k, m4a", ".m4a", ("-b:a", "64k"), 0),
    ("AAC 128k, m4a", ".m4a", ("-b:a", "128k"), 0),
    ("mp3 128k", ".mp3", ("-b:a", "128k"), 0),
    ("mp3 128k behind zeros", ".mp3", ("-b:a", "128k"), 5000),
    ("Opus 64k, mp4", ".mp4", ("-c:a", "libopus", "-b:a", "64k", "-strict", "-2"), 0),
    ("Opus 48k, ogg", ".opus", ("-c:a", "libopus", "-b:a", "48k"), 0),
    ("Vorbis q2, ogg", ".ogg", ("-c:a", "libvorbis", "-q:a", "2"), 0),
)


def main() -> int:
    """Print a table, then JSON; the exit status is 1 if a file gets no answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, default=paths.data_dir() / "field-cases")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--coded", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    if options.coded:
        return _coded(Classifier(find_bundle(options.model)), options.coded, options.seconds)
    files = sorted(path for path in options.cases.glob("[0-9]*") if path.is_file())
    if not files:
        print(f"{options.cases} holds no cases", file=sys.stderr)
        return 2
    classifier = Classifier(find_bundle(options.model))
    controls: dict[str, Prediction] = {}
    rows = []
    for path in files:
        try:
            said = classifier.classify_file(path)
        except AudioError as err:
            rows.append({"file": path.name, "error": str(err)})
            print(f"{path.name:<36} {err}", flush=True)
            continue
        if "-control-" in path.name:
            controls[path.stem.rsplit("-", 1)[1]] = said
        name, distance = _nearest(said, controls)
        rows.append(
            {
                "file": path.name,
                "seconds": said.duration_seconds,
                "verdict": said.verdict,
                "control": name,
                "total_variation": distance,
                "notes": said.notes,
            }
        )
        print(
            f"{path.name:<36} {said.duration_seconds:5.1f} s  {said.verdict:<10} {distance:.3f} from {name}", flush=True
        )
    print(json.dumps({"model": classifier.bundle.name, "rows": rows}))
    return int(any("error" in row for row in rows))


def _coded(classifier: Classifier, paths: list[Path], seconds: float) -> int:
    """Print a row for each coding; the exit status is 2 where there is no ffmpeg."""
    if not shutil.which("ffmpeg"):
        print("needs ffmpeg", file=sys.stderr)
        return 2
    rows: dict[str, list[tuple[bool, float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.wav"
        for path in paths:
            _encode(path, plain, ("-t", str(seconds), "-ac", "1", "-ar", "44100"))
            control = classifier.classify_file(plain)
            for name, suffix, options, before in CODINGS:
                lossy = plain.with_suffix(suffix)
                _encode(plain, lossy, options)
                said = classifier.classify_file(bytes(before) + lossy.read_bytes())
                apart = float(np.abs(said.posterior - control.posterior).sum()) / 2
                is_same = bool(said.posterior.argmax() == control.posterior.argmax())
                longer = said.duration_seconds - control.duration_seconds
                rows.setdefault(name, []).append((is_same, apart, longer))
    rows["all"] = [one for found in rows.values() for one in found]
    for name, found in rows.items():
        same, far, late = (np.array(values, dtype=float) for values in zip(*found, strict=True))
        print(
            f"{name:<24} {int(same.sum()):4} of {len(found):4} the same top genre, total variation {far.mean():.4f} "
            f"(at most {far.max():.3f}), {1000 * late.mean():.1f} ms longer"
        )
    return 0


def _encode(source: Path, out: Path, options: Sequence[str]) -> None:
    """Write a file with ffmpeg."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), *options, str(out)]
    subprocess.run(command, check=True, timeout=120)


def _nearest(said: Prediction, controls: dict[str, Prediction]) -> tuple[str, float]:
    """The control whose posterior is nearest, and its distance: half the sum of the differences."""
    distances = {name: float(np.abs(said.posterior - plain.posterior).sum()) / 2 for name, plain in controls.items()}
    name = min(distances, key=distances.__getitem__)
    return name, distances[name]


if __name__ == "__main__":
    sys.exit(main())
