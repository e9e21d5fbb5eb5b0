"""No fold is judged by thresholds that it had a part in."""

import numpy as np

from crnn.evaluation.cross_fitting import cross_fit


def test_a_fold_is_judged_by_the_calibration_of_the_others_alone():
    """Fold 0 is right throughout, fold 1 wrong throughout, twenty tracks each.

    Fitted on fold 1 alone, the set's threshold is low and holds the truth of all of fold 0; fitted on fold 0 alone,
    it is high and holds the truth of none of fold 1. Each fitted on both, the set would hold the truth of 37 or more.
    """
    right, wrong = np.float32([[2.2, 0.0]]), np.float32([[-1.4, 0.0]])
    logits = [right] * 20 + [wrong] * 20
    labels, folds = np.zeros(40, dtype=np.int64), np.repeat([0, 1], 20)
    found = cross_fit(logits, labels, folds, ("a", "b"))
    assert found.set_coverage == 0.5
    assert found.scores.accuracy == 0.5
