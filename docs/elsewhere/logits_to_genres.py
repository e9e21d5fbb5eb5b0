"""The genre of a sound from what the exported networks say of its segments: needs numpy and the cards."""

import pathlib

import numpy as np


def genres(answers, path, sound_path):
    """Posterior of each genre for the whole sound: the softmax of the mean logits, which is the geometric mean.

    `answers` gives, of a network's file and a sound: its card, and logits, begin and end in seconds of each segment.
    """
    card, logits, begin, end = answers(path, sound_path)
    if card["companion"]:
        # A second network has a say: of each segment what it says of the same seconds.
        file = pathlib.Path(path)
        companion = str(file.with_name(f"{file.stem}.companion{file.suffix}"))
        _, others, other_begin, other_end = answers(companion, sound_path)
        common = np.maximum(np.minimum(end[:, None], other_end) - np.maximum(begin[:, None], other_begin), 0)
        total = common.sum(axis=1, keepdims=True)
        share = np.where(total > 0, common / np.maximum(total, 1e-9) @ others, logits)
        weight = card["companion"]["weight"]
        logits = (1 - weight) * logits + weight * share
    odds = np.exp((logits.mean(axis=0) - logits.mean(axis=0).max()) / card["calibration"]["temperature"])
    return dict(zip(card["genres"], (odds / odds.sum()).tolist(), strict=True))
