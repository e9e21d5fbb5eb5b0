"""`models` and `export`: what is on the shelf, and taking one of it elsewhere."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from crnn import paths
from crnn.bundle import KERAS_NAME, ONNX_NAME, Bundle, list_bundles
from crnn.commands.common import add_command, add_model_option, find_bundle
from crnn.errors import CrnnError


def add_commands(commands: Any) -> None:
    """Add `models` and `export`."""
    parser = add_command(commands, "models", "list the models on the shelf", "List the models on the shelf.")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.set_defaults(run=models)
    parser = add_command(
        commands,
        "export",
        "take a model elsewhere",
        "Write a model's network as a file for another runtime.\n"
        "Its input is the log-mel that the model card describes, its output logits. Written once it answers on music\n"
        "as the model here does.",
    )
    add_model_option(parser)
    parser.add_argument("--to", choices=("onnx", "keras", "tflite"), required=True, help="kind of file")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--compare-on", type=Path, nargs="+", default=[], metavar="SOUND", help="recordings to check it on, too"
    )
    parser.set_defaults(run=export)


def models(options: argparse.Namespace) -> int:
    """Print the shelf; 1 if a model on it is damaged."""
    bundles, faults = list_bundles(paths.models_dir())
    if options.format == "json":
        for bundle in bundles:
            print(json.dumps(_facts(bundle), ensure_ascii=False))
        for name, message in faults.items():
            print(json.dumps({"name": name, "error": message}, ensure_ascii=False))
    else:
        for bundle in bundles:
            print(
                f"{bundle.name:<24} {len(bundle.genres):>3} genres  {_accuracy_text(bundle):<24} {bundle.created[:10]}"
            )
        for name, message in faults.items():
            print(f"{name}: {message}", file=sys.stderr)
        if not bundles and not faults:
            print(f"No models in {paths.models_dir()}. Make one: python -m crnn train demo --out models/demo")
    return 1 if faults else 0


def export(options: argparse.Namespace) -> int:
    """Write the network as a file."""
    bundle = find_bundle(options.model)
    try:
        if options.to == "tflite":
            from crnn.tflite import write_tflite

            _say_parity(*write_tflite(bundle, options.out, options.compare_on))
        else:
            if bundle.is_trainable:
                from crnn.parity import check_keras

                _say_parity(*check_keras(bundle, options.compare_on))
            elif options.to == "onnx":
                print("Not compared with Keras: this model came without its Keras file.", file=sys.stderr)
            shutil.copyfile(bundle.file(ONNX_NAME if options.to == "onnx" else KERAS_NAME), options.out)
    except OSError as err:
        raise CrnnError(f"{options.out} cannot be written: {err.strerror or err}.") from err
    print(options.out)
    return 0


def _say_parity(difference: float, n_segments: int) -> None:
    said = f"The posteriors of {n_segments} segments of music differ from those that the app serves by {difference:.0e}"
    print(f"{said} at most.", file=sys.stderr)


def _facts(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "genres": list(bundle.genres),
        "created": bundle.created,
        "data": bundle.data,
        "split": bundle.split,
        "scores": {
            part: {key: scores.get(key) for key in ("n_tracks", "accuracy", "accuracy_interval", "macro_f1")}
            for part, scores in _scored_parts(bundle).items()
        },
        "size_bytes": sum(bundle.file(name).stat().st_size for name in bundle.files),
    }


def _accuracy_text(bundle: Bundle) -> str:
    for part, scores in _scored_parts(bundle).items():
        return f"{scores['accuracy']:.1%} of {scores['n_tracks']} {part} tracks"
    return "no score"


def _scored_parts(bundle: Bundle) -> dict[str, Any]:
    """The parts with a score; an imported bundle may hold anything there."""
    return {
        part: scores
        for part, scores in bundle.scores.items()
        if isinstance(scores, dict) and isinstance(scores.get("accuracy"), float) and "n_tracks" in scores
    }
