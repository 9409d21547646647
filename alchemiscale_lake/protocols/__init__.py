"""Small real Protocols, used by the tests and benchmarks and for a first look at a lake."""
