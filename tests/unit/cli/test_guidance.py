"""What a person is told once the daemon runs can be copied and works."""

import pytest

from classifyd.cli.guidance import guidance
from classifyd.settings import load


@pytest.mark.parametrize(
    ("listens", "told"),
    [
        ("http://0.0.0.0:5000", "http://127.0.0.1:5000"),
        ("http://[::]:5000", "http://[::1]:5000"),
        ("http://10.0.0.7:80", "http://10.0.0.7:80"),
    ],
)
def test_an_address_that_means_all_is_told_as_one_that_can_be_asked(listens, told):
    said = list(guidance(load(None, {}), listens))
    assert f"Send pictures: curl -F image=@cat.jpg {told}/classify/resnet" in said
    assert f"See results: classifyd results list, or {told}/results" in said


def test_where_a_key_is_asked_for_it_is_told_how_to_send_one():
    settings = load(None, {"http": {"api_key": "s3cret"}})
    said = "\n".join(guidance(settings, "http://127.0.0.1:5000"))
    assert "curl -H 'Authorization: Bearer KEY' -F image=@cat.jpg" in said
    assert "s3cret" not in said


def test_every_bundled_model_is_named():
    settings = load(None, {"models": {"resnet": {}, "a": {}, "own": {"path": "x"}}})
    assert "The bundled model (a, resnet) knows ten classes" in "\n".join(guidance(settings, None))
