"""The two forms in which a picture comes: as a form's field `image`, or as the body itself."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from python_multipart.multipart import MultipartParser, parse_options_header

from classifyd.http.problems import ProblemError

FIELD = b"image"
MOST_FIELDS = 100
"""Of a form. Each costs the parser more than its bytes do: 64 MiB of nothing else took 16 s."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The picture as it came; `name` is the file's name in the form, in the client's own bytes."""

    data: bytes = field(repr=False)
    name: bytes | None


class Body(Protocol):
    """Takes a request's body in pieces."""

    def write(self, chunk: bytes) -> None:
        """Takes the next piece. Raises FormParserError for a form that is none, ProblemError for one of too
        many fields."""

    def upload(self) -> Upload:
        """What came, once all is written. Raises ProblemError where no picture did."""


class RawBody:
    """The body is the picture."""

    def __init__(self) -> None:
        self._data = (
            bytearray()
        )  # a list of pieces would hold many times the bytes of a client that sends crumbs

    def write(self, chunk: bytes) -> None:
        self._data += chunk

    def upload(self) -> Upload:
        return _picture(self._data, None)


class FormBody:
    """The picture is the field `image` of a multipart form (RFC 7578); other fields are passed over."""

    def __init__(self, boundary: bytes) -> None:
        """Raises FormParserError for a boundary that is too long."""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_header,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_data,
                "on_end": self._end,
            },
        )
        self._header = self._value = self._disposition = b""
        self._within_image = False
        self._fields = self._images = 0
        self._data = bytearray()
        self._name: bytes | None = None
        self._complete = False

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def upload(self) -> Upload:
        if not self._complete:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "The form stops before its last boundary.")
        if self._images > 1:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "The form has several fields `image`; send one.")
        return _picture(self._data, self._name)

    def _begin(self) -> None:
        self._within_image, self._disposition = False, b""
        self._fields += 1
        if self._fields > MOST_FIELDS:
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"The form has more than {MOST_FIELDS} fields.")

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") == FIELD:
            self._within_image = True
            self._images += 1
            self._name = options.get(b"filename") or None

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._within_image:
            self._data += data[start:end]

    def _end(self) -> None:
        self._complete = True


def _picture(data: bytearray, name: bytes | None) -> Upload:
    if not data:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "There is no image: send the form field `image`, or the JPEG as the body."
        )
    return Upload(bytes(data), name)
