"""The daemon at work, in terms of ports: intake, workers, recorder, relay, health, supervisor."""
