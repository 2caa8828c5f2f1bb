"""Dead letters: why a post could not be tagged, and sending it round again.

`letter` is what a worker writes. The other modules read it back and know Kafka; they are imported by
those who need them, so that tagging a file does not.
"""

from streamproc.deadletters.letter import (
    ATTEMPTS_HEADER,
    PREFIX,
    REVISION_HEADER,
    DeadLetter,
    attempts_before,
    first_read,
)

__all__ = ["ATTEMPTS_HEADER", "PREFIX", "REVISION_HEADER", "DeadLetter", "attempts_before", "first_read"]
