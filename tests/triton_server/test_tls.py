"""`tritons://`: the connection is encrypted, and the server has to show who it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.services.process import require
from tests.services.triton import made_model, running
from tests.triton_server.conftest import ENGINES

ASK = """
import asyncio, sys
from streamproc.vision.triton import check_triton
(state,) = asyncio.run(check_triton(sys.argv[1], timeout_s=10))
print(state.fault or state.models[0].version)
"""


def test_a_server_is_asked_over_tls_if_its_certificate_is_known(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    model = made_model(tmp_path, "ocr_size", engine=f"{ENGINES}:SizeEngine")
    tls = ("--grpc-use-ssl=true", f"--grpc-server-cert={certificate}", f"--grpc-server-key={key}")
    (tmp_path / "server").mkdir()
    with running(tmp_path / "server", [model], flags=tls) as server:
        url = server.url.replace("triton://", "tritons://")
        assert _ask(url, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=str(certificate)) == "size-1"
        assert "the server is away" in _ask(url)
        assert "the server is away" in _ask(server.url)


def _ask(url: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ASK, url],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def _certificate(folder: Path) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        require("TLS", "no openssl on the path to make a certificate with")
    certificate, key = folder / "server.crt", folder / "server.key"
    subprocess.run(
        [
            *(
                openssl,
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=triton",
            ),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key
