"""What the daemon shows to the machine it runs on: one address, and no secret."""

import socket
import struct
from pathlib import Path

import pytest

from tests.integration.kafka.support import make_topic
from verification.kit.broker import Broker
from verification.kit.daemon import DaemonProcess
from verification.kit.process import sockets, table

pytestmark = pytest.mark.timeout(240)

LISTENING = "0A"  # TCP_LISTEN, include/net/tcp_states.h
ACCEPTING = 0x10000  # __SO_ACCEPTCON, include/uapi/linux/net.h
UNBOUND_DATAGRAM = "07"  # TCP_CLOSE: how /proc shows an UDP socket that anybody may send to


def listening(pid: int) -> list[str]:
    """Every address at which a process takes what others send: TCP, UDP and Unix sockets (proc(5))."""
    own, found = sockets(pid), []
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in table(pid, kind):
            _, address, _, state, *_, inode = line[:10]
            if inode in own and state == (LISTENING if kind.startswith("tcp") else UNBOUND_DATAGRAM):
                found.append(f"{kind} {_readable(address)}")
    for line in table(pid, "unix"):
        flags, inode = int(line[3], 16), line[6]
        if inode in own and flags & ACCEPTING:
            found.append(f"unix {line[7:]}")
    return found


def _readable(address: str) -> str:
    host, port = address.split(":")
    if len(host) == 8:
        return f"{socket.inet_ntoa(struct.pack('<I', int(host, 16)))}:{int(port, 16)}"
    return f"{host}:{int(port, 16)}"


def test_the_table_shows_what_listens():
    """Or else the next test could not fail."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind("")  # an abstract name that the system chooses: unix(7), "autobind"
        unix.listen()
        shown = listening(_this_process())
        assert f"tcp 127.0.0.1:{tcp.getsockname()[1]}" in shown
        assert f"udp 127.0.0.1:{udp.getsockname()[1]}" in shown
        assert any(address.startswith("unix") for address in shown)


def _this_process() -> int:
    return int(Path("/proc/self").readlink().name)


@pytest.mark.kafka
def test_nothing_but_the_configured_address_listens(tmp_path: Path, broker: Broker) -> None:
    settings = {
        "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CLASSIFYD_KAFKA__INPUT__TOPIC": make_topic(broker, "listening", 1),
        "CLASSIFYD_KAFKA__INPUT__GROUP_ID": "listening",
    }
    with DaemonProcess(tmp_path, settings) as daemon:
        assert listening(daemon.pid) == [f"tcp 127.0.0.1:{daemon.port}"]


def test_without_http_nothing_listens(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, {"CLASSIFYD_HTTP__ENABLED": "false"})
    daemon.launch()
    try:
        daemon.wait_until_logged('"started"')
        assert listening(daemon.pid) == []
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def test_no_password_is_told_by_a_command_or_the_log(tmp_path: Path) -> None:
    """Not even where all that it leads to is away, and its library says why."""
    away = "me:{password}@127.0.0.1:9"  # port 9 (discard): nobody listens
    password = iter(f"hunter{number}-9d1f" for number in range(9))
    settings = {
        "CLASSIFYD_LOG__LEVEL": "debug",
        "CLASSIFYD_HTTP__API_KEY": next(password),
        "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "CLASSIFYD_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "CLASSIFYD_KAFKA__SASL_MECHANISM": "PLAIN",
        "CLASSIFYD_KAFKA__SASL_PLAIN_USERNAME": "me",
        "CLASSIFYD_KAFKA__SASL_PLAIN_PASSWORD": next(password),
        "CLASSIFYD_KAFKA__INPUT__TOPIC": "pictures",
        "CLASSIFYD_KAFKA__OUTPUT__TOPIC": "classifications",
        "CLASSIFYD_KAFKA__CONSUMER__PROXY_URL": f"socks5://{away}".format(password=next(password)),
        "CLASSIFYD_KAFKA__PRODUCER__PROXY_URL": f"http://{away}".format(password=next(password)),
        "CLASSIFYD_MODELS__RESNET__ENGINE": "tfserving",
        "CLASSIFYD_MODELS__RESNET__URL": f"http://{away}".format(password=next(password)),
    }
    daemon = DaemonProcess(tmp_path, settings)
    daemon.launch()
    try:
        told = [daemon.command("config", "show"), daemon.command("check")]
        daemon.wait_until_logged('"part": "kafka", "reason"')
        assert "-9d1f" not in daemon.log.read_text()
    finally:
        daemon.kill()
    assert [one.returncode for one in told] == [0, 1]
    for one in told:
        assert "-9d1f" not in one.stdout + one.stderr, one.args
        assert "127.0.0.1:9" in one.stdout + one.stderr
