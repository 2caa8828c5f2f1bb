"""Files of word vectors: what is taken from them, and what is said of those that are wrong."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from streamproc.errors import InputError
from streamproc_mner.nn import word_vectors
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.nn.word_vectors import WordTable, read_word_vectors
from streamproc_mner.vocabulary import PADDING, UNKNOWN, Vocabulary

VOCABULARY = Vocabulary(("Berlin", "Paris", "paris", "zebra", "élan"), "abc")
GLOVE = "paris 1 2 3\nberlin 0.5 -0.25 1e-3\nof -1 -1 -1\n. . . 9 9 9\nélan 7 8 9\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text(GLOVE, encoding="utf-8")
    return path


def _read(path: Path, width: int = 3) -> dict[str, list[float]]:
    found = read_word_vectors(path, VOCABULARY, width)
    words = ("padding", "unknown", *VOCABULARY.words)
    return {words[row]: vector for row, vector in zip(found.ids, found.vectors.tolist(), strict=True)}


def _fault(path: Path, content: bytes, width: int = 3) -> str:
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_word_vectors(path, VOCABULARY, width)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


def test_known_words_get_their_vector_or_that_of_their_lower_case(file: Path) -> None:
    found = _read(file)
    assert set(found) == {"Berlin", "Paris", "paris", "élan"}
    assert found["Berlin"] == pytest.approx([0.5, -0.25, 1e-3])
    assert found["Paris"] == found["paris"] == [1, 2, 3]


def test_a_word_as_it_is_written_comes_before_its_lower_case(file: Path) -> None:
    file.write_text("paris 1 2 3\nParis 4 5 6\nParis 7 7 7\n")
    assert _read(file) == {"Paris": [4, 5, 6], "paris": [1, 2, 3]}


def test_the_first_line_of_word2vecs_text_format_is_passed_over(file: Path) -> None:
    file.write_text("2 3\nparis 1 2 3 \r\nBerlin 4 5 6 \r\n")
    assert _read(file) == {"Berlin": [4, 5, 6], "Paris": [1, 2, 3], "paris": [1, 2, 3]}


def test_spaces_that_are_not_ascii_part_nothing(file: Path) -> None:
    file.write_text("\u0085 1 2 3\nof\u00a0a 1 2 3\nparis 4 5 6\n", encoding="utf-8", newline="\n")
    assert _read(file)["paris"] == [4, 5, 6]


def test_vectors_of_one_number_have_no_first_line_of_two(file: Path) -> None:
    file.write_text("paris 5\nzebra 6\n")
    assert _read(file, width=1) == {"Paris": [5], "paris": [5], "zebra": [6]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"paris 1 2\n", ", line 1: a vector of 2 numbers, expected 3: set word_width to the file's"),
        (b"paris 1 2 3 4\n", ", line 1: a vector of 4 numbers, expected 3: set word_width to the file's"),
        (b"5 50\nparis 1 2 3\n", ", line 1: a vector of 50 numbers, expected 3: set word_width"),
        (b"of 1 2 3\nparis 1 2\n", ", line 2: a vector of 2 numbers, expected 3"),
        (b"of 1 2 3\n\nparis 1 2 3\n", ", line 2: a vector of 0 numbers, expected 3"),
        (b"paris 1 two 3\n", ", line 1: not a number: could not convert string to float"),
        (b"paris 1 nan 3\n", ", line 1: a number that is not finite"),
        (b"of 1 2 3\n\xe9lan 1 2 3\n", ", line 2: not UTF-8"),
        (b"of 1 2 3\nparis 1 2 \xff\n", ", line 2: not a number"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    assert _fault(tmp_path / "vectors.txt", content).startswith(message)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: word vectors cannot be read: No such file"):
        read_word_vectors(tmp_path / "none.txt", VOCABULARY, 3)


def test_progress_is_told_in_bytes_to_the_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_vectors, "_TOLD_EVERY", 20)
    told: list[tuple[int, int]] = []
    read_word_vectors(file, VOCABULARY, 3, lambda done, size: told.append((done, size)))
    size = file.stat().st_size
    assert told[-1] == (size, size)
    assert len(told) > 2
    assert told == sorted(told)


def test_a_table_is_random_but_for_the_words_of_the_file(file: Path) -> None:
    parts = Parts(lambda role, name: pytest.fail("no encoder is asked for"), VOCABULARY)
    rows = parts.word_table(3, str(file)).vectors.weight.detach()
    assert rows[2].tolist() == pytest.approx([0.5, -0.25, 1e-3])
    assert rows[VOCABULARY.words.index("zebra") + 2].abs().max() <= math.sqrt(3 / 3)
    assert (rows[[UNKNOWN, 5]] != 0).all()
    assert (rows[PADDING] == 0).all()


def test_a_saved_models_table_does_not_need_the_file() -> None:
    parts = Parts(lambda role, name: pytest.fail("no encoder"), VOCABULARY, read_vectors=None)
    assert parts.word_table(3, "/no/such/file").vectors.weight.shape == (7, 3)


def test_the_random_vectors_fill_their_range() -> None:
    torch.manual_seed(0)
    rows = WordTable(4000, 12).vectors.weight.detach().numpy()[1:]
    assert np.abs(rows).max() == pytest.approx(0.5, abs=1e-3)
    assert rows.std() == pytest.approx(0.5 / math.sqrt(3), rel=0.02)


def test_words_are_read_as_unknown_in_training_alone() -> None:
    torch.manual_seed(0)
    table = WordTable(6, 3, dropout=0.25)
    ids = torch.randint(0, 6, (40, 100))
    vectors = table(ids)
    weight = table.vectors.weight
    unknown = (vectors == weight[UNKNOWN]).all(dim=-1)
    words = ids > UNKNOWN
    assert unknown[words].float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(vectors[words & ~unknown], weight[ids[words & ~unknown]])
    assert (vectors[ids == PADDING] == 0).all()
    assert torch.equal(table.eval()(ids), weight[ids])
