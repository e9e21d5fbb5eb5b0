"""The bundled model on music from elsewhere: the `outside` half of emotify's Magnatune tracks.

    python -m bench.outside [--model NAME|DIR]

Classical, pop and rock carry GTZAN's names; electronic has no counterpart there and is left
out. Nothing of these tracks, nor of their artists, was learnt in any way. Pop and rock overlap
much in this collection. Prints right answers per genre with 95 % intervals, what was answered
at all, the confusions, then JSON. Needs GENRESCOPE_DATA with emotify-audio.
"""

from __future__ import annotations

import argparse
import collections
import csv
import json
import sys

from crnn import paths
from crnn.audio import load_clip
from crnn.commands.common import DEFAULT_MODEL, find_bundle
from crnn.evaluation import wilson_interval
from crnn.inference import Classifier

GENRES = ("classical", "pop", "rock")


def main() -> int:
    """Print the table, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    classifier = Classifier(find_bundle(parser.parse_args().model))
    folder = paths.data_dir() / "emotify-audio"
    if not folder.is_dir():
        print("needs emotify-audio in GENRESCOPE_DATA", file=sys.stderr)
        return 2
    with (folder / "tracks.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "outside" and row["genre"] in GENRES]
    found = []
    for row in rows:
        answer = classifier.classify(load_clip(folder / row["file"], classifier.bundle.feature_config.sample_rate))
        found.append(
            (row["genre"], answer.ranked()[0][0], answer.verdict == "genre", row["genre"] in answer.prediction_set)
        )
    table: dict[str, object] = {}
    for name in (*GENRES, "all"):
        of_name = [item for item in found if name in {item[0], "all"}]
        right = [truth == best for truth, best, _, _ in of_name]
        answered = [truth == best for truth, best, is_answer, _ in of_name if is_answer]
        low, high = wilson_interval(sum(right), len(right))
        table[name] = {
            "accuracy": sum(right) / len(right),
            "interval": [low, high],
            "n": len(right),
            "answered": len(answered) / len(right),
            "answered_accuracy": sum(answered) / len(answered) if answered else None,
            "in_set": sum(item[3] for item in of_name) / len(right),
        }
        print(
            f"{name:<10} right {sum(right)} of {len(right)}: {sum(right) / len(right):.3f} ({low:.3f} to {high:.3f}); "
            f"answered {len(answered)}, of these right {sum(answered)}"
        )
    confused = collections.Counter((truth, best) for truth, best, _, _ in found if truth != best)
    for (truth, best), count in confused.most_common(8):
        print(f"{truth} called {best}: {count}")
    print(json.dumps(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
