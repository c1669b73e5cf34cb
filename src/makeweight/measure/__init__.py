"""How anything is measured on real rows: splits, training sets, learners, probabilities, calibration."""
