"""What a group has committed, as aiokafka asks for it: made to take no refusal for an answer.

An answer to OffsetFetch can say of itself that it is none: the coordinator has moved to another broker,
or it has started again and has not read its offsets yet. aiokafka looks for errors at the partitions only.
There are none in such an answer, so the group seems to have committed nothing, and all that `posts` still
holds is read and published again.
"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest


def check_answers(coordinator: Any) -> None:
    """Have a group coordinator's client raise what an answer to OffsetFetch refuses; it then asks again.

    Args:
        coordinator: aiokafka's, of a consumer in a group.
    """
    send = coordinator._send_req

    async def send_and_check(request: Any) -> Any:
        response = await send(request)
        if isinstance(request, OffsetFetchRequest) and (code := getattr(response, "error_code", 0)):
            error = for_code(code)
            if error is NotCoordinatorForGroupError:
                coordinator.coordinator_dead()
            raise error(coordinator.group_id)
        return response

    coordinator._send_req = send_and_check
