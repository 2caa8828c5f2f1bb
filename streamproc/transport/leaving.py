"""How a worker leaves its group: also in the middle of a join, and when no broker answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

from streamproc.broker.closing import let_go

_LOOK_S: Final = 0.05


async def leave_join(consumer: Any) -> None:
    """Tell the group of aiokafka's consumer, which is being stopped, that a member leaves that was joining.

    The answer to a join comes when all others have joined, too, however long they drain; aiokafka waits for
    it, and what it sends to leave would wait behind it on the same connection. Who was told nothing counts
    the member for a session timeout, and its share of the partitions lies idle.
    """
    coordinator = consumer._coordinator
    await asyncio.wait([coordinator._closing])
    while not coordinator._coordination_task.done():
        node, member = coordinator.coordinator_id, coordinator.member_id
        if coordinator._performed_join_prepare and node is not None and member:
            with suppress(KafkaError):
                await consumer._client.send(node, LeaveGroupRequest(coordinator.group_id, member))
            return
        await asyncio.sleep(_LOOK_S)


async def abandon(consumer: Any) -> None:
    """Cut the connections of aiokafka's consumer, whose broker does not answer."""
    coordinator = consumer._coordinator
    for task in (
        coordinator._coordination_task,
        coordinator._heartbeat_task,
        coordinator._commit_refresh_task,
    ):
        if task is not None:
            task.cancel()
    await let_go(consumer._fetcher, consumer._client)
