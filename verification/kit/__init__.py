"""Stand-ins that tests, fault runs and benchmarks share."""
