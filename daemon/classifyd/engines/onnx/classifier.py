"""A model file run by ONNX Runtime in this process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from classifyd.core.errors import ClassifierError, ConfigurationError, Failed
from classifyd.core.values import Image, ModelInfo, Prediction, Rejected
from classifyd.engines import ranking
from classifyd.engines.card import ModelCard, read_card
from classifyd.engines.labels import read_labels, require_fit
from classifyd.engines.onnx.budget import PixelBudget
from classifyd.engines.onnx.cores import usable_cores
from classifyd.engines.onnx.pixels import Pixelator, Pixels

AT_ONCE = 4
"""Pictures for each thread in one run of the network: with more, what passes from layer to layer leaves the
processor's cache. The bundled model takes 4 % less time for eight runs of four than for one of 32."""


@dataclass(frozen=True, slots=True)
class OnnxConfig:
    """A model for the embedded engine.

    `name` is the name it is configured under, `folder` holds `model.toml` and what that names, `labels`
    replaces the card's labels file. `top_k` classes are kept of each prediction. `threads` is how many
    ONNX Runtime uses for one batch (0: one for each core that the process may use). `pixel_budget` bounds
    the pixels decoded at once; a picture takes up to 12 bytes a pixel while it is decoded.
    """

    name: str
    folder: Path
    labels: Path | None = None
    top_k: int = 5
    threads: int = 0
    pixel_budget: int = 64_000_000


class OnnxClassifier:
    """A `core.ports.Classifier`. Decodes of concurrent calls share one pixel budget; the session is one,
    and safe for them all.

    Raises ConfigurationError when the folder, the card, the labels and the model do not fit together.
    """

    def __init__(self, config: OnnxConfig) -> None:
        card = read_card(config.folder)
        if card.preprocessing is None:
            raise ConfigurationError(
                f"model {config.name}: {config.folder}/model.toml has no [preprocessing], which the embedded"
                f' engine needs; use engine = "tfserving" for it'
            )
        self._config = config
        self._card = card
        self._labels = read_labels(config.labels or config.folder / card.labels)
        self._pixelator = Pixelator(card.preprocessing, PixelBudget(config.pixel_budget))
        self._threads = config.threads or usable_cores()
        self._session = _session(config.name, config.folder / card.model, self._threads)
        self._input = self._only_input()
        require_fit(config.name, self._labels, self._outputs(card.preprocessing.size))

    @property
    def name(self) -> str:
        """The name it is configured under."""
        return self._config.name

    @property
    def card(self) -> ModelCard:
        """What the model's folder says of it."""
        return self._card

    def classify(self, images: Sequence[Image]) -> list[Prediction | Rejected | ClassifierError]:
        """As `core.ports.Classifier` says. Raises Failed when ONNX Runtime cannot run the batch."""
        decoded = [self._pixelator.decode(image.data) for image in images]
        answers = iter(self._predictions([one for one in decoded if isinstance(one, np.ndarray)]))
        return [next(answers) if isinstance(one, np.ndarray) else one for one in decoded]

    def probe(self) -> ModelInfo:
        """What the model is; it can always be asked."""
        return ModelInfo(
            self.name,
            "onnx",
            self._card.version,
            self._labels,
            {"title": self._card.title, "licence": self._card.licence, "source": self._card.source},
        )

    def close(self) -> None:
        """Nothing to give back but memory, which goes with the object."""

    def _predictions(self, pictures: list[Pixels]) -> Iterable[Prediction | Failed]:
        if not pictures:
            return ()
        try:
            rows = self._run(self._pixelator.tensor(pictures))
        except Exception as error:
            raise Failed(f"model {self.name}: ONNX Runtime failed: {error}") from error
        return ranking.predictions(rows, self._labels, self._config.top_k, self.name, self._card.version)

    def _run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        step = AT_ONCE * self._threads
        parts = [tensor[start : start + step] for start in range(0, len(tensor), step)]
        outputs = [self._session.run(None, {self._input: part})[0].reshape(len(part), -1) for part in parts]
        rows: NDArray[np.float32] = np.concatenate(outputs)
        return _softmax(rows) if self._card.output == "logits" else rows

    def _only_input(self) -> str:
        inputs = [entry.name for entry in self._session.get_inputs()]
        if len(inputs) != 1:
            raise ConfigurationError(
                f"model {self.name}: the ONNX model has the inputs {', '.join(inputs)}; it must have one"
            )
        return str(inputs[0])

    def _outputs(self, size: tuple[int, int]) -> int:
        """How many classes it answers with: found by running it on two black pictures, which also shows
        that input, layout and batches fit."""
        black = np.zeros((*size, 3), np.uint8)
        try:
            return int(self._run(self._pixelator.tensor([black, black])).shape[1])
        except Exception as error:
            raise ConfigurationError(
                f"model {self.name}: the ONNX model does not take what model.toml prepares for it: {error}"
            ) from error


def _session(model: str, path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin between batches would take the cores from decoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ConfigurationError(f"model {model}: {path} cannot be loaded: {error}") from error


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)
