"""Training over two devices, in an interpreter of its own: TensorFlow counts its devices once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SCRIPT = """
import dataclasses, json, sys
sys.path[:0] = [".", "tests"]
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from crnn import training
from crnn.model import build_crnn
from crnn.replicas import train_step
from training_runs import SETTINGS

rng = np.random.default_rng(0)
labels = np.arange(8) % 2
cells = [rng.integers(0, 100, (60, 32)) + 100 * (np.arange(32) // 16 == label) for label in labels]
tracks = training.LabelledTracks(tuple("abcdefgh"), tuple(c.astype(np.uint8) for c in cells), labels)
data = training.TrainingData(("low", "high"), tracks, training.NO_TRACKS)
train = dataclasses.replace(SETTINGS.train, epochs=6, batch_size=8)
settings = dataclasses.replace(SETTINGS, model=dataclasses.replace(SETTINGS.model, dropout=0.0), train=train)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    result = training.train(data, settings)
    model = build_crnn(settings.model, settings.features.n_mels, 2)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=True))
# Unequal halves of a batch, so that a device that had the whole of it would give another loss.
segments = np.concatenate([np.full((4, 50, 32), level, np.float32) for level in (-60.0, 0.0)])
segments += rng.normal(0, 5, segments.shape).astype(np.float32)
targets = np.eye(2, dtype=np.float32)[[0, 0, 0, 0, 1, 1, 1, 0]]

def loss_of(part):
    return float(model.loss(targets[part], model(segments[part], training=True)))

halves = [loss_of(slice(0, 4)), loss_of(slice(4, 8))]
whole = loss_of(slice(0, 8))
print(json.dumps({
    "losses": [event["loss"] for event in result.history],
    "devices": len(result.model.trainable_variables[0].value.values),
    "expected": float(np.mean(halves)),
    "whole": whole,
    "step": train_step(model, segments, targets),
}))
"""


@pytest.mark.slow
def test_each_of_two_devices_learns_from_its_half():
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == 2
    assert found["losses"][-1] < 0.7 * found["losses"][0]
    # Batch normalisation sees a half at a time.
    assert found["step"] == pytest.approx(found["expected"], rel=1e-4)
    assert abs(found["whole"] - found["expected"]) > 1e-3 * found["expected"]
