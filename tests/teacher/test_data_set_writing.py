"""A data set's rationales: found again by study, shared among processes, and none lost to a kill."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from kdistill_core.conditions import Condition, State
from kdistill_core.datasets.registry import open_data_set
from kdistill_core.records import Study
from kdistill_core.teacher.data_set_writing import Choice, Studies, write_data_set
from kdistill_core.teacher.drafts import WriterIdentity
from kdistill_core.teacher.errors import RationaleStoreError, RationaleWritingError
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.processes import Processes
from kdistill_core.teacher.store import PARTS, RationaleStore, Share
from kdistill_core.teacher.study_rationales import CASES, ContextSource, read_cases
from kdistill_core.teacher.writing import Tally, WritingSettings
from tests.teacher.scripted_teacher import COLUMNS, IDENTITY, ScriptedWriter, write_labels

ROOT = Path(__file__).parents[2]
# Every mixture of six conditions that are present, uncertain or unnamed. A context is one of them, its state, and
# which of the others are present.
STUDIES = 3**6
CONTEXTS = 6 * 2 * 2**5
KILLS = 10


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return load_knowledge()


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labels(tmp_path_factory.mktemp("labels"), STUDIES)


@pytest.fixture(scope="module")
def undisturbed(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    _finished(_program(labels, out))
    return out


def _program(*arguments: Path, launcher: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "tests.teacher.scripted_teacher", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _finished(process: subprocess.Popen[bytes]) -> list[str]:
    said, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return said.decode().strip().splitlines()


def _texts(out: Path) -> dict[str, tuple[bool, str, int]]:
    return {item.key: (item.accepted, item.text, len(item.refusals)) for item in RationaleStore(out)}


def _write(
    labels: Path, out: Path, knowledge: KnowledgeBase, choice: Choice, identity: WriterIdentity = IDENTITY
) -> tuple[Tally, Studies]:
    writer = ScriptedWriter(knowledge)
    writer.identity = identity
    return write_data_set(open_data_set(labels), writer, knowledge, out, choice, WritingSettings(seed=5))


def test_nothing_is_lost_when_a_run_is_killed_at_ten_moments(labels: Path, undisturbed: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "store", tmp_path / "drafts"
    moments = random.Random(4)
    log.touch()
    stored = [0]
    for _ in range(KILLS):
        process = _program(labels, out, log)
        # Counted in drafts, of which the whole takes about 576, so that the moments are the same on a busy computer.
        until = log.stat().st_size + moments.randint(1, 200)
        while process.poll() is None and log.stat().st_size < until:
            time.sleep(0.002)
        time.sleep(moments.uniform(0.0, 0.05))
        process.kill()
        process.communicate()
        check = RationaleStore(out).check()
        assert check.sound, check
        stored.append(check.rationales)
    assert all(earlier <= later for earlier, later in pairwise(stored))
    assert len({count for count in stored if 0 < count < CONTEXTS}) > 1
    _finished(_program(labels, out, log))
    check = RationaleStore(out).check()
    assert check.sound
    assert _texts(out) == _texts(undisturbed)
    assert list(read_cases(out / CASES)) == list(read_cases(undisturbed / CASES))
    assert not list(out.rglob("*.partial"))


def test_torchrun_shares_the_work_among_two_processes(labels: Path, undisturbed: Path, tmp_path: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    # The first process counts for both, and says so once.
    (line,) = _finished(_program(labels, tmp_path, launcher=launcher))
    assert RationaleStore(tmp_path).check().sound
    assert _texts(tmp_path) == _texts(undisturbed)
    assert list(read_cases(tmp_path / CASES)) == list(read_cases(undisturbed / CASES))
    shares = {path.name.rsplit("-", 1)[0] for path in (tmp_path / PARTS).iterdir()}
    assert shares == {"0-of-2", "1-of-2"}
    tally = msgspec.json.decode(line)
    assert tally["accepted"] + tally["refused"] == tally["contexts"] == CONTEXTS


def test_a_study_finds_its_rationales(labels: Path, undisturbed: Path) -> None:
    cases = dict(read_cases(undisturbed / CASES))
    # A study of which nothing is said has no rationale; its number has only twos in base 3.
    assert len(cases) == STUDIES - 1
    store = RationaleStore(undisturbed)
    # 5 = 2 + 1 * 3: the first condition is unnamed, the second uncertain, the others present.
    found = store.find(cases["study-5"].values())
    states = {found[key].context.condition: found[key].context.state for key in cases["study-5"].values()}
    assert states == {COLUMNS[1]: State.UNCERTAIN, **dict.fromkeys(COLUMNS[2:], State.POSITIVE)}
    assert all(found[key].context.condition is condition for condition, key in cases["study-5"].items())
    said = found[cases["study-5"][COLUMNS[2]]].context.present
    assert said == (Condition.ATELECTASIS, Condition.PLEURAL_EFFUSION, Condition.FRACTURE)


def test_labels_alone_need_few_rationales(labels: Path, undisturbed: Path) -> None:
    keys = [key for _, case in read_cases(undisturbed / CASES) for key in case.values()]
    assert len(set(keys)) == len(_texts(undisturbed)) == CONTEXTS
    assert len(keys) == STUDIES * len(COLUMNS) * 2 // 3


def test_only_the_first_studies_are_written_where_a_limit_is_set(
    labels: Path, tmp_path: Path, knowledge: KnowledgeBase
) -> None:
    _, studies = _write(labels, tmp_path, knowledge, Choice(limit=3))
    assert studies.read == 3
    assert [study for study, _ in read_cases(tmp_path / CASES)] == ["study-0", "study-1", "study-2"]


def test_studies_without_labels_or_reports_are_counted(labels: Path, tmp_path: Path, knowledge: KnowledgeBase) -> None:
    tally, studies = _write(labels, tmp_path, knowledge, Choice(ContextSource.REPORT, limit=9))
    assert (studies.read, studies.silent, tally.contexts) == (9, 9, 0)
    assert list(read_cases(tmp_path / CASES)) == []


def test_a_table_of_cases_appears_only_when_all_is_written(
    labels: Path, tmp_path: Path, knowledge: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(study: Study, *_: object) -> None:
        raise RationaleStoreError(study.id)

    monkeypatch.setattr("kdistill_core.teacher.data_set_writing.study_contexts", fail)
    with pytest.raises(RationaleStoreError):
        _write(labels, tmp_path, knowledge, Choice())
    assert not (tmp_path / CASES).exists()


def test_the_table_of_cases_says_whose_rationales_it_names(
    labels: Path, tmp_path: Path, knowledge: KnowledgeBase
) -> None:
    other = WriterIdentity("another", "2" * 64, "none", "1" * 64, "drawn")
    _write(labels, tmp_path, knowledge, Choice(limit=1))
    _write(labels, tmp_path, knowledge, Choice(limit=1), other)
    about = pq.read_schema(tmp_path / CASES).metadata
    assert msgspec.json.decode(about[b"kdistill.writer"], type=WriterIdentity) == other
    # Both writers' rationales are there, each under its own address.
    assert len(_texts(tmp_path)) == 2 * len(COLUMNS)
    assert RationaleStore(tmp_path).check().sound


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / CASES).write_bytes(b"study,condition,key")
    with pytest.raises(RationaleStoreError, match=r"cases\.parquet is not a table of cases"):
        list(read_cases(tmp_path / CASES))


def test_processes_with_different_models_are_refused(labels: Path, tmp_path: Path, knowledge: KnowledgeBase) -> None:
    other = WriterIdentity("another", "2" * 64, "none", "1" * 64, "drawn")
    two = Processes(Share(0, 2), exchange=lambda value: [value, other])
    with pytest.raises(RationaleWritingError, match=r"2 different models or settings \(another, scripted\)"):
        write_data_set(
            open_data_set(labels), ScriptedWriter(knowledge), knowledge, tmp_path, Choice(), WritingSettings(), two
        )
