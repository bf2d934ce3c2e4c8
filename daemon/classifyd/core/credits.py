"""Credits: what may be under way at once, in items and bytes. A passive count."""


class Credits:
    """Counts items and bytes under way against two limits.

    Something larger than the whole capacity counts as the capacity: it passes, alone.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items = 0
        self._bytes = 0

    @property
    def items(self) -> int:
        return self._items

    @property
    def bytes(self) -> int:
        return self._bytes

    def take(self, size: int) -> bool:
        """Takes credit for one item of `size` bytes, or leaves everything as it is and returns False."""
        counted = min(size, self._max_bytes)
        if self._items >= self._max_items or self._bytes + counted > self._max_bytes:
            return False
        self._items += 1
        self._bytes += counted
        return True

    def give_back(self, size: int) -> None:
        """Gives back what `take(size)` took. Raises ValueError when that much was not taken."""
        counted = min(size, self._max_bytes)
        if self._items < 1 or self._bytes < counted:
            raise ValueError(f"{size} bytes of credit were given back that had not been taken")
        self._items -= 1
        self._bytes -= counted
