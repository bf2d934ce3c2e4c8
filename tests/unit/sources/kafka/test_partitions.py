"""What is under way of each assigned partition."""

from kafka import TopicPartition
from kafka.errors import CorruptRecordError

from classifyd.sources.kafka.partitions import Partitions
from classifyd.sources.kafka.unreadable import Unreadable

A, B, C = (TopicPartition("pictures", number) for number in range(3))


def test_what_comes_back_in_an_assignment_keeps_what_is_under_way():
    partitions = Partitions()
    first, second = sorted(partitions.assign([A, B]), key=lambda one: one.where)
    first.take([1, 2], 3)
    (new,) = partitions.assign([A, C])
    assert (partitions.get(A), partitions.get(B), partitions.get(C)) == (first, None, new)
    assert (first.gone, second.gone, first.safe) == (False, True, 1)


def test_a_late_settlement_does_not_reach_a_later_assignment_of_the_partition():
    partitions = Partitions()
    (before,) = partitions.assign([A])
    before.take([1], 2)
    partitions.assign([])
    (after,) = partitions.assign([A])
    after.take([1], 2)
    before.settle(1)
    assert after.safe == 1


def test_only_what_is_new_is_to_be_committed():
    partitions = Partitions()
    (one,) = partitions.assign([A])
    assert partitions.uncommitted() == {}
    one.take([4], 5)
    assert partitions.uncommitted() == {one: 4}
    one.committed = 4
    assert partitions.uncommitted() == {}
    one.settle(4)
    assert partitions.uncommitted() == {one: 5}
    one.advance(7)
    assert partitions.uncommitted() == {one: 7}


def test_a_renewed_partition_begins_again_and_ends_where_it_did():
    partitions = Partitions()
    (old,) = partitions.assign([A])
    old.take([4], 5)
    old.end = 9
    new = partitions.renew(old, "other")
    assert old.gone
    assert (partitions.get(A), new.ready, new.end, new.safe, new.incarnation) == (new, True, 9, None, "other")


def test_a_partition_that_was_taken_away_cannot_be_renewed():
    partitions = Partitions()
    (old,) = partitions.assign([A])
    partitions.drop()
    assert partitions.renew(old, "other").gone
    assert partitions.all() == []


def test_a_partition_stands_before_what_is_unreadable_until_it_is_past_it():
    (one,) = Partitions().assign([A])
    found = Unreadable(A, 5, CorruptRecordError("bad"))
    one.stop_at(found, retry_at=7.0)
    assert (one.unreadable, one.retry_at) == (found, 7.0)
    one.take([4], 5)
    assert one.unreadable == found
    one.advance(6)
    assert one.unreadable is None


def test_a_partition_is_finished_when_its_end_is_committed():
    (one,) = Partitions().assign([A])
    assert not one.finished
    one.end = 3
    one.committed = 2
    assert not one.finished
    one.committed = 3
    assert one.finished
