"""Durations, sizes and pixel counts as people write them. A bare number is an error: of what?"""

import re

_NUMBER = re.compile(r"\s*([0-9]{1,16}(?:\.[0-9]{1,15})?)\s*([A-Za-z]*)\s*")

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# IEC 80000-13: KiB, MiB ... are powers of 1024, kB, MB ... powers of 1000.
BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
PIXELS = {"px": 1, "k": 10**3, "M": 10**6, "G": 10**9, "kpx": 10**3, "Mpx": 10**6, "MP": 10**6, "Gpx": 10**9}


def duration(text: object) -> float:
    """Seconds, from text such as `500ms`, `30s`, `5m`, `1.5h`, `90d`. Raises ValueError for anything else."""
    return _parse(text, SECONDS, "a duration such as 500ms, 30s, 5m, 2h or 90d")


def size(text: object) -> int:
    """Bytes, from text such as `64MiB`, `10MB`, `512B`. Raises ValueError for anything else."""
    return round(_parse(text, BYTES, "a size such as 512KiB, 64MiB or 10MB"))


def pixels(text: object) -> int:
    """Pixels, from text such as `128M`, `24MP`, `500000px`. Raises ValueError for anything else."""
    return round(_parse(text, PIXELS, "a number of pixels such as 128M, 24MP or 500000px"))


def duration_text(seconds: float) -> str:
    """The shortest text that `duration` turns back into the same number of seconds."""
    if seconds != int(seconds):
        milliseconds = seconds * 1000
        return f"{milliseconds:.0f}ms" if milliseconds == int(milliseconds) else f"{seconds!r}s"
    return _largest(int(seconds), {"d": 86_400, "h": 3600, "m": 60, "s": 1})


def size_text(count: int) -> str:
    """The shortest text that `size` turns back into the same number of bytes."""
    return _largest(count, {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1})


def pixels_text(count: int) -> str:
    """The shortest text that `pixels` turns back into the same count."""
    return _largest(count, {"G": 10**9, "M": 10**6, "k": 10**3, "px": 1})


def _parse(text: object, units: dict[str, float] | dict[str, int], wanted: str) -> float:
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    unit = match[2] if match else ""
    if match is None or unit not in units:
        if unit:
            raise ValueError(f"has an unknown unit {unit!r}: write {wanted}")
        what = "needs a unit" if match or isinstance(text, int | float) else "is not understood"
        raise ValueError(f"{what}: write {wanted}")
    return float(match[1]) * units[unit]


def _largest(count: int, units: dict[str, int]) -> str:
    name, worth = next(
        ((name, worth) for name, worth in units.items() if count % worth == 0 and count >= worth),
        list(units.items())[-1],
    )
    return f"{count // worth}{name}"
