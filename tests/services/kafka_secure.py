"""Apache Kafka that wants TLS and a name: SASL_SSL with PLAIN and SCRAM, client certificates, ACLs.

A plain listener beside them is the test's own, whose user may do everything.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.kafka import Kafka, start
from tests.services.process import free_ports, require

PASSWORD = "s3cret of the tests"

_PROPERTIES = """
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=INTERNAL://127.0.0.1:{port},NAMED://127.0.0.1:{named},CERTIFIED://127.0.0.1:{certified},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=INTERNAL://127.0.0.1:{port},NAMED://127.0.0.1:{named},CERTIFIED://127.0.0.1:{certified}
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=INTERNAL:PLAINTEXT,NAMED:SASL_SSL,CERTIFIED:SSL,CONTROLLER:PLAINTEXT
listener.name.named.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.named.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="{password}" user_stranger="{password}";
listener.name.named.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.named.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.certified.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""  # noqa: E501 - a properties file


@dataclass(frozen=True)
class SecureKafka:
    """A running broker.

    Attributes:
        open: the plain listener, with every right.
        named: HOST:PORT that wants SASL over TLS.
        certified: HOST:PORT that wants a client certificate; its user is `CN=worker`.
        ca: certificate to trust.
        cert: of the client.
        key: of the client, with the password `PASSWORD`.
    """

    open: Kafka
    named: str
    certified: str
    ca: Path
    cert: Path
    key: Path


@contextmanager
def running(folder: Path) -> Iterator[SecureKafka]:
    """Make certificates, then run a broker with them."""
    if shutil.which("openssl") is None:
        require("Apache Kafka with TLS", "no openssl on the path")
    _certificates(folder)
    port, named, certified, controller = free_ports(4)
    properties = _PROPERTIES.format(
        port=port, named=named, certified=certified, controller=controller, folder=folder, password=PASSWORD
    )
    users = [
        f"--add-scram={mechanism}=[name=worker,password={PASSWORD}]"
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
    ]
    with start(folder, properties, port, users) as kafka:
        yield SecureKafka(
            kafka, f"127.0.0.1:{named}", f"127.0.0.1:{certified}",
            folder / "ca.pem", folder / "client.crt", folder / "client.key",
        )  # fmt: skip


def _certificates(folder: Path) -> None:
    """A CA, and of it the broker's certificate for 127.0.0.1 and the client's."""
    _openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test CA",
             "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    for name, subject, secret in (("broker", "/CN=broker", None), ("client", "/CN=worker", PASSWORD)):
        hidden = ["-nodes"] if secret is None else ["-passout", f"pass:{secret}"]
        _openssl(folder, "req", "-newkey", "rsa:2048", *hidden, "-subj", subject, "-addext",
                 "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key",
                 "-out", f"{name}.csr")  # fmt: skip
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                 "-days", "2", "-CAcreateserial", "-copy_extensions", "copy",
                 "-out", f"{name}.crt")  # fmt: skip
    parts = ((folder / f"broker.{kind}").read_text() for kind in ("key", "crt"))
    (folder / "broker.pem").write_text("".join(parts))


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["openssl", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )
