"""What plugin authors import in their tests: the contract suite, made-up visuals, fakes."""

from streamproc.testing.contract import CHECKS, ContractBroken, Outcome, run_contract
from streamproc.testing.fakes import FakeModel, MemorySink, fake_tagger, memory_batch
from streamproc.testing.visuals import example_value

__all__ = [
    "CHECKS",
    "ContractBroken",
    "FakeModel",
    "MemorySink",
    "Outcome",
    "example_value",
    "fake_tagger",
    "memory_batch",
    "run_contract",
]
