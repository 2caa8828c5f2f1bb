"""How Kafka is reached: addresses, TLS, and who we say we are. Every client is made from this."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from streamproc.errors import SettingsError
from streamproc.settings import Kafka

_SASL: Final = "SASL_PLAINTEXT", "SASL_SSL"
_TLS: Final = "SSL", "SASL_SSL"


@dataclass(frozen=True, slots=True)
class Link:
    """A way to the brokers.

    Attributes:
        address: `HOST:PORT`, several with commas between.
        protocol: Kafka's name of it: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        tls: where the protocol has it.
        mechanism: of SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
        username: for SASL.
        password: for SASL; shown nowhere.
    """

    address: str
    protocol: str = "PLAINTEXT"
    tls: ssl.SSLContext | None = None
    mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, kafka: Kafka) -> Link:
        """What the settings say, with the files that they name.

        Raises:
            SettingsError: one of the files cannot be used; says which.
        """
        return cls(
            address=kafka.broker,
            protocol=kafka.security_protocol,
            tls=_tls(kafka) if kafka.security_protocol in _TLS else None,
            mechanism=kafka.sasl_mechanism,
            username=kafka.username,
            password=_password(kafka) if kafka.security_protocol in _SASL else None,
        )

    @property
    def servers(self) -> list[str]:
        """The addresses, one by one."""
        return [address.strip() for address in self.address.split(",")]

    def arguments(self) -> dict[str, Any]:
        """For the clients of aiokafka and kafka-python, which call all of it the same."""
        given: dict[str, Any] = {"bootstrap_servers": self.servers, "security_protocol": self.protocol}
        if self.tls is not None:
            given["ssl_context"] = self.tls
        if self.protocol in _SASL:
            given |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return given

    def faust_credentials(self) -> Any:
        """For a Faust app's `broker_credentials`; `None` without TLS and SASL."""
        from faust.auth import SASLCredentials, SSLCredentials

        if self.protocol in _SASL:
            return SASLCredentials(
                username=self.username,
                password=self.password,
                mechanism=self.mechanism,
                ssl_context=self.tls,
            )
        return None if self.tls is None else SSLCredentials(self.tls)

    @property
    def told(self) -> str:
        """For messages: where, and as whom."""
        if self.protocol == "PLAINTEXT":
            return self.address
        name = f" as {self.username}" if self.protocol in _SASL else ""
        return f"{self.address} ({self.protocol}{name})"


def _tls(kafka: Kafka) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if kafka.ca_file is None else str(kafka.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"kafka.ca_file {kafka.ca_file}: {_reason(error)}: expected PEM") from None
    if not kafka.check_hostname:
        context.check_hostname = False
    if kafka.cert_file is not None:
        secret = kafka.key_password.get_secret_value() if kafka.key_password is not None else ""
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(kafka.cert_file, kafka.key_file, password=lambda: secret)
        except (OSError, ssl.SSLError) as error:
            files = f"{kafka.cert_file}" + (f" and {kafka.key_file}" if kafka.key_file else "")
            raise SettingsError(
                f"kafka.cert_file, kafka.key_file: {files}: {_reason(error)}: expected a certificate and "
                "its key as PEM, and kafka.key_password where the key has one"
            ) from None
    return context


def _password(kafka: Kafka) -> str:
    if kafka.password is not None:
        return kafka.password.get_secret_value()
    assert kafka.password_file is not None  # the settings see to it
    try:
        return Path(kafka.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"kafka.password_file {kafka.password_file}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
