"""The messages of TensorFlow Serving's gRPC interface, against Google's own library."""

import struct
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from classifyd.core.errors import ConfigurationError
from classifyd.engines.tfserving import messages, wire
from classifyd.engines.tfserving.signature import Signature, Wanted, chosen
from verification.kit.serving.grpc_messages import MESSAGES

SIGNATURE = Signature("serving_default", "image_bytes", "probabilities", False, 2)


def answered(dtype: int, shape: list[int], name: str = "probabilities", **values: object) -> bytes:
    """A PredictResponse with one output."""
    answer = MESSAGES["PredictResponse"]()
    answer.model_spec.name = "m"
    tensor = answer.outputs.add(key=name, value=MESSAGES["Tensor"](dtype=dtype, **values)).value
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return bytes(answer.SerializeToString())


ANSWER = answered(1, [2, 2], float_val=[0.1, 0.9, 0.8, 0.2])


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(0, 2**63 - 1), st.text(max_size=200))
@example([b"\xff" * 20_000, b"", b"x"], 1538687457, "m")
def test_a_request_for_predictions(pictures: list[bytes], version: int, model: str) -> None:
    request = MESSAGES["PredictRequest"].FromString(
        messages.predict_request(model, version, SIGNATURE, pictures)
    )
    spec = request.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (model, version, "serving_default")
    [entry] = request.inputs
    assert entry.key == "image_bytes"
    assert entry.value.dtype == 7  # DT_STRING
    assert [one.size for one in entry.value.tensor_shape.dim] == [len(pictures)]
    assert list(entry.value.string_val) == pictures
    assert list(request.output_filter) == ["probabilities"]


def test_a_version_below_0_is_asked_for_as_it_was_told() -> None:
    """No server has one; that one says so shall not end the daemon."""
    request = MESSAGES["MetadataRequest"].FromString(messages.metadata_request("m", -5))
    assert request.model_spec.version.value == -5


def test_requests_for_descriptions() -> None:
    status = MESSAGES["StatusRequest"].FromString(messages.status_request("m"))
    assert status.model_spec.name == "m"
    assert not status.model_spec.HasField("version")
    metadata = MESSAGES["MetadataRequest"].FromString(messages.metadata_request("m", 3))
    assert (metadata.model_spec.name, metadata.model_spec.version.value) == ("m", 3)
    assert list(metadata.metadata_field) == ["signature_def"]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (1, {"float_val": [0.25, 0.75]}),
        (2, {"double_val": [0.25, 0.75]}),
        (1, {"tensor_content": struct.pack("<2f", 0.25, 0.75)}),
        (2, {"tensor_content": struct.pack("<2d", 0.25, 0.75)}),
    ],
    ids=["floats", "doubles", "content of floats", "content of doubles"],
)
def test_numbers_however_they_are_packed(dtype: int, values: dict[str, object]) -> None:
    numbers = messages.probabilities(answered(dtype, [1, 2], **values), "probabilities")
    assert numbers.tolist() == [[0.25, 0.75]]
    assert numbers.dtype == (np.float32 if dtype == 1 else np.float64)


def test_numbers_in_several_pieces() -> None:
    """As two messages that are merged by being joined, which the format allows."""
    whole = answered(1, [2, 1])
    tensor = MESSAGES["PredictResponse"].FromString(whole).outputs[0].value.SerializeToString()
    pieces = [b"".join(wire.sized(5, struct.pack("<f", number))) for number in (0.25, 0.75)]
    entry = b"".join((*wire.sized(1, b"probabilities"), *wire.sized(2, tensor, *pieces)))
    answer = b"".join(wire.sized(1, entry))
    assert messages.probabilities(answer, "probabilities").tolist() == [[0.25], [0.75]]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "no output 'probabilities'"),
        (answered(1, [1, 1], "classes", float_val=[1.0]), "no output 'probabilities'"),
        (answered(9, [1, 1], int64_val=[1]), "is of DT_INT64"),
        (answered(99, [1, 1]), "is of type 99"),
        (answered(1, [2, 2], float_val=[1.0]), r"1 numbers for the shape \[2, 2\]"),
        (answered(1, [-1, -1], float_val=[1.0]), r"1 numbers for the shape \[-1, -1\]"),
        (answered(1, [2**62, 2**62], float_val=[1.0]), "1 numbers for the shape"),
        (answered(1, [1] * 65, float_val=[1.0]), "dimension"),
        (answered(1, [0, 2**62]), "too big"),
        (answered(1, [1, 1], tensor_content=b"abc"), "multiple of element size"),
        (ANSWER[:-1], "field of"),
        (b"\x0b", "of kind 3"),
        (b"\x80" * 10, "without an end"),
        (b"\x0a\x03\x0a\x01\xff", "not UTF-8"),
        (b"\x08\x01", "a number where something else belongs"),
        (b"\x1a\x00" * 10_001, "more than 10000 fields"),
    ],
)
def test_what_is_no_answer_is_told(answer: bytes, told: str) -> None:
    with pytest.raises(wire.Malformed, match=told):
        messages.probabilities(answer, "probabilities")


@given(st.integers(0, len(ANSWER) - 1), st.integers(0, 255))
def test_an_answer_with_a_wrong_byte_is_read_or_refused(position: int, byte: int) -> None:
    spoilt = ANSWER[:position] + bytes([byte]) + ANSWER[position + 1 :]
    numbers = partial(messages.probabilities, output="probabilities")
    for read in (messages.states, messages.metadata, numbers):
        try:
            read(spoilt)
        except wire.Malformed:
            continue


def test_the_states_of_versions() -> None:
    answer = MESSAGES["StatusResponse"]()
    for version, state in enumerate((0, 10, 20, 30, 40, 50, 60)):
        one = answer.model_version_status.add(version=version, state=state)
        one.status.error_message = "all is well"
    assert messages.states(answer.SerializeToString()) == {
        0: "UNKNOWN",
        1: "START",
        2: "LOADING",
        3: "AVAILABLE",
        4: "UNLOADING",
        5: "END",
        6: "UNKNOWN",
    }


def described(input_type: int, *outputs: tuple[str, int, int]) -> bytes:
    signatures = MESSAGES["SignatureDefMap"]()
    signature = signatures.signature_def.add(key="serving_default").value
    given = signature.inputs.add(key="image_bytes").value
    given.dtype = input_type
    given.tensor_shape.dim.add(size=-1)
    for name, dtype, classes in outputs:
        output = signature.outputs.add(key=name).value
        output.dtype = dtype
        for size in (-1, classes):
            output.tensor_shape.dim.add(size=size)
    answer = MESSAGES["MetadataResponse"]()
    answer.metadata.add(key="signature_def").value.value = signatures.SerializeToString()
    return bytes(answer.SerializeToString())


def test_signatures_are_told_as_over_rest() -> None:
    for classes, known in ((1001, 1001), (-1, None)):
        answer = described(7, ("classes", 9, -1), ("probabilities", 1, classes))
        signature = chosen("m", messages.metadata(answer), Wanted())
        assert signature == Signature("serving_default", "image_bytes", "probabilities", False, known)


def test_a_signature_without_pictures_is_refused_by_its_types_name() -> None:
    with pytest.raises(ConfigurationError, match="takes DT_FLOAT, not encoded pictures"):
        chosen("m", messages.metadata(described(1, ("probabilities", 1, 2))), Wanted())
