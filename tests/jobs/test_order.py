"""What a start from a trained model changes of the settings, in exact numbers."""

import pytest

from crnn.config import TrainConfig
from crnn.jobs.order import TrainingSettings, preset, with_frozen_body


def test_a_start_from_a_model_takes_a_tenth_of_the_steps_and_freezes_the_body_for_nine_tenths():
    found = preset("standard", is_transfer=True).train
    assert found.learning_rate == pytest.approx(1e-4)
    assert (found.epochs, found.freeze_epochs) == (60, 54)
    # A rate that was chosen is the rate that is used.
    chosen = with_frozen_body(TrainingSettings(train=TrainConfig(epochs=5, learning_rate=2e-3))).train
    assert (chosen.learning_rate, chosen.freeze_epochs) == (2e-3, 4)
