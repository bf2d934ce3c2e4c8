"""classifyd: classifies every JPEG of a folder, a Kafka topic and HTTP requests, and loses none."""

__version__ = "0.1.0"
