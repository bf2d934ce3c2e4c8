"""How a TensorFlow Serving is asked: over REST or over gRPC, as the scheme of its address says."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifyd.core.errors import ConfigurationError
from classifyd.engines.tfserving.rest import RestTransport
from classifyd.engines.tfserving.signature import Signature


class Transport(Protocol):
    """Calls to one model at a server. Safe from any thread; calls must run inside `deadline()`."""

    @property
    def server(self) -> str:
        """The server's address without credentials, for messages."""

    def states(self) -> dict[int, str]:
        """The state of each version: START, LOADING, AVAILABLE, UNLOADING, END. Raises Unavailable."""

    def metadata(self, version: int) -> Mapping[str, Any]:
        """What the version says of its signatures, as REST words it. Raises Unavailable."""

    def ask(self, version: int, signature: Signature, pictures: Sequence[bytes]) -> NDArray[np.floating]:
        """The numbers of the signature's output for these pictures, in the shape in which they came.

        Raises NotLoaded (an Unavailable), Unavailable, Refused or Failed.
        """

    def close(self) -> None:
        """Closes the kept connections."""


def transport_to(url: str, model: str, proxy: str | None) -> Transport:
    """The transport to a model at the server with this address. Raises ConfigurationError."""
    if not url.startswith(("grpc:", "grpcs:")):
        return RestTransport(url, model, proxy)
    if proxy:
        raise ConfigurationError(
            f"model {model}: a server is asked over gRPC without a `proxy`: leave it out"
        )
    try:
        from classifyd.engines.tfserving.over_grpc import GrpcTransport
    except ImportError as error:
        raise ConfigurationError(
            f"model {model}: gRPC needs a library that is not installed: pip install grpcio, or write the"
            " address of the REST interface, http://HOST:8501"
        ) from error
    return GrpcTransport(url, model)
