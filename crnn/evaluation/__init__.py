"""How right and how sure: scores, calibration, reports."""
