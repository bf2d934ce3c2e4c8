"""Pictures over REST: base64 in JSON there, decimal numbers in JSON back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pybase64 import b64encode

from classifyd.core.errors import Unavailable
from classifyd.engines.tfserving.api import ServingApi
from classifyd.engines.tfserving.signature import Signature


class RestTransport(ServingApi):
    """A `Transport` by the REST interface of a server."""

    def ask(self, version: int, signature: Signature, pictures: Sequence[bytes]) -> NDArray[np.floating]:
        """As `Transport` says."""
        return _numbers(self.predict(version, _request(signature, pictures)), signature, self.server)


def _request(signature: Signature, pictures: Sequence[bytes]) -> list[bytes]:
    """The predict request in row format, in pieces, which are joined once."""
    pieces = [b'{"signature_name":%b,"instances":[{"b64":"' % orjson.dumps(signature.name)]
    for picture in pictures:
        pieces += (b64encode(picture), b'"},{"b64":"')
    pieces[-1] = b'"}]}'
    return pieces


def _numbers(answers: list[Any], signature: Signature, server: str) -> NDArray[np.float64]:
    try:
        rows = answers if signature.single_output else [answer[signature.output] for answer in answers]
        return np.asarray(rows, np.float64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unavailable(f"{server} answers without probabilities: {error!r}") from error
