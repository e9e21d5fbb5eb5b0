"""Does a file that is odd in its form get the answer of the plain sound? By how far the posteriors lie apart.

    python -m bench.field [--cases FOLDER] [--model NAME|DIR]

The folder holds plain sounds, `00-control-NAME.flac`, and the same sounds with something about their form that
programs stumble over. For each the length, the verdict, and half the sum of the differences of its posterior to
that of the control that is nearest (total variation; at most 0.1 where the sound is all the same). Where two sounds
were joined, or most of a file is hiss, no control is the whole of it: the files' own README says what is right.
Without --cases: `field-cases` in GENRESCOPE_DATA.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from crnn import paths
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.errors import AudioError
from crnn.inference.classifier import Classifier, Prediction


def main() -> int:
    """Print a table, then JSON; the exit status is 1 if a file gets no answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, default=paths.data_dir() / "field-cases")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args()
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
        name, distance = nearest(said, controls)
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


def nearest(said: Prediction, controls: dict[str, Prediction]) -> tuple[str, float]:
    """The control whose posterior is nearest, and its distance: half the sum of the differences."""
    distances = {name: float(np.abs(said.posterior - plain.posterior).sum()) / 2 for name, plain in controls.items()}
    name = min(distances, key=distances.__getitem__)
    return name, distances[name]


if __name__ == "__main__":
    sys.exit(main())
