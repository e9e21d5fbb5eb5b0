"""What a program elsewhere must know to use an exported network: genres, features in full, calibration.

It travels in the metadata of an ONNX file, and as JSON beside the others. Mel filters are there as numbers, so that
nobody must guess at a scale or a norm (`docs/use-it-elsewhere.md`).
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import crnn
from crnn.bundles.bundle import Bundle
from crnn.features.description import described

METADATA_KEY = "genrescope"


def export_card(bundle: Bundle) -> dict[str, Any]:
    """All of it, JSON-ready.

    Args:
        bundle: The model whose network is exported.
    """
    calibration, tagging, companion = bundle.calibration, bundle.tagging, bundle.companion
    return {
        "name": bundle.name,
        "genrescope": crnn.__version__,
        "created": bundle.created,
        "genres": list(bundle.genres),
        "input": "float32 (n_segments, n_frames, n_mels): time, then mel band, the lowest first",
        "output": "logits (n_segments, n_genres); a sound's posterior is softmax(mean of its segments / temperature)",
        "features": described(bundle.feature_config),
        "calibration": dataclasses.asdict(calibration) | {"is_fitted": calibration.is_fitted},
        "tags": [] if tagging is None else [dataclasses.asdict(tag) for tag in tagging.tags],
        "music": None if tagging is None or tagging.music is None else dataclasses.asdict(tagging.music),
        "other": None if tagging is None or tagging.other is None else dataclasses.asdict(tagging.other),
        "rejection": None if bundle.rejection is None else dataclasses.asdict(bundle.rejection),
        "companion": None
        if companion is None
        else {"weight": companion.weight, "features": described(companion.feature_config, companion.stride)},
    }


def companion_card(bundle: Bundle) -> dict[str, Any]:
    """The card of a bundle's second network, which gives logits of the same genres from features of its own.

    Args:
        bundle: One with a companion.
    """
    card = export_card(bundle)
    return card | {"features": card["companion"]["features"], "companion": None}


def onnx_with_card(content: bytes, card: dict[str, Any]) -> bytes:
    """An ONNX file with a card in its metadata.

    Args:
        content: The file.
        card: From `export_card`.
    """
    import onnx
    from onnx import helper

    model = onnx.load_from_string(content)
    model.producer_name, model.producer_version = "GenreScope", crnn.__version__
    helper.set_model_props(model, {METADATA_KEY: json.dumps(card, ensure_ascii=False)})
    return bytes(model.SerializeToString())


def companion_path(path: Path) -> Path:
    """Where a bundle's second network lies, beside the first at `path`."""
    return path.with_name(f"{path.stem}.companion{path.suffix}")


def write_cards(bundle: Bundle, path: Path) -> None:
    """Write the card of each network beside its exported file, under its name and `.json`.

    Args:
        bundle: The model.
        path: The exported file of its first network.

    Raises:
        OSError: The disk refuses.
    """
    cards = {path: export_card(bundle)}
    if bundle.companion is not None:
        cards[companion_path(path)] = companion_card(bundle)
    for each, card in cards.items():
        text = json.dumps(card, ensure_ascii=False)
        each.with_name(f"{each.name}.json").write_text(text + "\n", encoding="utf-8")
