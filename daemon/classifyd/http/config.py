"""What the HTTP API is told."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """`record` says whether answered pictures become rows, `publish` whether those rows are published.

    `deadline` is how many seconds a request waits for its picture's outcome; `api_key`, where set, is asked
    for as `Authorization: Bearer`. Port 0 takes any free port. `client_timeout` is how many seconds a client
    is waited for, `max_connections` how many connections may be open.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    record: bool = True
    publish: bool = False
    deadline: float = 30.0
    client_timeout: float = 10.0
    max_connections: int = 512
    api_key: str | None = field(default=None, repr=False)
