"""Many messages to Kafka at once, cheaply: delivered when `send` returns.

aiokafka's `send` costs a future, a lookup and a pure-Python key hash a message. Here one call
takes a whole batch: keys are hashed together, each partition's messages go into record batches,
and only the batches are awaited.
"""

from streamproc.producing.messages import Outgoing, RecordTooLarge
from streamproc.producing.producer import BatchProducer

__all__ = ["BatchProducer", "Outgoing", "RecordTooLarge"]
