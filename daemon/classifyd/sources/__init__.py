"""Adapters that bring pictures: the inbox folder and the Kafka topic."""
