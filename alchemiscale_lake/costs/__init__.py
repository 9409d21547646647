"""Costs: history, models, forecasts and prices of calculations, in GPU-hours, time and money.

The models are fitted by `alchemiscale_lake.estimators.cost.regressor`; here rows go in and rows come out.
"""
