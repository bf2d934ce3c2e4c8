"""The embedded engine on a model of known answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifyd.core.errors import ConfigurationError, Failed
from classifyd.core.values import Prediction, Reason, Rejected
from classifyd.engines.onnx import OnnxClassifier, OnnxConfig
from classifyd.engines.onnx.classifier import AT_ONCE
from verification.kit.colours import LABELS, write_colour_model
from verification.kit.pictures import image, jpeg, without_segment


def classifier(folder: Path, threads: int = 1, **options: Any) -> OnnxClassifier:
    return OnnxClassifier(OnnxConfig("colours", folder, threads=threads, **options))


def best(answer: object) -> tuple[str, float]:
    assert isinstance(answer, Prediction), answer
    return answer.best.label, answer.best.probability


@pytest.mark.parametrize("nchw", [False, True], ids=["NHWC", "NCHW"])
@pytest.mark.parametrize("logits", [False, True], ids=["probabilities", "logits"])
def test_a_card_and_its_model_tell_colours(tmp_path: Path, nchw: bool, logits: bool) -> None:
    model = classifier(write_colour_model(tmp_path, nchw=nchw, logits=logits))
    answers = model.classify([image(jpeg(colour, (100, 50))) for colour in LABELS])
    assert [best(answer)[0] for answer in answers] == list(LABELS)
    # softmax of (mean colour less 0.1) times the weights, of pure red (1, 0, 0)
    weighed = np.array([0.9 * 4 + 0.4, -0.9 * 2 - 0.2, -0.9 * 2 - 0.2, -0.7 * 4])
    assert best(answers[0])[1] == pytest.approx(np.exp(weighed[0]) / np.exp(weighed).sum(), abs=0.01)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [1, AT_ONCE, AT_ONCE + 1, 4 * AT_ONCE - 1])
def test_a_batch_of_any_size_is_answered_in_order_and_run_in_small_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, threads: int
) -> None:
    model = classifier(write_colour_model(tmp_path), threads)
    session, sizes = model._session, []

    class Counting:
        def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            sizes.append(len(inputs["pixels"]))
            return session.run(outputs, inputs)

    monkeypatch.setattr(model, "_session", Counting())
    wanted = [LABELS[number % len(LABELS)] for number in range(count)]
    answers = model.classify([image(jpeg(colour)) for colour in wanted])
    assert [best(answer)[0] for answer in answers] == wanted
    assert sum(sizes) == count
    assert max(sizes) == min(count, threads * AT_ONCE)


def test_without_a_number_of_threads_it_uses_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifyd.engines.onnx.classifier.usable_cores", lambda: 3)
    model = classifier(write_colour_model(tmp_path), threads=0)
    assert model._session.get_session_options().intra_op_num_threads == model._threads == 3


def test_the_undecodable_among_others_is_rejected_alone(tmp_path: Path) -> None:
    model = classifier(write_colour_model(tmp_path))
    bad = image(without_segment(jpeg("red"), 0xDB))
    green, rejected, blue = model.classify([image(jpeg("green")), bad, image(jpeg("blue"))])
    assert best(green)[0] == "green"
    assert best(blue)[0] == "blue"
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.UNDECODABLE
    assert model.classify([bad]) == [rejected]


def test_it_says_what_its_card_says(tmp_path: Path) -> None:
    model = classifier(write_colour_model(tmp_path))
    info = model.probe()
    assert (info.name, info.engine, info.version, info.labels) == ("colours", "onnx", "7", LABELS)
    assert info.details["title"] == model.card.title == "Colours"
    model.close()


def test_labels_may_be_replaced(tmp_path: Path) -> None:
    labels = tmp_path / "rouge.txt"
    labels.write_text("rouge\nvert\nbleu\nnoir\n")
    model = classifier(write_colour_model(tmp_path), labels=labels, top_k=2)
    [answer] = model.classify([image(jpeg("red"))])
    assert best(answer)[0] == "rouge"
    assert isinstance(answer, Prediction)
    assert len(answer.top) == 2


def test_a_failure_of_the_runtime_is_the_batchs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier(write_colour_model(tmp_path))

    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError("bad allocation")

    monkeypatch.setattr(model, "_session", Broken())
    with pytest.raises(Failed, match="ONNX Runtime failed: bad allocation"):
        model.classify([image(jpeg("red"))])


def replaced(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_too_few_labels_refuse_the_start(tmp_path: Path) -> None:
    folder = write_colour_model(tmp_path, labels=("red", "green"))
    with pytest.raises(ConfigurationError, match="4 outputs but 2 labels"):
        classifier(folder)


def test_a_missing_model_file_refuses_the_start(tmp_path: Path) -> None:
    folder = write_colour_model(tmp_path)
    (folder / "model.onnx").unlink()
    with pytest.raises(ConfigurationError, match=r"model\.onnx cannot be loaded"):
        classifier(folder)


def test_a_damaged_model_file_refuses_the_start(tmp_path: Path) -> None:
    folder = write_colour_model(tmp_path)
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:100])
    with pytest.raises(ConfigurationError, match=r"model\.onnx cannot be loaded"):
        classifier(folder)


def test_a_card_without_preprocessing_is_for_the_other_engine(tmp_path: Path) -> None:
    folder = write_colour_model(tmp_path)
    replaced(folder / "model.toml", "[preprocessing]", "[accuracy]")
    replaced(folder / "model.toml", "resize = [8, 8]", "")
    replaced(folder / "model.toml", "mean = [0.1, 0.1, 0.1]", "")
    with pytest.raises(ConfigurationError, match=r"no \[preprocessing\].*tfserving"):
        classifier(folder)


def test_a_card_that_prepares_something_else_refuses_the_start(tmp_path: Path) -> None:
    folder = write_colour_model(tmp_path)
    replaced(folder / "model.toml", "[8, 8]", "[16, 16]")
    with pytest.raises(ConfigurationError, match=r"does not take what model\.toml prepares"):
        classifier(folder)


def test_a_model_that_takes_no_batches_refuses_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"does not take what model\.toml prepares"):
        classifier(write_colour_model(tmp_path, batch=1))


def test_a_model_of_two_inputs_refuses_the_start(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    folder = write_colour_model(tmp_path)
    model = onnx.load(folder / "model.onnx")
    extra = onnx.helper.make_tensor_value_info("mask", onnx.TensorProto.FLOAT, [1])
    model.graph.input.append(extra)
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(ConfigurationError, match="inputs pixels, mask; it must have one"):
        classifier(folder)
