"""A local server that speaks as much of the model hub's protocol as getting a model needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """Models by name and revision, what was asked for, and how to misbehave."""

    url: str = ""
    models: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    offers: dict[str, list[int]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)

    def add(self, name: str, folder: Path, revision: str = "main", *, without: str = "") -> None:
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self.models[name, revision] = {file: files[file] for file in files if file != without}

    def commit(self, name: str, revision: str) -> str:
        content = b"".join(self.models[name, revision].values())
        return hashlib.sha1(name.encode() + content).hexdigest()

    def find(self, name: str, revision: str) -> tuple[str, str] | None:
        """A model's revision by branch or commit."""
        return next(
            (key for key in self.models if key[0] == name and revision in (key[1], self.commit(*key))), None
        )


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._file(unquote(urlsplit(self.path).path).strip("/"), body=False)

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).strip("/")
            if not path.startswith("api/models/"):
                self._file(path, body=True)
                return
            name, _, rest = path.removeprefix("api/models/").partition("/revision/")
            if name.endswith("/discussions"):
                self._discussions(name.removesuffix("/discussions"))
            else:
                self._info(name, rest or "main")

        def _info(self, name: str, revision: str) -> None:
            key = hub.find(name, revision)
            if name in hub.gated:
                self._send(403, b"", {"X-Error-Code": "GatedRepo"})
            elif not any(known == name for known, _ in hub.models):
                self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
            elif key is None:
                self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
            else:
                files = hub.models[key]
                siblings = [
                    {"rfilename": file, "size": hub.sizes.get(file, len(content))}
                    for file, content in files.items()
                ]
                self._json({"id": name, "modelId": name, "sha": hub.commit(*key), "siblings": siblings})

        def _discussions(self, name: str) -> None:
            offers = [
                {
                    "title": "Adding `safetensors` variant of this model",
                    "num": number,
                    "author": {"name": "SFconvertbot"},
                    "createdAt": "2024-03-28T10:00:00.000Z",
                    "status": "open",
                    "repo": {"name": name, "type": "model"},
                    "isPullRequest": True,
                }
                for number in hub.offers.get(name, ())
            ]
            self._json({"count": len(offers), "start": 0, "discussions": offers})

        def _file(self, path: str, *, body: bool) -> None:
            name, _, rest = path.partition("/resolve/")
            revision, _, file = rest.partition("/")
            key = hub.find(name, revision)
            content = hub.models[key].get(file) if key else None
            if body:
                hub.got.append(file)
            if key is None or content is None:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            elif body and file in hub.failing:
                self._send(403, b"", {})
            else:
                etag = hashlib.sha256(content).hexdigest()
                headers = {"ETag": f'"{etag}"', "X-Repo-Commit": hub.commit(*key)}
                self._send(200, content, headers, body=body)

        def _json(self, value: object) -> None:
            self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _send(self, status: int, content: bytes, headers: dict[str, str], *, body: bool = True) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

    return Handler


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """A hub on loopback, on a free port."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
