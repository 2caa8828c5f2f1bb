"""Redis servers that keep nothing on disk: alone, behind TLS, under a Sentinel, as a cluster."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.services.process import Server, free_port, free_ports, listens, require

_SLOTS = 16384


@dataclass(frozen=True)
class RedisServer:
    """A running server."""

    port: int
    server: Server

    @property
    def url(self) -> str:
        """Its URL, without a password."""
        return f"redis://127.0.0.1:{self.port}/0"


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 that signed itself."""

    file: Path
    key: Path


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server; gives its URL."""
    with serving(folder) as server:
        yield server.url


@contextmanager
def serving(folder: Path, *options: str, port: int | None = None) -> Iterator[RedisServer]:
    """Run a server with options such as `--requirepass`, on a port of its own or the one that is given."""
    port = port or free_port()
    program = _program("redis-server")
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with Server([*command, *options], folder, lambda: listens(port), seconds=20) as server:
        yield RedisServer(port, server)


@contextmanager
def serving_tls(folder: Path, certificate: Certificate) -> Iterator[int]:
    """Run a server that speaks TLS only; gives its port."""
    plain, port = free_ports(2)
    options = ["--tls-port", str(port), "--tls-cert-file", str(certificate.file)]
    options += ["--tls-key-file", str(certificate.key), "--tls-auth-clients", "no"]
    with serving(folder, *options, port=plain):
        yield port


def certificate(folder: Path) -> Certificate:
    """Make one."""
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    command = [
        _program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, "-keyout", str(made.key), "-out", str(made.file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return made


@contextmanager
def sentinel(folder: Path, master: RedisServer, name: str) -> Iterator[int]:
    """Run a Sentinel that watches a master; gives its port."""
    port = free_port()
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor {name} 127.0.0.1 {master.port} 1\n"
        f"sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 2000\n"
    )
    command = [_program("redis-server"), str(settings), "--sentinel"]
    with Server(command, folder, lambda: listens(port), seconds=20):
        yield port


@contextmanager
def cluster(folder: Path, nodes: int = 3) -> Iterator[list[RedisServer]]:
    """Run a cluster of masters."""
    ports = free_ports(2 * nodes)
    with ExitStack() as stack:
        servers = []
        for node, (port, bus) in enumerate(zip(ports[:nodes], ports[nodes:], strict=True)):
            place = folder / f"node{node}"
            place.mkdir()
            options = ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
            options += ["--cluster-node-timeout", "2000"]
            servers.append(stack.enter_context(serving(place, *options, port=port)))
        clients = [stack.enter_context(redis.Redis(port=server.port)) for server in servers]
        for node, client in enumerate(clients):
            first, end = node * _SLOTS // nodes, (node + 1) * _SLOTS // nodes
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", node + 1)
        for port, bus in zip(ports[1:nodes], ports[nodes + 1 :], strict=True):
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        wait_until(lambda: all(_knows_all(client, nodes) for client in clients), "the cluster is formed")
        yield servers


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Ask until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:g} s, and not yet: {what}")
        time.sleep(0.05)


def _knows_all(client: redis.Redis, nodes: int) -> bool:
    told = client.cluster("INFO")
    return (told["cluster_state"], told["cluster_known_nodes"]) == ("ok", str(nodes))


def _program(name: str) -> str:
    program = shutil.which(name)
    if program is None:
        require("Redis", f"no {name} on the path")
    return program
