"""The Kafka ends: the source, and the relay with its publisher."""

from collections.abc import Callable, Mapping
from datetime import datetime

from classifyd.core.gate import Limits
from classifyd.core.messages import dead_letter, outcome_message, reduced
from classifyd.core.ports import Outbox
from classifyd.core.values import Delivery, Lane, Message, Rejected, Result
from classifyd.pipeline.health import Parts
from classifyd.pipeline.model import Model
from classifyd.pipeline.recorder import Recorder
from classifyd.pipeline.relay import Relay
from classifyd.publish.kafka import KafkaPublisher, PublisherConfig
from classifyd.settings import KafkaSettings, Settings
from classifyd.sources.kafka import KafkaConfig, KafkaSource


def composer(settings: KafkaSettings, instance: str) -> Callable[[Result, Delivery], tuple[Message, ...]]:
    """What makes a new row's messages: its outcome, where an output topic is set, and the dead letter of a
    rejected record."""
    output = settings.output.topic if settings.enabled else None
    dead_letters = settings.input.dead_letter_topic if settings.enabled else None

    def compose(result: Result, delivery: Delivery) -> tuple[Message, ...]:
        messages = []
        if output is not None and delivery.publish:
            messages.append(outcome_message(result, delivery.image, output, instance))
        record = delivery.image.record
        if dead_letters is not None and record is not None and isinstance(result.outcome, Rejected):
            messages.append(dead_letter(result, record, dead_letters))
        return tuple(messages)

    return compose


def make_kafka_source(
    settings: Settings,
    models: Mapping[str, Model],
    instance: str,
    parts: Parts,
    limits: Limits,
    clock: Callable[[], datetime],
    once: bool,
) -> KafkaSource | None:
    """The source, where a topic is set."""
    kafka = settings.kafka
    if not kafka.enabled or kafka.input.topic is None:
        return None
    return KafkaSource(
        config=KafkaConfig(
            connection=kafka.connection,
            consumer=kafka.consumer,
            topic=kafka.input.topic,
            group_id=kafka.input.group_id,
            commit_interval=kafka.input.commit_interval,
            session_timeout=kafka.input.session_timeout,
            max_batch_bytes=max(settings.limits.max_bytes, settings.intake.max_bytes // 8),
        ),
        inlet=models[kafka.input.model].intake.inlet(Lane.BULK),
        instance=instance,
        part=parts.register("kafka"),
        limits=limits,
        clock=clock,
        once=once,
    )


def make_relay(settings: Settings, outbox: Outbox, recorder: Recorder, parts: Parts) -> Relay | None:
    """The relay, where there is a broker."""
    kafka = settings.kafka
    if not kafka.enabled:
        return None
    relay = Relay(
        outbox=outbox,
        publisher=KafkaPublisher(PublisherConfig(connection=kafka.connection, producer=kafka.producer)),
        mark=recorder.mark_published,
        reduce=reduced,
        part=parts.register("outbox"),
    )
    recorder.committed = relay.hint
    return relay
