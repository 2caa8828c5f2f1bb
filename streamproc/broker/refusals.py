"""What a broker refuses us for who we are, or that none is there: in words that say what to change."""

from __future__ import annotations

import ssl
from typing import Any, Final

from streamproc.broker.link import Link
from streamproc.errors import BrokerError, SettingsError

# Errors by name: both clients call them the same, and a worker need not load the one that it does not use.
_TOPIC: Final = frozenset({"TopicAuthorizationFailedError"})
_GROUP: Final = frozenset({"GroupAuthorizationFailedError"})
_CLUSTER: Final = frozenset({"ClusterAuthorizationFailedError"})
_IDENTITY: Final = frozenset(
    {
        "SaslAuthenticationFailed",
        "SaslAuthenticationFailedError",
        "AuthenticationFailedError",
        "UnsupportedSaslMechanismError",
        "IllegalSaslStateError",
        "AuthenticationMethodNotSupported",
    }
)


def nobody_there(link: Link) -> BrokerError:
    """The error to raise where no broker answers."""
    return BrokerError(
        f"no Kafka at {link.told}: start one, or set kafka.broker to HOST:PORT, and "
        "kafka.security_protocol to what it speaks"
    )


def refusal(error: BaseException, link: Link) -> SettingsError | None:
    """The error to raise where a broker does not let us; `None` where it is about something else.

    Args:
        error: of a client, or one that was raised because of it.
        link: which way was taken.
    """
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is None:
            continue
        if (told := _told(cause, link)) is not None:
            return SettingsError(told)
        waiting.append(cause.__cause__ or cause.__context__)
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
    return None


def _told(error: BaseException, link: Link) -> str | None:
    names = {kind.__name__ for kind in type(error).__mro__}
    who = f"user {link.username}" if link.username is not None else "this client"
    if names & _IDENTITY:
        return (
            f"Kafka at {link.told} does not know {who}, or not with this password and {link.mechanism}: "
            "check kafka.username, kafka.password and kafka.sasl_mechanism"
        )
    if names & _TOPIC:
        return (
            f"Kafka at {link.told} does not let {who} use topic {_names(error)}: grant it, or name "
            "another topic"
        )
    if names & _GROUP:
        return (
            f"Kafka at {link.told} does not let {who} use consumer group {_names(error)}: grant Read on "
            "the group, or set kafka.group"
        )
    if names & _CLUSTER:
        return f"Kafka at {link.told} does not let {who} do this in the cluster: grant it"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"Kafka at {link.told}: its certificate is not trusted ({error.verify_message}): set "
            "kafka.ca_file, or ask for it by the name that it carries"
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"Kafka at {link.told}: no TLS with it ({error.reason}): check kafka.security_protocol and "
            "kafka.cert_file"
        )
    return None


def _names(error: BaseException) -> str:
    """Of topics or groups, as far as the error tells them."""
    names: Any = error.args[0] if error.args else ""
    if isinstance(names, set | frozenset | list | tuple):
        return ", ".join(sorted(map(str, names)))
    return str(names) or "in use"
