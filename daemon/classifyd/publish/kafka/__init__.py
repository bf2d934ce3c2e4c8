"""Messages to Kafka, for the relay and for operators."""

from classifyd.publish.kafka.config import PublisherConfig
from classifyd.publish.kafka.letters import Letters, open_letters
from classifyd.publish.kafka.publisher import KafkaPublisher
from classifyd.publish.kafka.sender import Sender

__all__ = ["KafkaPublisher", "Letters", "PublisherConfig", "Sender", "open_letters"]
