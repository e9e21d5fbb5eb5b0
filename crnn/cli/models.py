"""`models` and `export`: what is on the shelf, and taking one of it elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crnn import paths
from crnn.atomic import draft_folder
from crnn.bundles.bundle import ONNX_NAME, Bundle, list_bundles
from crnn.bundles.companion import COMPANION_NAME
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.bundles.model_card import interval_of, scored_parts
from crnn.cli.common import add_command, add_model_option, file_path, result_file, say
from crnn.errors import CrnnError
from crnn.text import number_of
from crnn.untrusted import json_line

# Names of scores as a reader would say what was scored; those of bundled models are words already.
_PART_WORDS = {"folds": "by folds", "valid": "kept back to check with", "test": "of the test part"}


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
        "Its input is what the card in or beside it describes, its output logits. Written once it answers on music\n"
        "as the model here does.",
    )
    add_model_option(parser)
    parser.add_argument("--to", choices=("onnx", "keras", "tflite"), required=True, help="kind of file")
    parser.add_argument("--out", type=result_file(), required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--compare-on", type=file_path, nargs="+", default=[], metavar="SOUND", help="recordings to check it on, too"
    )
    parser.set_defaults(run=export)


def models(options: argparse.Namespace) -> int:
    """Print the shelf; 1 if a model on it is damaged."""
    bundles, faults = list_bundles(*paths.shelves())
    if options.format == "json":
        for bundle in bundles:
            sys.stdout.write(json_line(_facts(bundle)))
        for name, message in faults.items():
            sys.stdout.write(json_line({"name": name, "error": message}))
    else:
        for bundle in bundles:
            name = f"{bundle.name} (default)" if _is_default(bundle) else bundle.name
            say(f"{name:<24} {len(bundle.genres):>3} genres  {_accuracy_text(bundle):<24} {bundle.created[:10]}")
        for name, message in faults.items():
            say(f"{name}: {message}", to_stderr=True)
        if not bundles and not faults:
            print(f"No models in {paths.models_dir()}. Make one: python -m crnn train demo --out models/demo")
    return 1 if faults else 0


def export(options: argparse.Namespace) -> int:
    """Write the network as a file, and what belongs to it beside it; all of it is whole, or nothing is written."""
    from crnn.networks.export_card import companion_path, write_cards

    bundle = find_bundle(options.model)
    try:
        with draft_folder(options.out) as folder:
            draft = folder / options.out.name
            if options.to == "onnx":
                _export_onnx(bundle, draft, options.compare_on)
            else:
                _export_framework(bundle, draft, options)
                write_cards(bundle, draft)
            for path in sorted(folder.iterdir()):
                path.replace(options.out.with_name(path.name))
    except OSError as err:
        raise CrnnError(f"{options.out} cannot be written: {err.strerror or err}.") from err
    if bundle.companion is not None:
        second = companion_path(options.out).name
        print(f"This model answers by two networks; the second one is {second}, beside it.", file=sys.stderr)
    print(options.out)
    return 0


def _export_onnx(bundle: Bundle, path: Path, recordings: Sequence[Path]) -> None:
    from crnn.networks.export_card import companion_card, companion_path, export_card, onnx_with_card

    if bundle.is_trainable:
        from crnn.networks.parity import check_keras

        _say_parity(*check_keras(bundle, recordings))
    else:
        print("Not compared with Keras: this model came without its Keras file.", file=sys.stderr)
    path.write_bytes(onnx_with_card(bundle.file(ONNX_NAME).read_bytes(), export_card(bundle)))
    if bundle.companion is not None:
        second = bundle.file(COMPANION_NAME).read_bytes()
        companion_path(path).write_bytes(onnx_with_card(second, companion_card(bundle)))


def _export_framework(bundle: Bundle, path: Path, options: argparse.Namespace) -> None:
    if options.to == "tflite":
        from crnn.networks.tflite_export import write_tflite

        _say_parity(*write_tflite(bundle, path, options.compare_on))
    else:
        from crnn.networks.plain_keras import write_keras

        _say_parity(*write_keras(bundle, path, options.compare_on))


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
            for part, scores in scored_parts(bundle).items()
        },
        "size_bytes": sum(bundle.file(name).stat().st_size for name in bundle.files),
    }


def _is_default(bundle: Bundle) -> bool:
    """Whether it is the one that answers where none is named; another shelf may hold one of the same name."""
    if bundle.name != DEFAULT_MODEL:
        return False
    with contextlib.suppress(CrnnError):
        return find_bundle(DEFAULT_MODEL).path == bundle.path
    return False


def _accuracy_text(bundle: Bundle) -> str:
    for part, scores in scored_parts(bundle).items():
        interval, n = interval_of(scores), scores["n_tracks"]
        of_what = f"{number_of(n, 'track')}, {_PART_WORDS[part]}" if part in _PART_WORDS else f"{n}: {part}"
        said = f"{scores['accuracy']:.1%} of {of_what}"
        return said if interval is None else f"{said} ({interval[0]:.1%} to {interval[1]:.1%})"
    return "no score"
