"""The adapter that sends messages to the broker."""
