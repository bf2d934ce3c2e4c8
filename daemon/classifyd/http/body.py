"""The two forms in which a picture comes: as a form's field `image`, or as the body itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from python_multipart.multipart import parse_options_header

from classifyd.http.problems import ProblemError

FIELD = b"image"
MOST_FIELDS = 100
"""Of a form. Each is looked at by itself, however small it is."""
MOST_HEADER_BYTES = 8 * 2**10
"""Of a field, all its headers together."""
LONGEST_BOUNDARY = 256
"""In bytes; RFC 2046 allows 70."""

Body = bytes | bytearray


@dataclass(frozen=True, slots=True)
class Upload:
    """The picture as it came; `name` is the file's name in the form, in the client's own bytes."""

    data: bytes = field(repr=False)
    name: bytes | None


def is_form(content_type: bytes) -> bool:
    """Whether the body is a multipart form; anything else is taken for the picture itself."""
    return content_type[:10].lower() == b"multipart/"


def picture(body: Body, content_type: bytes) -> Upload:
    """The picture in a whole body. Raises ProblemError where there is none."""
    upload = _of_form(body, _boundary(content_type)) if is_form(content_type) else Upload(bytes(body), None)
    if not upload.data:
        raise _bad("There is no image: send the form field `image`, or the JPEG as the body.")
    return upload


def _boundary(content_type: bytes) -> bytes:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _bad("The form's Content-Type tells no boundary.")
    if len(boundary) > LONGEST_BOUNDARY:
        raise _unreadable(f"its boundary has more than {LONGEST_BOUNDARY} bytes")
    return boundary


def _of_form(form: Body, boundary: bytes) -> Upload:
    """The field `image` of a multipart form (RFC 7578); other fields are passed over."""
    image = Upload(b"", None)
    images = 0
    for number, (headers, start, end) in enumerate(_fields(form, boundary)):
        if number == MOST_FIELDS:
            raise _bad(f"The form has more than {MOST_FIELDS} fields.")
        options = _disposition(headers)
        if options.get(b"name") == FIELD:
            images += 1
            if images > 1:
                raise _bad("The form has several fields `image`; send one.")
            image = Upload(bytes(memoryview(form)[start:end]), options.get(b"filename") or None)
    return image


def _fields(form: Body, boundary: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The headers of each field, and where its value begins and ends (RFC 2046, section 5.1.1): found by
    searching for the next delimiter, which costs a tenth of walking through the picture."""
    delimiter = b"\r\n--" + boundary
    position = len(delimiter) - 2 if form.startswith(delimiter[2:]) else _past(form, delimiter)
    while (line_end := form[position : position + 2]) == b"\r\n":
        head_end = form.find(b"\r\n\r\n", position, position + MOST_HEADER_BYTES)
        if head_end < 0:
            raise _unreadable("the headers of a field have no end, or are too long")
        start = head_end + 4
        end = form.find(delimiter, start)
        if end < 0:
            raise _cut_off()
        yield bytes(form[position:head_end]), start, end
        position = end + len(delimiter)
    if len(line_end) < 2:
        raise _cut_off()
    if line_end != b"--":
        raise _unreadable("something else stands behind its boundary")


def _past(form: Body, delimiter: bytes) -> int:
    """The end of the first delimiter; what stands before it is nobody's (section 5.1.1, preamble)."""
    found = form.find(delimiter)
    if found < 0:
        raise _unreadable("its boundary is not in it")
    return found + len(delimiter)


def _disposition(headers: bytes) -> Mapping[bytes, bytes]:
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-disposition":
            return parse_options_header(value.strip())[1]
    return {}


def _bad(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, detail)


def _unreadable(reason: str) -> ProblemError:
    return _bad(f"The form cannot be read: {reason}.")


def _cut_off() -> ProblemError:
    return _bad("The form stops before its last boundary.")
