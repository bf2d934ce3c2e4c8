"""Records that kafka-python cannot read: what stops there, and how that is told."""

from dataclasses import dataclass

from kafka import TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError

UNREADABLE = (CorruptRecordError, UnsupportedCodecError)
_DETAIL_LENGTH = 200
"""Characters of the library's words: they can quote the record."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Where reading a partition stopped. A batch that cannot be read stops it at its first record.

    Skipping it unasked would lose a picture, and its bytes cannot be had for a dead letter: kafka-python
    raises before it makes a record of them.
    """

    where: TopicPartition
    offset: int
    error: KafkaError

    @property
    def reason(self) -> str:
        """What happened where, and what to do; for people."""
        topic, number = self.where
        detail = str(self.error)[:_DETAIL_LENGTH]
        return (
            f"Kafka topic {topic}, partition {number}, offset {self.offset} cannot be read: {detail}; "
            f"the partition waits there, others go on. {advice(self.error)}"
        )


def advice(error: KafkaError) -> str:
    """What to do about an error of UNREADABLE."""
    if isinstance(error, UnsupportedCodecError):
        return "Its compression is not installed: install classifyd with all its dependencies"
    return "Mend what its producer writes, then skip the record: see the operations guide, Unreadable records"
