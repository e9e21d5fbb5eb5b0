"""The bundled model `ten-genres`, from what training gave to the bundle.

    python -m recipes.ear --ear EAR --data DATA --out models/ten-genres

EAR holds `model.keras` (the network's weights), `heads.json` (calibration, tags, rules for music and for other
genres) and `heads.npz` (the genre head, and the companion's with its weight). The companion is the network of
`gtzan-crnn` under that head. DATA is as for tests. What is made is checked as every bundle is: ONNX against Keras
on music, the JSON field by field.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn import paths
from crnn.bundles.bundle import CARD_NAME, ONNX_NAME, Bundle, Calibration, save_bundle
from crnn.bundles.companion import COMPANION_NAME, Companion
from crnn.bundles.library import find_bundle
from crnn.bundles.model_card import model_card
from crnn.bundles.tagging import MusicRule, OtherRule, Tag, Tagging
from crnn.config import FeatureConfig, ModelConfig, tagger_features
from crnn.data.feature_cache import log_mel_of_file
from crnn.data.labelled import NO_TRACKS, LabelledTracks, TrainingData
from crnn.jobs.order import TrainingSettings
from crnn.networks.crnn import build_crnn
from crnn.networks.new_head import onnx_with_head
from crnn.networks.tagger_crnn import N_CLASSES, TAG_WORDS, copy_tag_words
from crnn.training import publish
from crnn.training.trainer import TrainResult

# Names that the layers had while they were trained.
RENAMED = {"bidirectional": "recurrent", "gru_mean": "recurrent_mean", "gru_max": "recurrent_max"}
NETWORK = ModelConfig(front_end="tagger", gru_units=64, embedding_size=522, dropout=0.3)
# Ten of fifteen seconds, as its head was judged; the end where half of that is left.
_SECOND_HEARS = {"segment_seconds": 10.0, "segment_hop_seconds": 7.5, "tail_seconds": 7.5}
# How the body came about: docs/model.md.
_BODY: dict[str, Any] = {
    "data": "sound without labels, as docs/model.md lists it",
    "by": "research scripts, not in the repository",
}
LEGS: tuple[dict[str, Any], ...] = (
    {
        "what": "body distilled, from EfficientAT's mn04_as and gtzan-crnn's answers",
        "steps": 1400,
        "of a cosine over": 2200,
        "learning rate": 6e-4,
        "seed": 0,
        "start's SHA-256": "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    }
    | _BODY,
    {"what": "body distilled further", "steps": 750, "learning rate": 4e-4, "seed": 1} | _BODY,
    {
        "what": "heads and rules fitted, to this network and to gtzan-crnn's",
        "data": "GTZAN with sound, cuts and archive, and 77 clips from elsewhere",
        "by": "recipes.ear_heads",
    },
)
_DATA = {
    "name": "GTZAN, and clips from elsewhere",
    "n_tracks": 639 + 77,
    "GTZAN": "283 tracks as sound, 356 more from the archive, 323 cuts; train and validation parts",
    "elsewhere": "77 clips of the ten genres and 58 of others",
}
NOTES = (Path(__file__).with_name("ear.md")).read_text(encoding="utf-8")


def main() -> int:
    """Make the bundle and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ear", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=paths.data_dir())
    parser.add_argument("--out", type=Path, default=paths.models_dir() / "ten-genres")
    parser.add_argument("--companion", default="gtzan-crnn", metavar="NAME|DIR")
    parser.add_argument("--replace", action="store_true")
    options = parser.parse_args()
    bundle = _make(options.ear, options.data, options.out, find_bundle(options.companion), replace=options.replace)
    size = sum(bundle.file(name).stat().st_size for name in bundle.files)
    print(f"{bundle.path}: {size / 1e6:.2f} MB")
    return 0


def _make(ear: Path, data: Path, out: Path, companion: Bundle, *, replace: bool) -> Bundle:
    """The bundle, of the files in `ear`."""
    heads = json.loads((ear / "heads.json").read_text(encoding="utf-8"))
    features, genres = features_of(heads), tuple(heads["genres"])
    with np.load(ear / "heads.npz", allow_pickle=False) as stored:
        fitted = dict(stored)
    network = _network_of(ear / "model.keras", len(genres), features.n_mels)
    network.get_layer("logits").set_weights([_halved(fitted["genre_kernel"]), _halved(fitted["genre_bias"])])
    tracks = _tracks(data, genres, features)
    alone = publish.publish(
        TrainResult(network, [], 0, stopped=False),
        out,
        TrainingData(genres, tracks, NO_TRACKS),
        TrainingSettings(features=features, model=NETWORK),
        publish.Provenance(_DATA, {}, NOTES, LEGS),
        calibration=Calibration(**heads["calibration"]),
        tagging=tagging_of(heads),
        further_scores=heads.get("scores", {}),
        replace=replace,
    )
    return _with_companion(alone, companion, fitted)


def _with_companion(alone: Bundle, companion: Bundle, fitted: dict[str, npt.NDArray[np.float32]]) -> Bundle:
    """The bundle with a second network that has a say in the genre: that of `companion` under its own head."""
    if alone.path is None:
        raise ValueError("the bundle is not on disk")
    source = alone.path
    content = onnx_with_head(
        companion.file(ONNX_NAME).read_bytes(), _halved(fitted["old_kernel"]), _halved(fitted["old_bias"])
    )
    heard = FeatureConfig.from_dict(companion.feature_config.to_dict() | _SECOND_HEARS)
    second = Companion(heard, float(fitted["weight"]), stride=2)
    facts = dataclasses.replace(alone, companion=second, path=None)

    def write_files(draft: Path) -> None:
        for name in alone.files:
            shutil.copyfile(source / name, draft / name)
        (draft / COMPANION_NAME).write_bytes(content)
        (draft / CARD_NAME).write_text(model_card(facts), encoding="utf-8")

    return save_bundle(facts, source, write_files, replace=True)


def _halved(weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return np.asarray(weights, np.float16).astype(np.float32)


def features_of(heads: dict[str, Any]) -> FeatureConfig:
    """The front end that the heads were fitted with."""
    features = tagger_features(level=heads["front_end"]["level"])
    stated = (heads["segment_frames"], heads["segment_hop_frames"], heads["least_new_frames"], heads["short"])
    if stated != (features.n_frames, features.n_hop_frames, features.n_tail_frames, "repeat"):
        raise ValueError(f"segments of {stated}")
    return FeatureConfig.from_dict(features.to_dict() | {"is_tiled": True})


def _network_of(path: Path, n_genres: int, n_mels: int) -> keras.Model:
    """The network with trained weights, rounded to half precision: half as large, and the same answers."""
    trained = keras.saving.load_model(path, compile=False)
    network = build_crnn(NETWORK, n_mels, n_genres)
    for layer in network.layers:
        # The head for genres was fitted apart from the body.
        if layer.weights and layer.name not in {TAG_WORDS, "logits"}:
            weights = trained.get_layer(RENAMED.get(layer.name, layer.name)).get_weights()
            layer.set_weights([_halved(w) for w in weights])
    copy_tag_words(network)
    return network


def tagging_of(heads: dict[str, Any]) -> Tagging:
    """Tags and rules as the bundle holds them."""
    tags = tuple(
        Tag(
            name=tag["name"],
            kind=tag["kind"],
            classes=tuple(tag["classes"]),
            against=tuple(tag.get("against", ())),
            slope=tag["calibration"][0],
            intercept=tag["calibration"][1],
            threshold=tag["threshold"],
            auc=tag["auc"],
            auc_interval=tuple(tag["auc_interval"]),
        )
        for tag in heads["tags"]
    )
    music = heads["music"]
    rule = MusicRule(
        tuple(tuple(group) for group in music["groups"]), tuple(music["weights"]), music["bias"], music["threshold"]
    )
    return Tagging(N_CLASSES, tags, rule, _other(heads["other"]))


def _other(heads: dict[str, Any]) -> OtherRule:
    """The regression with the scales of its inputs folded into its weights."""
    weights = np.array(heads["weights"])
    scale, mean = np.array(heads["embedding_scale"]), np.array(heads["embedding_mean"])
    n_classes = len(heads["tag_classes"])
    of_embedding = weights[: len(scale)] * scale
    of_tags = weights[len(scale) : len(scale) + n_classes] * heads["tag_scale"]
    folded = np.concatenate([of_embedding, of_tags, weights[len(scale) + n_classes :]])
    bias = float(heads["bias"] - of_embedding @ mean)
    classes = tuple(heads["tag_classes"])
    return OtherRule(("embedding", "tags", "certainty"), classes, tuple(folded.tolist()), bias, heads["threshold"])


def _tracks(data: Path, genres: tuple[str, ...], features: FeatureConfig) -> LabelledTracks:
    """GTZAN's train and validation tracks with sound, for the map of what was learnt from."""
    folder = data / "gtzan-audio"
    with (folder / "tracks.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["file"])
    cells = tuple(log_mel_of_file(folder / row["file"], features) for row in rows)
    labels = np.array([genres.index(row["genre"]) for row in rows], dtype=np.int64)
    return LabelledTracks(tuple(Path(row["file"]).stem for row in rows), cells, labels)


if __name__ == "__main__":
    sys.exit(main())
