from classifyd.core.grouping import Grouping


def test_the_first_are_named_and_the_rest_are_counted_by_reason():
    grouping = Grouping(named=2)
    admitted = [grouping.admit(reason) for reason in ("a", "b", "a", "b", "b")]
    assert admitted == [True, True, False, False, False]
    assert grouping.close() == {"a": 1, "b": 2}


def test_a_new_minute_names_again():
    grouping = Grouping(named=1)
    grouping.admit("a")
    grouping.close()
    assert grouping.admit("a")
    assert grouping.close() == {}
