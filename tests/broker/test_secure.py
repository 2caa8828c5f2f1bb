"""Kafka with TLS, SASL and access lists: who gets in, who does not, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from streamproc.broker.link import Link
from streamproc.errors import SettingsError
from streamproc.settings import load_settings
from tests.deployment import Deployment, body, ids
from tests.services import kafka_secure
from tests.services.kafka_secure import PASSWORD, SecureKafka


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with kafka_secure.running(tmp_path_factory.mktemp("secure")) as kafka:
        yield kafka


class Guarded(Deployment):
    """A deployment whose topics are made, and whose rights are granted, over the open listener."""

    def __init__(self, secure: SecureKafka, folder: Path, **settings: str) -> None:
        super().__init__(secure.open, folder, partitions=2)
        self._opened = dict(self.settings)
        self.run("topics", "create")
        self.secure = secure
        self.settings |= {"kafka.broker": secure.named, "kafka.security_protocol": "SASL_SSL",
                          "kafka.ca_file": str(secure.ca), **settings}  # fmt: skip

    def grant(self, user: str, *, topics: tuple[str, ...], group: bool = True) -> None:
        """Let a user read and write topics, and use the deployment's group."""
        resources = [(ResourceType.TOPIC, self.settings[f"topics.{topic}"]) for topic in topics]
        resources += [(ResourceType.GROUP, self.name)] if group else []
        rules = [
            ACL(f"User:{user}", "*", ACLOperation.ALL, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
            for kind, name in resources
        ]
        admin = KafkaAdminClient(bootstrap_servers=self.secure.open.bootstrap)
        try:
            admin.create_acls(rules)
        finally:
            admin.close()


EVERYTHING = ("posts", "entities", "shadow", "deadletters")


@pytest.mark.parametrize("way", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "certificate"])
async def test_a_worker_gets_in_and_tags(secure: SecureKafka, tmp_path: Path, way: str) -> None:
    if way == "certificate":
        settings = {
            "kafka.broker": secure.certified, "kafka.security_protocol": "SSL",
            "kafka.cert_file": str(secure.cert), "kafka.key_file": str(secure.key),
            "kafka.key_password": PASSWORD,
        }  # fmt: skip
    else:
        secret = tmp_path / "secret"
        secret.write_text(PASSWORD + "\n")
        settings = {
            "kafka.username": "worker", "kafka.password_file": str(secret), "kafka.sasl_mechanism": way,
        }  # fmt: skip
    stream = Guarded(secure, tmp_path, **settings)
    stream.grant("CN=worker" if way == "certificate" else "worker", topics=EVERYTHING)
    try:
        stream.start_worker()
        await stream.send({f"test:{number}": body(number) for number in range(20)})
        found = await stream.read("entities", lambda found: len(found) >= 20)
        assert ids(found) == {str(number) for number in range(20)}
        lag = await asyncio.to_thread(stream.run, "lag", "--json")
        assert '"lag"' in lag.stdout
    finally:
        stream.end()
    assert PASSWORD not in stream.logs()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kafka.password": "wrong"}, "does not know user worker, or not with this password and PLAIN"),
        (
            {"kafka.password": "wrong", "kafka.sasl_mechanism": "SCRAM-SHA-512"},
            "and SCRAM-SHA-512",
        ),
        ({"kafka.username": "stranger"}, "does not let this client use topic"),
        ({"kafka.ca_file": ""}, "its certificate is not trusted"),
    ],
    ids=["password", "scram password", "no rights", "unknown CA"],
)
def test_who_is_not_let_in_is_told_so_in_one_line(
    secure: SecureKafka, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    stream = Guarded(secure, tmp_path, **{"kafka.username": "worker", "kafka.password": PASSWORD, **change})
    stream.grant("worker", topics=EVERYTHING)
    if not stream.settings["kafka.ca_file"]:
        del stream.settings["kafka.ca_file"]
    ended = stream.run("worker", check=False)
    assert (ended.returncode, said in ended.stderr.splitlines()[-1]) == (2, True), ended.stderr
    assert PASSWORD not in ended.stderr
    assert "wrong" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("topics", "group", "said"),
    [
        (("posts", "entities", "deadletters"), False, "use consumer group"),
        (("posts", "deadletters"), True, "use topic"),
    ],
    ids=["group", "output topic"],
)
async def test_a_right_that_lacks_ends_the_worker_with_its_name(
    secure: SecureKafka, tmp_path: Path, topics: tuple[str, ...], group: bool, said: str
) -> None:
    stream = Guarded(secure, tmp_path, **{"kafka.username": "worker", "kafka.password": PASSWORD})
    stream.grant("worker", topics=topics, group=group)
    try:
        worker = stream.start_worker()
        await stream.send({"test:1": body(1)})
        assert await asyncio.to_thread(worker.wait, 60) == 2
    finally:
        stream.end()
    last = stream.logs().splitlines()[-1]
    assert said in last
    assert (stream.name if group is False else stream.settings["topics.entities"]) in last


def test_secrets_are_not_shown_in_errors(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(environment={}, assignments=["kafka.password=hush"])
    assert "password: not used with security_protocol = PLAINTEXT" in str(raised.value)
    assert "hush" not in str(raised.value)
    settings = load_settings(
        environment={"STREAMPROC_KAFKA__PASSWORD": "[hush"},
        assignments=["kafka.username=me", "kafka.security_protocol=SASL_PLAINTEXT"],
    )
    link = Link.of(settings.kafka)
    assert link.arguments()["sasl_plain_password"] == "[hush"
    assert "hush" not in repr(link)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ca_file": "nowhere.pem", "security_protocol": "SSL"}, "kafka.ca_file nowhere.pem: No such file"),
        (
            {"password_file": "x", "username": "me", "security_protocol": "SASL_SSL"},
            "kafka.password_file",
        ),
        ({"cert_file": "nowhere.pem", "security_protocol": "SSL"}, "nowhere.pem: No such file"),
    ],
)
def test_a_file_that_is_not_there_is_named(given: dict[str, str], said: str) -> None:
    settings = load_settings(
        environment={}, assignments=[f"kafka.{key}={value}" for key, value in given.items()]
    )
    with pytest.raises(SettingsError, match=said):
        Link.of(settings.kafka)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"security_protocol": "SASL_SSL"}, "SASL_SSL wants username"),
        ({"security_protocol": "SSL", "username": "me"}, "username: not used with security_protocol = SSL"),
        ({"ca_file": "x.pem"}, "ca_file: not used with security_protocol = PLAINTEXT"),
    ],
)
def test_what_does_not_fit_together_is_said(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(environment={}, assignments=[f"kafka.{key}={value}" for key, value in given.items()])
