"""Steps that several flows share, and their display in the Prefect UI. The flows are in `flows`."""
