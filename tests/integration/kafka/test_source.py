"""The Kafka source against a real broker."""

import base64
from collections import Counter
from uuid import uuid4

import orjson
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from classifyd.core.errors import ConfigurationError
from classifyd.core.values import Reason, Settlement
from tests.integration.kafka.support import (
    RawName,
    Running,
    administration,
    committed,
    make_topic,
    producing,
    running,
    send_all,
    wait_until,
)
from tests.unit.sources.kafka.fakes import DONE

LATEST = -1

pytestmark = pytest.mark.kafka


@pytest.fixture
def names():
    """A topic and a group of the test's own."""
    mark = uuid4().hex[:12]
    return f"pictures-{mark}", f"group-{mark}"


def ends(broker, topic):
    with administration(broker) as admin:
        partitions = admin.describe_topics([topic])[0]["partitions"]
        wheres = [TopicPartition(topic, one["partition_index"]) for one in partitions]
        offsets = admin.list_partition_offsets(dict.fromkeys(wheres, LATEST))
    return {where.partition: offset.offset for where, offset in offsets.items()}


def members(broker, group):
    """How many members of a stable group have partitions."""
    with administration(broker) as admin:
        described = admin.describe_groups([group])[group]
    if described["group_state"] != "Stable":
        return 0
    return sum(bool(member["member_assignment"]["assigned_partitions"]) for member in described["members"])


def test_health_is_told_however_rarely_offsets_are_committed(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [b"picture"])
    with running(broker, topic, group, commit_interval=600.0) as one:
        one.wait_for(1)
        wait_until(lambda: one.part.told == [None], "it is told to be well")
        one.settle_all()
    assert committed(broker, group, topic) == {0: 1}


def test_every_record_is_delivered_once_and_committed_when_settled(broker, names):
    topic, group = make_topic(broker, names[0]), names[1]
    send_all(broker, topic, [b"picture %d" % number for number in range(200)])
    with running(broker, topic, group) as one:
        deliveries = one.wait_for(200)
        wait_until(lambda: one.part.told == [None], "it is told to be well")
        one.settle_all()
        wait_until(lambda: committed(broker, group, topic) == ends(broker, topic), "the last commit")
        wait_until(lambda: one.source.waiting == 0, "nothing waiting")
    assert {delivery.image.data for delivery in deliveries} == {b"picture %d" % n for n in range(200)}
    keys = {delivery.image.origin.key for delivery in deliveries}
    assert len(keys) == 200
    assert all(key.startswith("kafka:") and f"/{topic}/" in key for key in keys)
    image = deliveries[0].image
    assert image.origin.name == image.record.key.decode()
    assert image.record.value == image.data
    assert one.inlet.under_way == 0


def test_a_commit_never_passes_an_unsettled_record(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(10)])
    with running(broker, topic, group) as one:
        deliveries = one.wait_for(10)
        for delivery in deliveries[:3] + deliveries[4:]:
            delivery.settle(DONE)
        wait_until(lambda: committed(broker, group, topic) == {0: 3}, "a commit up to the hole")
    assert committed(broker, group, topic) == {0: 3}


def test_a_restart_begins_at_the_committed_offset_under_the_same_keys(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(10)])
    with running(broker, topic, group, instance="same") as first:
        deliveries = first.wait_for(10)
        for delivery in deliveries[:4]:
            delivery.settle(DONE)
    with running(broker, topic, group, instance="same") as second:
        again = second.wait_for(6)
    assert [one.image.origin.key for one in again] == [one.image.origin.key for one in deliveries[4:]]


def test_a_killed_member_leaves_its_partitions_to_the_next_of_its_name_at_once(broker, names):
    topic, group = make_topic(broker, names[0]), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(8)])
    with running(broker, topic, group, instance="same", session_timeout=30.0) as first:
        first.wait_for(8)
    with running(broker, topic, group, instance="same", session_timeout=30.0) as second:
        wait_until(lambda: len(second.offered) == 8, "redelivery", bound=10.0)


def test_offsets_with_gaps_are_committed_to_the_end(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    with producing(broker, transactional_id=f"tx-{names[0]}") as producer:
        producer.init_transactions()
        for number in range(5):
            producer.begin_transaction()
            producer.send(topic, b"%d" % number)
            (producer.abort_transaction if number == 2 else producer.commit_transaction)()
    with running(broker, topic, group) as one:
        deliveries = one.wait_for(4)
        assert [delivery.image.data for delivery in deliveries] == [b"0", b"1", b"3", b"4"]
        deliveries[0].settle(DONE)
        for delivery in deliveries[2:]:
            delivery.settle(DONE)
        hole = deliveries[1].image.origin.offset
        wait_until(lambda: committed(broker, group, topic) == {0: hole}, "a commit up to the hole")
        deliveries[1].settle(DONE)
        wait_until(lambda: committed(broker, group, topic) == ends(broker, topic), "the last commit")


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_records_of_compressed_batches_are_delivered(broker, names, codec):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    values = [b"picture %d" % number * 10_000 for number in range(20)]
    with producing(broker, compression_type=codec, linger_ms=200) as producer:
        for value in values:
            producer.send(topic, value)
    with running(broker, topic, group) as one:
        assert [delivery.image.data for delivery in one.wait_for(20)] == values
        one.settle_all()
        wait_until(lambda: committed(broker, group, topic) == {0: 20}, "the last commit")


def test_a_record_that_cannot_be_read_stops_its_partition_alone_and_is_told(broker, names):
    topic, group = make_topic(broker, names[0], partitions=2), names[1]
    with producing(broker) as producer:
        producer.send(topic, b"before", partition=0).get(timeout=10)
        producer.send(topic, b"damaged", headers=[(RawName("name"), b"1")], partition=0).get(timeout=10)
        producer.send(topic, b"after", partition=0).get(timeout=10)
        with running(broker, topic, group) as one:
            wait_until(lambda: one.part.told and one.part.told[-1], "that the record is told")
            producer.send(topic, b"beside", partition=1).get(timeout=10)
            deliveries = one.wait_for(2)
            one.settle_all()
            wait_until(lambda: committed(broker, group, topic) == {0: 1, 1: 1}, "the commits")
    assert [delivery.image.data for delivery in deliveries] == [b"before", b"beside"]
    assert len(one.part.told) <= 2, "told once, and no reconnecting"
    assert one.part.told[-1].startswith(f"Kafka topic {topic}, partition 0, offset 1 cannot be read: ")
    assert "skip the record" in one.part.told[-1]


def test_what_precedes_an_unreadable_record_in_its_batch_is_delivered_under_backpressure_too(broker, names):
    topic, group = make_topic(broker, names[0], partitions=2), names[1]
    with producing(broker, linger_ms=500) as producer:
        for number in range(3):
            producer.send(topic, b"%d" % number, partition=0)
            producer.send(topic, b"%d" % number, partition=1)
        producer.send(topic, b"damaged", headers=[(RawName("name"), b"1")], partition=0)
    with running(broker, topic, group, items=1) as one:

        def done() -> bool:
            one.settle_all()
            return committed(broker, group, topic) == {0: 3, 1: 3}

        wait_until(done, "the commits")
        wait_until(lambda: one.part.told[-1], "that the record is told")
    assert "partition 0, offset 3 cannot be read" in one.part.told[-1]


def test_a_partition_goes_on_by_itself_once_its_records_can_be_read(broker, names, monkeypatch):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    monkeypatch.setattr("classifyd.sources.kafka.session.REREAD", 0.2)
    with producing(broker, compression_type="snappy") as producer:
        producer.send(topic, b"picture" * 1000).get(timeout=10)
    with running(broker, topic, group) as one, monkeypatch.context() as without:
        without.setattr("kafka.codec.snappy", None)
        wait_until(lambda: one.part.told and one.part.told[-1], "that the codec is missing is told")
        assert "partition 0, offset 0" in one.part.told[-1]
        assert "install classifyd with all its dependencies" in one.part.told[-1]
        without.undo()
        one.wait_for(1)
        one.settle_all()
        wait_until(lambda: one.part.told[-1] is None, "the part is up again")


def test_an_unreadable_record_that_is_deleted_blocks_no_more(broker, names, monkeypatch):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    monkeypatch.setattr("classifyd.sources.kafka.session.REREAD", 0.2)
    with producing(broker) as producer:
        producer.send(topic, b"damaged", headers=[(RawName("name"), b"1")]).get(timeout=10)
        producer.send(topic, b"after").get(timeout=10)
    with running(broker, topic, group) as one:
        wait_until(lambda: one.part.told and one.part.told[-1], "that the record is told")
        with administration(broker) as admin:
            admin.delete_records({TopicPartition(topic, 0): 1})
        assert one.wait_for(1)[0].image.data == b"after"
        wait_until(lambda: one.part.told[-1] is None, "the part is up again")


def test_a_single_run_names_the_record_that_it_cannot_read(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    with producing(broker) as producer:
        producer.send(topic, b"damaged", headers=[(RawName("name"), b"1")]).get(timeout=10)
    one = Running(broker, topic, group, once=True)
    one.thread.join(20)
    with pytest.raises(ConfigurationError, match="partition 0, offset 0 cannot be read"):
        raise one.failure


def test_tombstones_are_skipped_and_committed_past(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [None, b"picture", None])
    with running(broker, topic, group) as one:
        assert one.wait_for(1)[0].image.data == b"picture"
        wait_until(lambda: committed(broker, group, topic) == {0: 1}, "the first tombstone's commit")
        one.settle_all()
        wait_until(lambda: committed(broker, group, topic) == {0: 3}, "the last commit")
        assert len(one.offered) == 1


def test_cloud_events_are_unpacked_and_wrong_ones_refused(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    event = {"specversion": "1.0", "id": "1", "source": "/camera", "type": "picture"}
    structured = orjson.dumps(event | {"data_base64": base64.b64encode(b"structured").decode()})
    as_event = [("content-type", b"application/cloudevents+json")]
    with producing(broker) as producer:
        binary = [(f"ce_{name}", text.encode()) for name, text in event.items()]
        producer.send(topic, b"binary", headers=binary).get(timeout=10)
        producer.send(topic, structured, headers=as_event).get(timeout=10)
        producer.send(topic, b"{not json", headers=as_event).get(timeout=10)
    with running(broker, topic, group) as one:
        deliveries = one.wait_for(3)
        one.settle_all()
    assert [delivery.image.data for delivery in deliveries[:2]] == [b"binary", b"structured"]
    assert deliveries[2].refusal.reason is Reason.NOT_AN_EVENT
    assert deliveries[2].image.record.value == b"{not json"


def test_without_credit_nothing_more_is_taken_and_the_group_stays_whole(broker, names):
    topic, group = make_topic(broker, names[0]), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(50)])
    with running(broker, topic, group, items=5, session_timeout=2.0) as one:
        one.wait_for(5)
        send_all(broker, topic, [b"more"] * 50)
        with running(broker, topic, group, items=1000, session_timeout=2.0) as other:
            wait_until(lambda: len(other.offered) >= 10, "a rebalance that the waiting member took part in")
            other.settle_all()
        assert len(one.offered) == 5
        assert one.inlet.under_way == 5
        one.settle_all()
        wait_until(lambda: len(one.offered) >= 10, "deliveries once there is credit again")


def test_two_consumers_share_a_topic_and_no_hole_is_committed(broker, names):
    topic, group = make_topic(broker, names[0]), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(100)])
    with running(broker, topic, group, instance="a") as one:
        first = one.wait_for(100)
        held_back = first[10]
        for delivery in first:
            if delivery is not held_back:
                delivery.settle(DONE)
        with running(broker, topic, group, instance="b") as two:
            wait_until(lambda: members(broker, group) == 2, "both in the group")
            send_all(broker, topic, [b"later %d" % number for number in range(100)])
            wait_until(
                lambda: (
                    len(
                        {d.image.data for d in one.offered + two.offered if d.image.data.startswith(b"later")}
                    )
                    == 100
                ),
                "all later records",
            )
            hole = held_back.image.origin
            assert committed(broker, group, topic)[hole.partition] <= hole.offset
            held_back.settle(DONE)
            for source in (one, two):
                for delivery in source.offered[100 if source is one else 0 :]:
                    delivery.settle(DONE)
            wait_until(lambda: committed(broker, group, topic) == ends(broker, topic), "the last commit")
    counted = Counter(delivery.image.origin.key for delivery in one.offered)
    assert set(counted.values()) == {1}, "a partition given back to its consumer is not read again"


def test_a_picture_that_comes_back_is_offered_again_under_its_key(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [b"picture"])
    with running(broker, topic, group) as one:
        (first,) = one.wait_for(1)
        first.settle(Settlement.retry("not now"))
        assert one.inlet.under_way == 1, "it keeps its credit"
        second = one.wait_for(2)[1]
        assert second.image == first.image
        assert committed(broker, group, topic) in ({}, {0: 0})
        second.settle(DONE)
        wait_until(lambda: committed(broker, group, topic) == {0: 1}, "the commit")


def test_draining_takes_nothing_new_and_commits_what_is_settled(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(10)])
    with running(broker, topic, group, items=4) as one:
        one.wait_for(4)
        one.source.drain()
        one.settle_all()
        wait_until(lambda: committed(broker, group, topic) == {0: 4}, "the commit of what was settled")
        assert len(one.offered) == 4


def test_a_deleted_and_recreated_topic_is_read_from_its_beginning(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [b"old %d" % number for number in range(5)])
    with running(broker, topic, group, consumer={"metadata_max_age_ms": 200}) as one:
        old = one.wait_for(5)
        one.settle_all()
        wait_until(lambda: committed(broker, group, topic) == {0: 5}, "the commit")
        with administration(broker) as admin:
            admin.delete_topics([topic])
        wait_until(lambda: one.part.told[-1] is not None, "that the topic is missing is told")
        assert "does not exist" in one.part.told[-1]
        make_topic(broker, topic, partitions=1)
        send_all(broker, topic, [b"new %d" % number for number in range(8)])
        new = one.wait_for(13)[5:]
        one.inlet.offered[:] = []
        for delivery in new:
            delivery.settle(DONE)
        wait_until(lambda: committed(broker, group, topic) == {0: 8}, "the commit in the new topic")
        assert one.part.told[-1] is None
    assert [delivery.image.data for delivery in new] == [b"new %d" % number for number in range(8)]
    assert not {one.image.origin.key for one in old} & {one.image.origin.key for one in new}


@pytest.mark.parametrize(
    ("metadata", "first"), [(f"topic-id:{uuid4()}", b"0"), ("an operator's own", b"2"), ("", b"2")]
)
def test_offsets_of_an_earlier_topic_of_the_same_name_are_not_taken_over(broker, names, metadata, first):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(3)])
    consumer = KafkaConsumer(**broker.connection, group_id=group)
    where = TopicPartition(topic, 0)
    consumer.assign([where])
    consumer.commit({where: OffsetAndMetadata(2, metadata, -1)})
    consumer.close()
    with running(broker, topic, group) as one:
        assert one.wait_for(1)[0].image.data == first


def test_an_offset_that_retention_deleted_is_reset_to_the_earliest_record(broker, names):
    topic, group = make_topic(broker, names[0], partitions=1), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(10)])
    with running(broker, topic, group) as one:
        for delivery in one.wait_for(10)[:2]:
            delivery.settle(DONE)
    with administration(broker) as admin:
        admin.delete_records({TopicPartition(topic, 0): 6})
    with running(broker, topic, group) as again:
        assert [delivery.image.data for delivery in again.wait_for(4)] == [b"6", b"7", b"8", b"9"]


def test_once_ends_when_what_was_there_is_settled_and_committed(broker, names):
    topic, group = make_topic(broker, names[0]), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(20)])
    with running(broker, topic, group, once=True) as one:
        one.wait_for(20)
        assert one.thread.is_alive()
        one.settle_all()
        one.thread.join(20)
        assert not one.thread.is_alive()
        assert committed(broker, group, topic) == ends(broker, topic)


def test_once_refuses_a_missing_topic(broker, names):
    one = Running(broker, *names, once=True)
    one.thread.join(20)
    with pytest.raises(ConfigurationError, match="does not exist"):
        raise one.failure


def test_a_missing_topic_is_waited_for_and_told_once(broker, names):
    topic, group = names
    with running(broker, topic, group, consumer={"metadata_max_age_ms": 200}) as one:
        wait_until(lambda: one.part.told, "the missing topic is told")
        assert "does not exist: create it" in one.part.told[0]
        make_topic(broker, topic)
        send_all(broker, topic, [b"picture"])
        one.wait_for(1)
        one.settle_all()
        wait_until(lambda: one.part.told[-1] is None, "the topic is there")
    assert len(one.part.told) == 2


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_records_arrive_over_sasl_and_tls(broker, names, mechanism):
    topic, group = make_topic(broker, names[0]), names[1]
    send_all(broker, topic, [b"%d" % number for number in range(5)])
    with running(broker, topic, group, connection=broker.secured_connection(mechanism)) as one:
        one.wait_for(5)
        one.settle_all()
        wait_until(lambda: committed(broker, group, topic) == ends(broker, topic), "the last commit")
