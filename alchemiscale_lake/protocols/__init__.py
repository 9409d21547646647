"""Small real Protocols: what the tests and benchmarks run, and a start for a first look at a lake."""
