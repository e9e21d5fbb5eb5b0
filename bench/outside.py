"""What the answers come to on any labelled music: the table of docs/scores.md and docs/model.md.

    python -m bench.outside [DATASET…] [--model NAME|DIR] [--json FILE]

DATASET is what `evaluate` takes: a folder of genres, a log-mel archive that the model reads. Without one it is the
`outside` half of emotify's Magnatune tracks in GENRESCOPE_DATA, of whose artists nothing was learnt in any way;
pop and rock overlap much there. Prints a table with a column for each data set, 95 % intervals in brackets,
then the commonest confusions.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crnn import paths
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.cli.evaluate import answer_all, score
from crnn.data.scan import scan
from crnn.data.splits import select_part
from crnn.evaluation.verdicts import Answered, summarize
from crnn.inference.classifier import Classifier
from crnn.inference.verdict import Verdict

Figures = dict[str, Any]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", metavar="DATASET")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    outside = paths.data_dir() / "emotify-audio"
    if not options.datasets and not outside.is_dir():
        print("name a data set, or set GENRESCOPE_DATA to a folder with emotify-audio", file=sys.stderr)
        return 2
    classifier = Classifier(find_bundle(options.model))
    found = {}
    for name in options.datasets or [str(outside)]:
        dataset = scan(name)
        tracks = dataset.tracks if options.datasets else select_part(dataset.tracks, "outside")
        answers, faults = answer_all(classifier, dataset, tracks)
        for fault in faults:
            print(fault, file=sys.stderr)
        found[Path(name).stem] = _figures(answers, classifier.bundle.genres)
    _print_table(found)
    for name, figures in found.items():
        print(f"\n{name}: " + ", ".join(f"{truth} called {best} {n}" for truth, best, n in figures["confusions"]))
    if options.json is not None:
        options.json.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return 0


def _figures(answers: list[Answered], genres: tuple[str, ...]) -> Figures:
    known = [answer for answer in answers if answer.truth in genres]
    scores = score(known, genres)
    wrong = collections.Counter(
        (answer.truth, best)
        for answer in known
        if answer.prediction is not None and (best := answer.prediction.ranked()[0][0]) != answer.truth
    )
    return {
        "n": len(known),
        "accuracy": scores.accuracy,
        "interval": list(scores.accuracy_interval),
        "calibration_error": scores.expected_calibration_error,
        **summarize(answers, genres),
        "confusions": [(truth, best, n) for (truth, best), n in wrong.most_common(8)],
    }


def _print_table(found: dict[str, Figures]) -> None:
    print("| | " + " | ".join(found) + " |")
    print("|---" * (len(found) + 1) + "|")
    for title, cell in _ROWS.items():
        print(f"| {title} | " + " | ".join(cell(figures) for figures in found.values()) + " |")


def _between(share: float | None, interval: list[float]) -> str:
    return "–" if share is None else f"{share:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _unknown(figures: Figures, name: str) -> str:
    of_unknown = figures.get("unknown_genres")
    return _between(of_unknown[name], of_unknown[f"{name}_interval"]) if of_unknown else "–"


_ROWS: dict[str, Callable[[Figures], str]] = {
    "tracks of the model's genres": lambda f: str(f["n"]),
    "top genre right": lambda f: _between(f["accuracy"], f["interval"]),
    "answered": lambda f: f"{f['answered']:.3f}",
    "answers that are right": lambda f: _between(f["answered_accuracy"], f["answered_interval"]),
    "the 90 % set holds the truth": lambda f: _between(f["set_coverage"], f["set_coverage_interval"]),
    "genres in the set": lambda f: f"{f['set_size']:.2f}",
    "expected calibration error": lambda f: f"{f['calibration_error']:.3f}",
    "told to be of another genre": lambda f: f"{f['verdicts'].get(Verdict.OTHER, 0):.3f}",
    "refused as no music": lambda f: f"{f['verdicts'].get(Verdict.NOT_MUSIC, 0):.3f}",
    "tracks of other genres": lambda f: str(f.get("unknown_genres", {}).get("n_tracks", 0)),
    "of these named": lambda f: _unknown(f, "named"),
    "named with 0.9 or more": lambda f: _unknown(f, "named_surely"),
}


if __name__ == "__main__":
    sys.exit(main())
