"""Kafka: the way to it, its topics, and dead letters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from streamproc.settings.section import Section, is_address

TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]


class Kafka(Section):
    """Where the brokers are and who we are to them."""

    broker: str = Field(
        default="127.0.0.1:9092", min_length=1, description="HOST:PORT, or several with commas"
    )
    group: str = Field(default="streamproc", min_length=1)
    session_timeout_s: float = Field(
        default=10.0, ge=1, le=60, description="within what the broker allows: from 6 by default"
    )
    start_timeout_s: float = Field(default=30.0, ge=0, description="how long a start waits for the broker")
    commit_interval_s: float = Field(default=2.0, ge=0.05, le=600)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = Field(default=None, min_length=1, description="for SASL")
    password: SecretStr | None = Field(default=None, description="for SASL; better in password_file")
    password_file: Path | None = Field(default=None, description="holds the password, and nothing else")
    ca_file: Path | None = Field(
        default=None, description="PEM: whose certificates are trusted; the system's without it"
    )
    cert_file: Path | None = Field(default=None, description="PEM: our certificate, where brokers want one")
    key_file: Path | None = Field(default=None, description="PEM: its key, where cert_file has none")
    key_password: SecretStr | None = None
    check_hostname: bool = Field(
        default=True, description="whether a broker's certificate has to name the host that is asked"
    )

    @field_validator("broker")
    @classmethod
    def _addresses(cls, value: str) -> str:
        addresses = [address.strip() for address in value.split(",") if address.strip()]
        if not addresses or not all(map(is_address, addresses)):
            raise ValueError("expected HOST:PORT, or several with commas between")
        return ",".join(addresses)

    @model_validator(mode="after")
    def _fit_together(self) -> Kafka:
        protocol = self.security_protocol
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        if protocol.startswith("SASL"):
            if "username" not in given or len(given & {"password", "password_file"}) != 1:
                raise ValueError(f"{protocol} wants username, and password or password_file")
        elif unused := sorted(given & {"username", "password", "password_file"}):
            raise ValueError(f"{', '.join(unused)}: not used with security_protocol = {protocol}")
        unused = sorted(given & {"ca_file", "cert_file", "key_file"})
        if unused and not protocol.endswith("SSL"):
            raise ValueError(f"{', '.join(unused)}: not used with security_protocol = {protocol}")
        return self


class Topics(Section):
    """Names of the topics, and how `topics create` makes them."""

    posts: TopicName = "posts"
    entities: TopicName = "entities"
    shadow: TopicName = "entities.shadow"
    deadletters: TopicName = "posts.deadletters"
    partitions: int = Field(default=4, ge=1)
    replication: int = Field(default=1, ge=1)
    post_bytes: int = Field(default=1_048_576, ge=1024, description="largest message of `posts`")

    compacted: bool = Field(
        default=False, description="key `entities` by entity_key and publish a null for a deleted post"
    )

    @model_validator(mode="after")
    def _are_four(self) -> Topics:
        names = (self.posts, self.entities, self.shadow, self.deadletters)
        if len(set(names)) < len(names):
            raise ValueError("posts, entities, shadow and deadletters have to be four topics")
        return self


class DeadLetters(Section):
    """When a post that fails again and again is left alone."""

    max_attempts: int = Field(
        default=3, ge=1, le=1000, description="a letter that failed more often is replayed on request only"
    )
