from classifyd.pipeline.standstill import Standstill


def test_it_is_too_long_after_the_bound_without_progress():
    standstill = Standstill(bound=60.0, now=100.0)
    assert not standstill.too_long(0, hindered=True, now=159.9)
    assert standstill.too_long(0, hindered=True, now=160.0)


def test_every_picture_that_is_settled_ends_it():
    standstill = Standstill(bound=60.0, now=0.0)
    assert not any(
        standstill.too_long(second // 50, hindered=True, now=float(second)) for second in range(900)
    )
    assert standstill.too_long(17, hindered=True, now=910.0)


def test_there_is_none_while_nothing_is_in_the_way():
    standstill = Standstill(bound=60.0, now=0.0)
    assert not standstill.too_long(0, hindered=False, now=1000.0)
    assert not standstill.too_long(0, hindered=True, now=1059.9)
    assert standstill.too_long(0, hindered=True, now=1060.0)
