"""Pictures from a Kafka topic."""

from classifyd.sources.kafka.config import KafkaConfig
from classifyd.sources.kafka.source import KafkaSource

__all__ = ["KafkaConfig", "KafkaSource"]
