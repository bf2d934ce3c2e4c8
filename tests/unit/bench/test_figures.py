"""Two sides measured in turn."""

from verification.bench.figures import at_least, at_most, side_by_side


def test_sides_alternate_and_only_neighbours_are_compared():
    order = []

    def side(name, values):
        values = iter(values)

        def measured():
            order.append(name)
            return next(values)

        return measured

    figure = side_by_side(
        "speed", "x/s", side("a", [10.0, 2.0, 30.0]), side("b", [5.0, 4.0, 10.0]), 3, at_least(2)
    )
    assert "".join(order) == "abbaab"
    assert (figure.value, figure.against, figure.ratio) == (10.0, 5.0, 2.0)
    assert figure.met


def test_a_target_is_met_at_its_bound():
    assert at_least(2).met_by(2)
    assert not at_least(2).met_by(1.9)
    assert at_most(2).met_by(2)
    assert not at_most(2).met_by(2.1)
