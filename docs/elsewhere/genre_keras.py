"""Name the genre of a sound: python genre_keras.py MODEL.keras SOUND. Needs librosa and Keras with any backend."""

import json
import sys

import keras
from sound_to_input import genres, segments

with open(sys.argv[1] + ".json", encoding="utf-8") as file:
    card = json.load(file)
model = keras.saving.load_model(sys.argv[1], compile=False, safe_mode=True)
inputs, _, _ = segments(sys.argv[2], card["features"])
said = model.predict_on_batch(inputs)
# A network with tags gives them and its embedding beside the logits.
print(json.dumps(genres(card, said["logits"] if isinstance(said, dict) else said)))
