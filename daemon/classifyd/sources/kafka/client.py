"""What kafka-python knows but offers no public way to ask or do, in one place."""

import time
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.future import Future

from classifyd.sources.kafka.unreadable import UNREADABLE, Unreadable

_NO_ID = "00000000-0000-0000-0000-000000000000"


def load_metadata(consumer: KafkaConsumer, topic: str, seconds: float) -> None:
    """Waits for the metadata of the subscribed topic, `seconds` at most: a group that is joined before them
    assigns nothing at first. A topic that is missing is no error here.

    Asks until they are there: in kafka-python 3.0.12 the answer to a question that was under way already,
    and did not name the topic, counts as the answer to this one.
    """
    deadline = time.monotonic() + seconds
    with suppress(KafkaError):
        while not exists(consumer, topic) and (left := deadline - time.monotonic()) > 0:
            update = consumer._cluster.request_update()
            consumer._net.run(consumer._manager.wait_for, update, left * 1000)


def poll(
    consumer: KafkaConsumer, seconds: float
) -> tuple[dict[TopicPartition, list[Any]], Unreadable | None]:
    """What one poll brings, and where it met what it cannot read. Raises KafkaError for all else.

    kafka-python 3.0.12 does not tell the partition, and keeps the spent iterator of its records: the next
    poll would turn around it for ever. So it is drained here, and the next fetch begins at the same offset.
    """
    fetcher = consumer._fetcher
    if not fetcher._next_partition_records:
        fetcher._next_partition_records = None  # only then are records of a resumed partition looked for
    if fetcher._completed_fetches:
        # It would wait for the I/O thread, and `fetch_ahead` does not. Once only: a poll that finds nothing
        # in them turns around until it has asked for more.
        fetcher.send_fetches = lambda: vars(fetcher).pop("send_fetches", None)
    try:
        records = consumer.poll(timeout_ms=seconds * 1000) or {}
        kept = fetcher._next_in_line_exception_metadata
        if kept is None or not isinstance(kept.exception, UNREADABLE):
            return records, None
        error, fetcher._next_in_line_exception_metadata = kept.exception, None
    except UNREADABLE as raised:
        records, error = {}, raised
    finally:
        vars(fetcher).pop("send_fetches", None)
    spent = fetcher._next_partition_records
    if not spent:
        raise error
    spent.drain()
    return records, Unreadable(spent.topic_partition, spent.next_fetch_offset, error)


def fetch_ahead(consumer: KafkaConsumer) -> None:
    """Has the next records fetched while the last ones are handed over.

    A poll of kafka-python 3.0.12 that had to wait for its records does not ask for the next: each would wait
    for the broker anew. Only posts to the I/O thread: an error here would lose records that were polled. It
    is left for the next poll to meet: kafka-python notes a broker as asked before it asks, and would never
    ask it again. It waits while more than one answer is not taken up, or each partition would fill one.
    """
    fetcher = consumer._fetcher
    if len(fetcher._completed_fetches) > 1:
        return

    async def fetch() -> None:
        asked = set(fetcher._nodes_with_pending_fetch_requests)
        try:
            await fetcher._send_fetches_async()
        except Exception:
            fetcher._nodes_with_pending_fetch_requests &= asked
            raise

    consumer._manager.call_soon(fetch)


def read_from(consumer: KafkaConsumer, where: TopicPartition, offset: int | None = None) -> bool:
    """Has a partition read from an offset, or from its first record; False when it is not ours any more.

    The group can take a partition away at any time, on kafka-python's I/O thread: asking first is no help.
    """
    try:
        if offset is None:
            consumer.seek_to_beginning(where)
        else:
            consumer.seek(where, offset)
    except (ValueError, KeyError):  # before kafka-python looked, and while it did
        return False
    return True


def forget_answers(consumer: KafkaConsumer) -> None:
    """Has the group's offsets asked for anew; on kafka-python's I/O thread.

    kafka-python 3.0.12 keeps an answer that nobody waited for to the end, for whoever asks about the same
    partitions next. When another member had them meanwhile, that is out of date: what had no offset then
    would begin at its first record again.
    """
    consumer._coordinator._offset_fetch_futures.clear()


def incarnation(consumer: KafkaConsumer, topic: str) -> str | None:
    """The id that a topic got when it was created (KIP-516); None where the broker tells none."""
    topic_id = consumer._cluster.topic_id(topic)
    return None if topic_id is None or str(topic_id) == _NO_ID else str(topic_id)


def exists(consumer: KafkaConsumer, topic: str) -> bool:
    """Whether the broker knew the topic when its metadata were last refreshed."""
    return consumer._cluster.partitions_for_topic(topic) is not None


def cluster_id(consumer: KafkaConsumer) -> str:
    return consumer._cluster.cluster_id or "unknown"


def keep_joining(consumer: KafkaConsumer) -> None:
    """Has the next poll finish a rebalance that outlasted the last one.

    kafka-python 3.0.12 asks `need_rejoin` again at each poll, and where new metadata began the rebalance
    the answer is no by then: the assignment would never be taken, and no heartbeat be sent.
    """
    if consumer._coordinator.rejoining:
        consumer._coordinator.request_rejoin()


def fenced(consumer: KafkaConsumer) -> bool:
    """Whether another consumer took this one's place in the group (same `group_instance_id`).

    kafka-python 3.0.12 learns of it by a heartbeat, sends no more of them, and tells nobody.
    """
    coordinator = consumer._coordinator
    return coordinator.stable() and not coordinator.rejoining and not coordinator._heartbeat_enabled


def reachable(consumer: KafkaConsumer) -> bool:
    """Whether the group's coordinator is known and connected."""
    return not consumer._coordinator.coordinator_unknown()


async def bounded(consumer: KafkaConsumer, future: Future, seconds: float) -> None:
    """Awaits a future of this consumer on its I/O thread. Raises KafkaTimeoutError after `seconds`."""
    await consumer._manager.wait_for(future, seconds * 1000)
