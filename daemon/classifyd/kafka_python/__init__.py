"""What both Kafka adapters need mended in kafka-python 3.0.12, in one place."""

from classifyd.kafka_python import answers, receiving, waking
from classifyd.kafka_python.opening import opened

__all__ = ["opened"]

answers.mend()
receiving.mend()
waking.mend()
