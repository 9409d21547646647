"""Statistics that are independent of a network: agreement with experiment, findings, model error."""
