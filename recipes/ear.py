"""Make the bundled model `ten-genres` again, from data to bundle.

    python -m recipes.ear --data DATA --debian DEBIAN --work WORK --out models/ten-genres

DATA is as for tests, with the tagger's weights in `teachers/mn04`; DEBIAN has the unpacked packages that
`recipes.ear_sounds` names. Inputs with another SHA-256 than `recipes/ear_named.json` has are refused, or told of in the
bundle with `--any-inputs`. What the networks read is computed first, then the body learns (`recipes.ear_body`),
then heads and rules are fitted to what it and `gtzan-crnn` answer (`recipes.ear_heads`), and the bundle is made: its
second network is that of `gtzan-crnn` under a head of its own. Each step's result is kept in WORK, so that an
interrupted run goes on. The bundle is checked as every one is: ONNX against Keras on music, the JSON field by field.
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

from crnn import atomic, paths
from crnn.bundles.bundle import CARD_NAME, ONNX_NAME, Bundle, Calibration, load_bundle, save_bundle
from crnn.bundles.bundle_json import JSON_NAME
from crnn.bundles.companion import COMPANION_NAME, Companion
from crnn.bundles.library import find_bundle
from crnn.bundles.model_card import model_card
from crnn.bundles.tagging import MusicRule, OtherRule, Tag, Tagging
from crnn.config import FeatureConfig, tagger_features
from crnn.data.feature_cache import log_mel_of_file
from crnn.data.labelled import NO_TRACKS, LabelledTracks, TrainingData
from crnn.jobs.order import TrainingSettings
from crnn.networks.crnn import build_crnn
from crnn.networks.new_head import onnx_with_head
from crnn.networks.onnx_export import onnx_model
from crnn.networks.tagger_crnn import N_CLASSES, TAG_WORDS, copy_tag_words
from crnn.training import publish
from crnn.training.trainer import TrainResult
from recipes import ear_answers, ear_body, ear_heads, ear_inputs, ear_named, ear_rules
from recipes.ear_body import LEG, NETWORK
from recipes.ear_inputs import FIRST
from recipes.ear_outputs import GENRES
from recipes.teachers import efficientat

# Ten of fifteen seconds, as its head was judged; the end where half of that is left.
_SECOND_HEARS = {"segment_seconds": 10.0, "segment_hop_seconds": 7.5, "tail_seconds": 7.5}
_LEARNT = {
    "what": "body distilled, from EfficientAT's mn04_as and gtzan-crnn's answers",
    "data": "sound without labels, as recipes.ear_body lists it",
    "steps": LEG.steps,
    "learning rate": LEG.learning_rate,
    "seed": LEG.seed,
    "start's SHA-256": efficientat.SHA256,
}
_FITTED = {
    "what": "heads and rules fitted, to this network and to gtzan-crnn's",
    "data": "GTZAN with sound, cuts and archive, and 77 clips from elsewhere",
    "by": "recipes.ear_heads",
}
_BACK = {
    "what": "body brought part of the way back to the tagger's weights",
    "by": "recipes.ear_body.towards_tagger",
}
_BACK_HELP = "how far the body is brought back to the tagger's weights, 0 to 1 (default: %(default)g)"
_DATA = {
    "name": "GTZAN, and clips from elsewhere",
    "n_tracks": 639 + 77,
    "GTZAN": "283 tracks as sound, 356 more from the archive, 323 cuts; train and validation parts",
    "elsewhere": "77 clips of the ten genres and 58 of others",
}
BODY, _CLASSES = "body.keras", "class_labels_indices.csv"
NOTES = Path(__file__).with_name("ear.md").read_text(encoding="utf-8").removesuffix("\n")


def main() -> int:
    """Run the whole recipe and say how large the bundle is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=paths.data_dir())
    parser.add_argument("--debian", type=Path, required=True, help="a folder for each unpacked package")
    parser.add_argument("--work", type=Path, default=paths.home_dir() / "recipe-ear", help="intermediate results")
    parser.add_argument("--out", type=Path, default=paths.models_dir() / "ten-genres")
    parser.add_argument("--body", type=Path, help="a model.keras whose body is taken; without it one learns")
    parser.add_argument("--back", type=_share, default=0.0, metavar="SHARE", help=_BACK_HELP)
    parser.add_argument("--companion", default="gtzan-crnn", metavar="NAME|DIR")
    parser.add_argument("--any-inputs", action="store_true", help="go on where inputs are not those that are named")
    parser.add_argument("--replace", action="store_true")
    options = parser.parse_args()
    if options.body and not options.body.is_file():
        parser.error(f"{options.body} is no file")
    others = ear_named.others(options.data, options.debian)
    if others and not options.any_inputs:
        parser.error(f"missing, or not what recipes/ear_named.json names: {', '.join(others)} (--any-inputs goes on)")
    companion, teachers = find_bundle(options.companion), options.data / "teachers" / "mn04"
    ear_inputs.make_inputs(options.data, options.debian, options.work)
    tagger, body = teachers / efficientat.FILE_NAME, options.body or options.work / BODY
    if not body.is_file():
        _save(_learn_body(options.work, tagger, companion), body)
    legs = _taken(body) if options.body else (_LEARNT,)
    if options.back:
        body, legs = _brought_back(body, tagger, options), (*legs, _BACK | {"share": options.back})
    _fit(body, options.work, teachers, companion)
    inputs = f"other than named: {', '.join(others)}" if others else "as recipes/ear_named.json names them"
    bundle = _make(body, options, companion, (*legs, _FITTED | {"inputs": inputs}))
    size = sum(bundle.file(name).stat().st_size for name in bundle.files)
    print(f"{bundle.path}: {size / 1e6:.2f} MB")
    return 0


def _learn_body(work: Path, tagger: Path, companion: Bundle) -> keras.Model:
    keras.utils.set_random_seed(LEG.seed)
    body = ear_body.new_body(tagger)

    def report(step: int, losses: npt.NDArray[np.float32]) -> None:
        if step % 50 == 49:
            print(f"step {step + 1}: losses {np.round(losses, 3).tolist()}", file=sys.stderr, flush=True)

    ear_body.distil_body(body, work, companion, LEG, report)
    return body


def _save(body: keras.Model, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.draft_folder(path) as draft:
        body.save(draft / path.name)
        (draft / path.name).replace(path)


def _run(network: keras.Model) -> ear_body.Run:
    return ear_body.runner(onnx_model(network).SerializeToString())


def _fit(body: Path, work: Path, teachers: Path, companion: Bundle) -> None:
    """Heads and rules, for the network as it is shipped."""
    with (teachers / _CLASSES).open(encoding="utf-8", newline="") as file:
        names = [row["display_name"] for row in csv.DictReader(file)]
    heard = ear_answers.heard_by_first(_run(_network_of(body, len(GENRES), FIRST.n_mels)), work)
    tagger = _run(ear_body.new_body(teachers / efficientat.FILE_NAME))
    without_music = ear_answers.without_music(tagger, work, names)
    heard |= {name: heard[name].only(without_music) for name in (ear_rules.EFFECTS, ear_rules.BENT_EFFECTS)}
    ear_heads.fit_heads(heard, ear_answers.heard_by_second(companion, work), names, work)


def _taken(body: Path) -> tuple[dict[str, Any], ...]:
    """Legs of a body that is taken: those that a bundle around it tells, and which file it was."""
    taken = {"what": "body taken as it was", "SHA-256": atomic.sha256_of(body)}
    told = load_bundle(body.parent).training.get("legs", ()) if body.with_name(JSON_NAME).is_file() else ()
    return (*(leg for leg in told if leg["what"].startswith("body")), taken)


def _brought_back(body: Path, tagger: Path, options: argparse.Namespace) -> Path:
    """Where the body lies that was brought `options.back` of the way back to the tagger's weights."""
    network = keras.saving.load_model(body, compile=False)
    ear_body.towards_tagger(network, tagger, options.back)
    path: Path = options.work / f"back-{options.back:g}" / BODY
    _save(network, path)
    return path


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text}: 0 to 1 is accepted")
    return share


def _make(body: Path, options: argparse.Namespace, companion: Bundle, legs: tuple[dict[str, Any], ...]) -> Bundle:
    """The bundle, of the body and of the heads in `--work`."""
    ear, out = options.work, options.out
    heads = json.loads((ear / "heads.json").read_text(encoding="utf-8"))
    features, genres = features_of(heads), tuple(heads["genres"])
    with np.load(ear / "heads.npz", allow_pickle=False) as stored:
        fitted = dict(stored)
    network = _network_of(body, len(genres), features.n_mels)
    network.get_layer("logits").set_weights([_halved(fitted["genre_kernel"]), _halved(fitted["genre_bias"])])
    tracks = _tracks(options.data, genres, features)
    alone = publish.publish(
        TrainResult(network, [], 0, stopped=False),
        out,
        TrainingData(genres, tracks, NO_TRACKS),
        TrainingSettings(features=features, model=NETWORK),
        publish.Provenance(_DATA, {}, NOTES, legs),
        calibration=Calibration(**heads["calibration"]),
        tagging=tagging_of(heads),
        further_scores=heads.get("scores", {}),
        replace=options.replace,
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
            weights = trained.get_layer(layer.name).get_weights()
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
        tuple(tuple(group) for group in music["groups"]),
        tuple(music["weights"]),
        music["bias"],
        music["threshold"],
        music["hears_ending"],
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
