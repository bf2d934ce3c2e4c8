"""Which signature, input and output are used."""

from typing import Any

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.engines.tfserving.signature import Signature, Wanted, chosen


def tensor(dtype: str, *sizes: int) -> dict[str, Any]:
    return {"dtype": dtype, "tensor_shape": {"dim": [{"size": str(size)} for size in sizes]}, "name": "t:0"}


OFFICIAL = {
    "inputs": {"image_bytes": tensor("DT_STRING", -1)},
    "outputs": {"classes": tensor("DT_INT64", -1), "probabilities": tensor("DT_FLOAT", -1, 1001)},
}
SMALL = {"inputs": {"b": tensor("DT_STRING", -1)}, "outputs": {"p": tensor("DT_FLOAT", -1, 10)}}
TWO_FLOATS = {
    "inputs": {"b": tensor("DT_STRING", -1)},
    "outputs": {"scores": tensor("DT_FLOAT", -1, 10), "features": tensor("DT_FLOAT", -1, 64)},
}


def metadata(**signatures: Any) -> dict[str, Any]:
    return {"metadata": {"signature_def": {"signature_def": signatures}}}


def test_the_official_model_needs_no_settings() -> None:
    found = chosen("m", metadata(serving_default=OFFICIAL, predict=OFFICIAL), Wanted())
    assert found == Signature("serving_default", "image_bytes", "probabilities", False, 1001)


def test_the_only_signature_is_used_whatever_its_name() -> None:
    found = chosen("m", metadata(classify=SMALL, __saved_model_init_op={"outputs": {}}), Wanted())
    assert found == Signature("classify", "b", "p", True, 10)


def test_settings_choose_among_several() -> None:
    served = metadata(serving_default=OFFICIAL, features=TWO_FLOATS)
    found = chosen("m", served, Wanted("features", "b", "features"))
    assert found == Signature("features", "b", "features", False, 64)


def test_a_model_need_not_tell_how_many_classes_it_has() -> None:
    unknown = {**SMALL, "outputs": {"p": tensor("DT_FLOAT", -1, -1)}}
    assert chosen("m", metadata(s=unknown), Wanted()).classes is None
    unshaped = {**SMALL, "outputs": {"p": {"dtype": "DT_FLOAT", "tensor_shape": {"unknown_rank": True}}}}
    assert chosen("m", metadata(s=unshaped), Wanted()).classes is None


@pytest.mark.parametrize(
    ("signatures", "wanted", "told"),
    [
        ({"a": SMALL, "b": SMALL}, Wanted(), "`signature` must be one of: a, b"),
        ({"a": SMALL}, Wanted(signature="x"), "no signature 'x'"),
        ({"a": SMALL}, Wanted(input="x"), "no input 'x'; `input` of 'a' is: b"),
        ({"a": SMALL}, Wanted(output="x"), "`output` must be one of: p"),
        ({"a": TWO_FLOATS}, Wanted(), "`output` must be one of: features, scores"),
        ({"a": {**SMALL, "outputs": {"c": tensor("DT_INT64", -1)}}}, Wanted(), "must be one of: none"),
        ({"a": {**SMALL, "inputs": {"x": tensor("DT_FLOAT", -1, 224)}}}, Wanted(), "takes DT_FLOAT, not"),
        ({"a": {**SMALL, "inputs": {"x": {}, "y": {}}}}, Wanted(), r"several inputs \(x, y\)"),
        ({"a": {}}, Wanted(), "not what TensorFlow Serving answers"),
    ],
)
def test_what_does_not_decide_is_told_with_the_choices(signatures: Any, wanted: Wanted, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        chosen("m", metadata(**signatures), wanted)


def test_a_dimension_that_is_no_number_is_no_model() -> None:
    with pytest.raises(ConfigurationError, match="check `url`"):
        chosen("m", metadata(a={**SMALL, "outputs": {"p": tensor("DT_FLOAT", "x", "y")}}), Wanted())


@pytest.mark.parametrize("strange", [{}, {"metadata": None}, {"metadata": {"signature_def": []}}])
def test_metadata_of_something_else_is_no_model(strange: Any) -> None:
    with pytest.raises(ConfigurationError, match="check `url`"):
        chosen("m", strange, Wanted())
