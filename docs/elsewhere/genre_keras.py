"""Name the genre of a sound: python genre_keras.py MODEL.keras SOUND. Needs librosa and Keras with any backend."""

import json
import sys

import keras
import numpy as np
from logits_to_genres import genres
from sound_to_input import segments


def answers(path, sound_path):
    """The card of a network, its logits for each segment, and where these begin and end in seconds."""
    with open(path + ".json", encoding="utf-8") as file:
        card = json.load(file)
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    inputs, begin, end = segments(sound_path, card["features"])
    said = model.predict_on_batch(inputs)
    # A network with tags gives them and its embedding beside the logits.
    return card, np.asarray(said["logits"] if isinstance(said, dict) else said), begin, end


if len(sys.argv) != 3:
    sys.exit(__doc__)
print(json.dumps(genres(answers, sys.argv[1], sys.argv[2])))
