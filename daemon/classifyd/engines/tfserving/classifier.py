"""A model at a TensorFlow Serving, pinned to the version that its status tells."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classifyd.core.errors import ClassifierError, ConfigurationError, Failed, Unavailable
from classifyd.core.values import Image, ModelInfo, Prediction, Rejected
from classifyd.engines import ranking
from classifyd.engines.labels import read_labels, require_fit
from classifyd.engines.tfserving.api import NotLoaded
from classifyd.engines.tfserving.deadline import deadline
from classifyd.engines.tfserving.signature import Signature, Wanted, chosen
from classifyd.engines.tfserving.transport import transport_to
from classifyd.telemetry import emit
from classifyd.telemetry.engines import ModelVersionPinned

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class TFServingConfig:
    """A model at a TensorFlow Serving.

    `name` is the name it is configured under, `url` the server's address (http:// or https:// for its REST
    interface, grpc:// or grpcs:// for gRPC), `model` its name there (None: the same). `version` is a number,
    or `latest`, which follows what the server serves: looked up again
    every `version_refresh` seconds. `labels` is a file with a label for each output; without one, classes are
    named by their index. `signature`, `input` and `output` are found in the model's metadata where None.
    `timeout` bounds each call as a whole, in seconds. `top_k` classes are kept of each prediction.
    """

    name: str
    url: str
    model: str | None = None
    version: str = LATEST
    version_refresh: float = 30.0
    labels: Path | None = None
    signature: str | None = None
    input: str | None = None
    output: str | None = None
    timeout: float = 20.0
    top_k: int = 5
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class _Servable:
    """A version that was found served, with what is known of it; looked up again after `fresh_until`."""

    version: int
    signature: Signature
    labels: tuple[str, ...] | None
    fresh_until: float


class TFServingClassifier:
    """A `core.ports.Classifier`. Raises ConfigurationError for settings that cannot be right; whether the
    server is there, and its model fits, is `probe`'s business."""

    def __init__(self, config: TFServingConfig) -> None:
        if config.version != LATEST and not config.version.isdecimal():
            raise ConfigurationError(
                f'model {config.name}: version {config.version!r}; write "latest" or a version\'s number'
            )
        self._config = config
        self._labels = read_labels(config.labels) if config.labels else None
        self._transport = transport_to(config.url, config.model or config.name, config.proxy)
        self._wanted = Wanted(config.signature, config.input, config.output)
        self._servable: _Servable | None = None
        self._replacing = threading.Lock()

    @property
    def name(self) -> str:
        """The name it is configured under."""
        return self._config.name

    def classify(self, images: Sequence[Image]) -> list[Prediction | Rejected | ClassifierError]:
        """As `core.ports.Classifier` says, within `timeout` seconds in all."""
        if not images:
            return []
        with deadline(self._config.timeout):
            try:
                return self._classified(images)
            except ConfigurationError as error:  # the server's model changed under us
                raise Unavailable(str(error)) from error

    def probe(self) -> ModelInfo:
        """As `core.ports.Classifier` says, within `timeout` seconds in all."""
        with deadline(self._config.timeout):
            servable = self._find()
        return ModelInfo(
            self.name,
            "tfserving",
            str(servable.version),
            servable.labels or (),
            {"url": self._transport.server, "signature": servable.signature.name},
        )

    def close(self) -> None:
        """Closes the kept connections."""
        self._transport.close()

    def _classified(self, images: Sequence[Image]) -> list[Prediction | Rejected | ClassifierError]:
        servable = self._servable
        if servable is None or time.monotonic() >= servable.fresh_until:
            servable = self._find()
        pictures = [image.data for image in images]
        try:
            rows = self._transport.ask(servable.version, servable.signature, pictures)
        except NotLoaded:  # another version may have taken its place since it was looked up
            servable = self._find()
            rows = self._transport.ask(servable.version, servable.signature, pictures)
        if rows.ndim and len(rows) != len(images):
            raise Failed(f"model {self.name} gave {len(rows)} predictions for {len(images)} pictures")
        if rows.ndim != 2 or not rows.shape[1]:
            raise Unavailable(
                f"model {self.name} answers with numbers of shape {rows.shape}, not one row a picture"
            )
        labels = servable.labels or _indices(rows.shape[1])
        if len(labels) != rows.shape[1]:
            raise Unavailable(
                f"model {self.name} answers with {rows.shape[1]} probabilities, but has {len(labels)} labels"
            )
        version = str(servable.version)
        return [*ranking.predictions(rows, labels, self._config.top_k, self.name, version)]

    def _find(self) -> _Servable:
        """Looks up which version is served, and how it is asked if it is new. Raises Unavailable, or
        ConfigurationError when it does not fit."""
        version = self._served_version(self._transport.states())
        known = self._servable
        if known is not None and known.version == version:
            signature, labels = known.signature, known.labels
        else:
            signature = chosen(self.name, self._transport.metadata(version), self._wanted)
            labels = self._fitting_labels(signature)
        fresh_until = time.monotonic() + self._config.version_refresh
        servable = _Servable(version, signature, labels, fresh_until)
        with self._replacing:
            replaced, self._servable = self._servable, servable
        previous = replaced.version if replaced else None
        if previous != version:
            emit(ModelVersionPinned(model=self.name, version=version, previous=previous))
        return servable

    def _served_version(self, states: dict[int, str]) -> int:
        wanted = states if self._config.version == LATEST else {int(self._config.version)}
        served = [version for version in wanted if states.get(version) == "AVAILABLE"]
        if not served:
            told = ", ".join(f"{version} {state}" for version, state in sorted(states.items())) or "none"
            raise NotLoaded(
                f"model {self.name}: version {self._config.version} is not served by"
                f" {self._transport.server}; versions there: {told}"
            )
        return max(served)

    def _fitting_labels(self, signature: Signature) -> tuple[str, ...] | None:
        if self._labels is None:
            return None if signature.classes is None else _indices(signature.classes)
        if signature.classes is not None:
            require_fit(self.name, self._labels, signature.classes)
        return self._labels


def _indices(count: int) -> tuple[str, ...]:
    return tuple(str(index) for index in range(count))
