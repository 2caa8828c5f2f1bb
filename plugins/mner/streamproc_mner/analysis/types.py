"""Entity types: wang2022-ita table 5."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc_mner.analysis.findings import Findings
from streamproc_mner.analysis.parts import Cut, findings_by_part
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.systems import Tagged
from streamproc_mner.evaluation.spans import types_of


def by_type(tagged: Sequence[Tagged], draws: Draws) -> Findings:
    """Precision, recall and F1 by type (wang2022-ita section 3.4, table 5).

    Args:
        tagged: the same posts by each system.
        draws: of the bootstrap.
    """
    names = tuple(types_of([post for one in tagged for of_model in one.judged for post in of_model]))
    cut = Cut("type", names, lambda _, span: span.type)
    notes = ("P by the predicted type, R by the gold type.",)
    return findings_by_part("types", "Precision, recall and F1 by type", tagged, cut, notes, draws)
