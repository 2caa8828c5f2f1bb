"""A URL → a client of one Redis, of the master that a Sentinel names, or of a cluster.

| URL                                                       | is                                     |
|-----------------------------------------------------------|----------------------------------------|
| `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`                  | one server                             |
| `unix://[USER:PASSWORD@]/PATH[?db=DB]`                      | one server, through a socket           |
| `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],.../MASTER[/DB]` | the master that these Sentinels name |
| `redis+cluster://[USER:PASSWORD@]HOST[:PORT],...`           | a cluster that these belong to         |

`rediss` in place of `redis` is TLS. Options of redis-py follow as a query: `?ssl_ca_certs=ca.pem`,
`ssl_certfile`, `ssl_keyfile`, `ssl_cert_reqs`, `socket_keepalive`, `client_name` and so on. Where the
Sentinels themselves ask for a password: `?sentinel_username=...&sentinel_password=...`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError

from streamproc.errors import SettingsError
from streamproc.vision.cache.line import Client

_SCHEME: Final = re.compile(r"(?P<family>unix(?!\+)|rediss?)(?:\+(?P<kind>sentinel|cluster))?")
_HOST: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:,@\[\]]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_OPTION: Final = re.compile(r"ssl_\w+|socket_\w+|sentinel_(username|password)", re.ASCII)
_OPTIONS: Final = frozenset({"client_name", "db", "health_check_interval", "max_connections", "protocol"})
_EXPECTED: Final = "redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"
_FORMS: Final = {
    "unix": "/PATH?db=DB",
    "single": "[USER:PASSWORD@]HOST:PORT/DB",
    "sentinel": "[USER:PASSWORD@]HOST:PORT,HOST:PORT/MASTER/DB",
    "cluster": "[USER:PASSWORD@]HOST:PORT,HOST:PORT",
}


def connect(url: str, timeout_s: float) -> Client:
    """A client that connects at its first use.

    Args:
        url: one of the forms above.
        timeout_s: for connecting and for each answer.

    Raises:
        SettingsError: another kind of URL, or one that cannot be read. Says nothing of what is in it:
            it may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    matched = _SCHEME.fullmatch(scheme)
    if matched is None or not separator:
        told = f"{scheme}://" if separator and scheme.isalpha() else "no such scheme"
        raise SettingsError(f"vision.cache: expected memory://, {_EXPECTED}, got {told}")
    family = matched["family"]
    kind = matched["kind"] or ("unix" if family == "unix" else "single")
    try:
        return _MAKERS[kind](family, rest, timeout_s)
    except (TypeError, ValueError, LookupError, RedisError):
        raise SettingsError(
            f"vision.cache: expected {scheme}://{_FORMS[kind]}, options of redis-py after a "
            "question mark, and what is special in a password as percent signs; got something else"
        ) from None


def _through_socket(family: str, rest: str, timeout_s: float) -> Redis:
    options = _options(f"{family}://{rest}", timeout_s)
    return Redis(unix_socket_path=options.pop("path"), **options)


def _single(family: str, rest: str, timeout_s: float) -> Redis:
    credentials, hosts, path, query = _split(rest)
    ((host, port),) = _addresses(hosts, _PORT)
    options = _options(f"{family}://{credentials}@/?{query}", timeout_s)
    return Redis(host=host, port=port, **{"db": int(path or 0), **options})


def _through_sentinels(family: str, rest: str, timeout_s: float) -> Redis:
    credentials, hosts, path, query = _split(rest)
    master, _, db = path.partition("/")
    if not master:
        raise ValueError("no name of a master")
    options = _options(f"{family}://{credentials}@/?{query}", timeout_s)
    of_sentinels = {name: value for name, value in options.items() if not _of_master(name)}
    for name in ("username", "password"):
        if f"sentinel_{name}" in options:
            of_sentinels[name] = options.pop(f"sentinel_{name}")
    Redis(**options)  # names what is no option now, and not at the first use
    addresses = _addresses(hosts, _SENTINEL_PORT)
    sentinel = Sentinel(addresses, sentinel_kwargs=of_sentinels)  # type: ignore[no-untyped-call]
    master = unquote(master)
    client: Redis = sentinel.master_for(master, redis_class=_Master, **{"db": int(db or 0), **options})
    return client


class _Master(Redis):
    """Whom the Sentinels name; closes the connections to them too."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        pool: Any = self.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _of_master(option: str) -> bool:
    return option in {"username", "password", "db"} or option.startswith("sentinel_")


def _of_cluster(family: str, rest: str, timeout_s: float) -> RedisCluster:
    credentials, hosts, path, query = _split(rest)
    if path:
        raise ValueError("a cluster has no databases")
    nodes = [ClusterNode(host, port) for host, port in _addresses(hosts, _PORT)]
    options = _options(f"{family}://{credentials}@/?{query}", timeout_s)
    if "db" in options:
        raise ValueError("a cluster has no databases")
    return RedisCluster(startup_nodes=nodes, **options)


_MAKERS: Final[dict[str, Callable[[str, str, float], Client]]] = {
    "unix": _through_socket,
    "single": _single,
    "sentinel": _through_sentinels,
    "cluster": _of_cluster,
}


def _split(rest: str) -> tuple[str, str, str, str]:
    """USER:PASSWORD, hosts, path without slashes at its ends, query."""
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    if "#" in rest or "@" in path + query:
        raise ValueError("a password that ends before its end")
    return credentials, hosts, path.strip("/"), query


def _addresses(hosts: str, port: int) -> list[tuple[str, int]]:
    addresses = []
    for host in hosts.split(","):
        matched = _HOST.fullmatch(host)
        if matched is None:
            raise ValueError("not a host and its port")
        addresses.append((matched["host"].strip("[]"), int(matched["port"] or port)))
    return addresses


def _options(url: str, timeout_s: float) -> dict[str, Any]:
    """Arguments of a client: what a URL without a host says, and ours."""
    told: dict[str, Any] = dict(parse_url(url))
    tls = url.startswith("rediss:")
    told.pop("connection_class", None)
    named = {"username", "password", "path"}
    if not all(name in named or name in _OPTIONS or _OPTION.fullmatch(name) for name in told):
        raise ValueError("an option that is not known")
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        # One more try at once: after a restart of Redis, pooled connections are dead. What did not
        # answer in time is not asked again.
        "retry": Retry(NoBackoff(), 1, (ConnectionError,)),
        **({"ssl": True} if tls else {}),
        **told,
    }
