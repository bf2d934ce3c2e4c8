"""What is written down of kafka-python's options is what kafka-python has."""

import pytest
from kafka import KafkaConsumer, KafkaProducer

from classifyd.core.errors import ConfigurationError
from classifyd.settings import KafkaSettings, load
from classifyd.settings.kafka_options import CONSUMER, DAEMONS_OWN, PRODUCER, SET_ELSEWHERE

OBJECTS = {
    "default_offset_commit_callback",
    "kafka_client",
    "key_deserializer",
    "key_serializer",
    "metric_reporters",
    "partitioner",
    "sasl_oauth_token_provider",
    "selector",
    "ssl_context",
    "value_deserializer",
    "value_serializer",
}


@pytest.mark.parametrize(("client", "allowed"), [(KafkaConsumer, CONSUMER), (KafkaProducer, PRODUCER)])
def test_every_option_of_the_library_has_one_place(client, allowed):
    options = set(client.DEFAULT_CONFIG)
    places = [
        allowed,
        DAEMONS_OWN,
        set(SET_ELSEWHERE),
        set(KafkaSettings.model_fields) - {"client_id"},
        OBJECTS,
    ]
    others = [option for option in options if sum(option in place for place in places) != 1]
    assert set(others) <= {"bootstrap_servers"}
    assert allowed <= options


def test_what_only_the_daemon_sets_exists():
    assert {*DAEMONS_OWN, *SET_ELSEWHERE} <= {*KafkaConsumer.DEFAULT_CONFIG, *KafkaProducer.DEFAULT_CONFIG}


@pytest.mark.parametrize(
    ("table", "option", "near"),
    [("consumer", "fetch_min_byte", "fetch_min_bytes"), ("producer", "lingerms", "linger_ms")],
)
def test_an_unknown_option_names_the_nearest_known_one(table, option, near):
    with pytest.raises(ConfigurationError) as caught:
        load(None, {"kafka": {table: {option: 1}}})
    assert str(caught.value).endswith(
        f"kafka.{table}: {option} is no option that can be set; the nearest known one is {near}"
    )


def test_the_connection_is_made_of_options_that_both_clients_have():
    values = {name: "x" for name in KafkaSettings.model_fields if name.startswith(("sasl_", "ssl_"))}
    names = {name for name in values if not name.endswith("password_file")}
    assert names <= set(KafkaConsumer.DEFAULT_CONFIG) & set(KafkaProducer.DEFAULT_CONFIG)
