"""A Faust app fed in batches, with settings under which a test does not wait long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faust

from streamproc.transport import Fetching, install


def make_app(bootstrap: str, group: str, folder: Path, fetching: Fetching, **settings: Any) -> faust.App:
    """An app without web server, tables' topics or declared topics; one of a loop runs at a time."""
    app = faust.App(
        group,
        broker=f"kafka://{bootstrap}",
        datadir=str(folder),
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,
        consumer_auto_offset_reset="earliest",
        **{
            "broker_commit_interval": 0.1,
            "broker_heartbeat_interval": 0.2,
            "broker_session_timeout": 2.0,
            "broker_max_poll_records": 100,
            **settings,
        },
    )
    install(app, fetching)
    return app
