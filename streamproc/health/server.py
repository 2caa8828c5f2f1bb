"""The addresses under which a worker says how it is: `/live`, `/ready`, `/metrics`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from streamproc.errors import SettingsError
from streamproc.health.metrics import CONTENT_TYPE, Observed, exposition


@asynccontextmanager
async def health_server(listen: str, observed: Observed) -> AsyncIterator[int]:
    """Answer while the context is open; its value is the port.

    - `/live`: 200, while the event loop turns.
    - `/ready`: 200 while posts come through, else 503; the state, the reason and for how long, as JSON.
    - `/metrics`: for Prometheus.

    Args:
        listen: `HOST:PORT`; port 0 takes a free one.
        observed: the worker.

    Raises:
        SettingsError: nothing can listen there.
    """

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(_: web.Request) -> web.Response:
        health = observed.health
        told = {"state": health.state.value, "reason": health.reason, "for_s": round(health.for_s, 1)}
        return web.json_response(told, status=200 if health.ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=exposition(observed), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/live", live), web.get("/ready", ready), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        site = web.TCPSite(runner, host.strip("[]"), int(port))
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(
                f"health.listen = {listen!r}: {error.strerror}: name another HOST:PORT"
            ) from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
