"""The control picture: a valid JPEG of our own (a 32×32 gradient) that every model must accept.

A picture that the model refuses is rejected only when the model accepts this one right after.
"""

import hashlib
from base64 import b64decode
from datetime import UTC, datetime

from classifyd.core.values import Image, Origin, Source

_DATA = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    "UlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P"
    "T09PT09PT0//wAARCAAgACADASIAAhEBAxEB/8QAGAABAQEBAQAAAAAAAAAAAAAABAUDAgb/xAAfEAABBAIDAQEAAAAAAAAAAAAB"
    "AAMEMRESEyFBAmH/xAAZAQACAwEAAAAAAAAAAAAAAAAFBgIDBAf/xAAgEQABBAIBBQAAAAAAAAAAAAAEAAECAwURIRITMUFD/9oA"
    "DAMBAAIRAxEAPwDxzUbUUtOHPifw48WrUbY0ieTP+UFAK/26LHi5I6VViLqKSY0TAHSYGcClVQ8RquuXlMYxW30pfyxk0qEWJXSR"
    "Hi5I6VViLqKQcTds3tmufDla4Q24+opdhnJpP4fxbsRdjSyZI97JdqCZAr9cr//Z"
)

CONTROL = Image(
    origin=Origin(Source.HTTP, key="control", name="control"),
    data=_DATA,
    sha256=hashlib.sha256(_DATA).hexdigest(),
    size_bytes=len(_DATA),
    width=32,
    height=32,
    received_at=datetime(1970, 1, 1, tzinfo=UTC),
)
