"""Saying something once."""

from collections import OrderedDict
from collections.abc import Hashable


class Once:
    """Remembers the last `limit` subjects, so that its memory is bounded."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._said: OrderedDict[Hashable, None] = OrderedDict()

    def first(self, subject: Hashable) -> bool:
        """Whether this is the first time that this subject is named."""
        if subject in self._said:
            self._said.move_to_end(subject)
            return False
        self._said[subject] = None
        if len(self._said) > self._limit:
            self._said.popitem(last=False)
        return True
