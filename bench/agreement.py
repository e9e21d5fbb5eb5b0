"""Is a track the same track from its sound and from the log-mel archive? Valid tracks of GTZAN, paired.

    python -m bench.agreement [--model NAME|DIR]

Each track whose audio is at hand is answered from the audio, as `classify` does, and from the archive, as
`evaluate` does. Prints how many get the same top genre, also among those that get an answer (not "can't tell")
either way, how many are right either way, and the median total variation between the two posteriors, then JSON.
Needs GENRESCOPE_DATA with gtzan-audio and gtzan-logmel.npz.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from bench.measuring import ARCHIVE_MODEL, archive_for, labelled
from crnn import paths
from crnn.audio.clip import load_clip
from crnn.bundles.library import find_bundle
from crnn.data.labelled import plain_segments
from crnn.evaluation.metrics import track_posteriors
from crnn.inference.classifier import Classifier


def main() -> int:
    """Print the figures, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ARCHIVE_MODEL)
    classifier = Classifier(find_bundle(parser.parse_args().model))
    folder = paths.data_dir() / "gtzan-audio"
    if not folder.is_dir():
        print("needs gtzan-audio in GENRESCOPE_DATA", file=sys.stderr)
        return 2
    archive = archive_for(classifier.bundle)
    log_mels = dict(zip(archive.track_ids, archive.log_mel, strict=True))
    genres, config = classifier.bundle.genres, classifier.config
    tracks = labelled(folder, "valid")
    heard, stored, truth = [], [], []
    for path, genre in tracks:
        answer = classifier.classify(load_clip(path, config.sample_rate))
        heard.append([dict(answer.ranked())[name] for name in genres])
        logits, _ = classifier.run(plain_segments(log_mels[path.stem], config))
        stored.append(track_posteriors([logits], classifier.bundle.calibration.temperature)[0])
        truth.append(genres.index(genre))
    audio, mel = np.array(heard), np.array(stored)
    same = audio.argmax(axis=1) == mel.argmax(axis=1)
    answered = np.minimum(audio.max(axis=1), mel.max(axis=1)) >= classifier.bundle.calibration.unsure_below
    found = {
        "n": len(tracks),
        "same_genre": int(same.sum()),
        "answered": int(answered.sum()),
        "same_genre_of_answered": int(same[answered].sum()),
        "right_from_audio": int((audio.argmax(axis=1) == truth).sum()),
        "right_from_archive": int((mel.argmax(axis=1) == truth).sum()),
        "median_total_variation": float(np.median(0.5 * np.abs(audio - mel).sum(axis=1))),
    }
    print(
        f"{found['same_genre']} of {found['n']} tracks get the same genre, of those answered either way "
        f"{found['same_genre_of_answered']} of {found['answered']}; right from audio "
        f"{found['right_from_audio']}, from the archive {found['right_from_archive']}; "
        f"median total variation {found['median_total_variation']:.3f}"
    )
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
