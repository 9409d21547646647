"""Predicted cost of a calculation: features, a scikit-learn regressor with intervals, its calibration and storage."""
