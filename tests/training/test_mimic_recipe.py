"""The recipe for MIMIC-CXR: its files name what there is, and a miniature goes through all of its steps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import typer
import yaml
from jsonargparse import ActionConfigFile, ArgumentParser
from typer.testing import CliRunner

from kdistill_core.cli.main import app
from kdistill_core.corpora.recipe import read_recipe
from kdistill_core.datasets import Split
from kdistill_core.datasets.registry import open_data_set
from kdistill_core.distillation.batches import (
    BOOKKEEPING,
    LABELS,
    STUDENT_INPUTS,
    TEACHER_TARGETS,
    Collator,
    DistillationDataset,
)
from kdistill_core.distillation.schedule import Stage
from kdistill_core.student import StudentProcessor
from kdistill_core.student.tokenizer import train_tokenizer
from kdistill_core.teacher.knowledge import load_knowledge
from kdistill_core.teacher.library import RationaleLibrary
from kdistill_core.teacher.store import RationaleStore
from kdistill_core.teacher.study_rationales import CASES, ContextSource, read_cases
from kdistill_core.teacher.tuning.fine_tuning import steps_of
from tests.teacher.scripted_teacher import ScriptedWriter
from tests.training.mimic_miniature import MARK, SPLITS, write_miniature
from tools import recipe_throughput
from training import student, teacher
from training.command import read_command
from training.data_sets import DataSetSettings, cases_of, judging_labels, training_labels
from training.student_data import DataSettings, PhantomSettings, prepare, taught_labels
from training.student_settings import TrainerSettings
from training.student_targets import Asking

_RECIPE = Path(__file__).parents[2] / "training" / "configs" / "mimic-cxr"
_TEXT = "Fluid in the pleural space blunts the costophrenic angle of the upright film number {0}. " * 6


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("mimic") / "mimic-cxr-jpg").root


@pytest.fixture(scope="module")
def written(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ScriptedWriter]:
    """The store of rationales of the miniature's reports, by step 3 of the recipe, and the writer that was asked."""
    out, writer = tmp_path_factory.mktemp("rationales") / "store", ScriptedWriter(load_knowledge())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdistill_core.cli.teacher_write._model_writer", lambda *_: writer)
        _run(_changed_command("rationales", [str(miniature)], out=str(out)))
    return out, writer


def _run(words: list[str]) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def _changed_command(name: str, arguments: list[str], **options: Any) -> list[str]:
    """Return the words of a command of the recipe with other folders and sizes."""
    shipped = read_command(_RECIPE / f"{name}.yaml")
    changed = {option.replace("_", "-"): value for option, value in options.items()}
    return msgspec.structs.replace(
        shipped, arguments=tuple(arguments), options={**shipped.options, "device": "cpu", **changed}
    ).words


def _shipped(name: str) -> dict[str, Any]:
    return yaml.safe_load((_RECIPE / f"{name}.yaml").read_text(encoding="utf-8"))


def _written(config: dict[str, Any], path: Path) -> Path:
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _parsed(function: Any, path: Path) -> Any:
    parser = ArgumentParser()
    parser.add_function_arguments(function)
    parser.add_argument("--config", action=ActionConfigFile)
    return parser.instantiate(parser.parse_args(["--config", str(path)]))


def test_the_files_for_training_are_read_by_their_parsers() -> None:
    corpus = read_recipe(_RECIPE / "corpus.yaml")
    taught = _parsed(teacher.train_teacher, _RECIPE / "teacher.yaml")
    assert (taught.length, taught.base.folder) == (corpus.length, corpus.tokenizer)
    assert all(steps_of(stage.training, taught.length) > 0 for stage in taught.stages)
    learned = _parsed(student.train_student, _RECIPE / "student.yaml")
    (mimic,) = learned.data.sets
    assert mimic.findings_from is ContextSource.REPORT
    assert set(learned.training.set_shares) == {mimic.name}
    assert [stage.name for stage in learned.training.schedule.stages] == ["heads", "decoder", "all"]


@pytest.mark.parametrize("name", ["rationales", "evaluation"])
def test_the_files_that_hold_commands_name_options_that_there_are(name: str) -> None:
    words = read_command(_RECIPE / f"{name}.yaml").words
    command: Any = typer.main.get_command(app)
    while words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    # Raises for an unknown option, a value outside its choices and a missing argument; nothing runs.
    assert command.make_context(name, words).params["kind"] == "mimic-cxr-jpg"


def test_each_step_takes_up_what_the_one_before_it_leaves() -> None:
    corpus_out = "runs/mimic-cxr/corpus"
    assert corpus_out in (_RECIPE / "corpus.yaml").read_text(encoding="utf-8")
    taught = _shipped("teacher")
    assert taught["stages"][0]["corpus"] == f"{corpus_out}/packed/training"
    rationales, evaluation = _shipped("rationales"), _shipped("evaluation")
    assert rationales["options"]["model"] == f"{taught['out']}/model"
    learned = _shipped("student")
    (mimic,) = learned["data"]["sets"]
    assert mimic["rationales"] == rationales["options"]["out"]
    assert mimic["dataset"] == rationales["arguments"][0] == evaluation["arguments"][1]
    assert mimic["findings_from"].lower() == rationales["options"]["contexts"]
    assert evaluation["arguments"][0] == f"{learned['out']}/model"


@pytest.mark.timeout(300)
def test_a_miniature_goes_through_all_steps(
    miniature: Path,
    written: tuple[Path, ScriptedWriter],
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Curves of eight cases would take longer than all the rest; tests/evaluation draws them.
    monkeypatch.setattr("kdistill_core.evaluation.figures.svg_of", lambda _: b"<svg></svg>")
    literature = tmp_path / "literature.jsonl"
    documents = ({"id": str(n), "text": _TEXT.format(n), "mesh": ["Pleural Effusion"]} for n in range(60))
    literature.write_text("\n".join(json.dumps(document) for document in documents), encoding="utf-8")
    corpus = _shipped("corpus") | {"tokenizer": str(tiny_folder)}
    corpus["corpus"] |= {"sources": [str(literature)], "evaluations": [], "held_out": 0.2, "near_duplicates": 1.0}
    _run(["corpus", "build", str(_written(corpus, tmp_path / "corpus.yaml")), "--out", str(tmp_path / "corpus")])

    packed = tmp_path / "corpus" / "packed"
    taught = _shipped("teacher") | {"out": str(tmp_path / "teacher"), "held_out": str(packed / "held-out")}
    taught |= {"base": {"model": str(tiny_folder)}, "lora": {"rank": 2, "alpha": 4}, "threads": 1}
    for stage in taught["stages"]:
        stage["corpus"] = str(packed / "training")
        stage["training"] = {**stage["training"], "tokens": 4096, "blocks": 1, "accumulate": 1, "bf16": False}
    taught["stages"][1] |= {"examples": 2, "corpus_blocks": 2}
    teacher.main(["--config", str(_written(taught, tmp_path / "teacher.yaml"))])

    # Words at random never pass the gate: this teacher shows that it can be asked, the scripted one has written.
    asked = {"out": str(tmp_path / "asked"), "model": str(tmp_path / "teacher" / "model"), "limit": 1, "attempts": 1}
    _run(_changed_command("rationales", [str(miniature)], **asked))
    assert all(not one.accepted for one in RationaleStore(tmp_path / "asked"))

    learned = _tiny_student(tmp_path, miniature, written[0])
    student.main(["--config", str(_written(learned, tmp_path / "student.yaml"))])
    model = tmp_path / "student" / "model"
    (measured,) = json.loads((model / "metrics.json").read_bytes())["sets"]
    assert (measured["name"], measured["images"], measured["patients"]) == ("mimic-cxr", 8, 8)
    assert "what the built-in labeler reads in its reports" in (model / "README.md").read_text(encoding="utf-8")

    arguments, out = [str(model), str(miniature)], tmp_path / "evaluation"
    _run(_changed_command("evaluation", arguments, out=str(out), resamples=100))
    scores = json.loads((out / "scores.json").read_bytes())
    assert (scores["data"]["cases"], scores["data"]["unit"]) == (8, "study")
    for folder in (tmp_path / "student", out):
        for path in (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".parquet"):
            assert MARK.encode() not in path.read_bytes(), path


def _tiny_student(tmp_path: Path, miniature: Path, store: Path) -> dict[str, Any]:
    learned = _shipped("student") | {"out": str(tmp_path / "student"), "threads": 1}
    learned["model"] |= {"image_size": 64, "feature_size": 32, "query_heads": 2, "visual_grid": 2, "vocabulary": 400}
    learned["model"]["backbone"] |= {
        "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic",
        "out_features": ["stage1", "stage2"],
    }  # fmt: skip
    learned["model"]["text"] |= {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 2,
    }  # fmt: skip
    learned["data"] |= {"cache": str(tmp_path / "cache"), "workers": 1}
    learned["data"]["sets"][0] |= {"dataset": str(miniature), "rationales": str(store)}
    for stage in learned["training"]["stages"]:
        # The miniature's words are not among the stored embeddings, and the bundled model would have to embed them.
        stage |= {"steps": 2, "weights": {name: by for name, by in stage["weights"].items() if name != "alignment"}}
    run = {"batch_size": 4, "accumulate": 1, "bf16": False, "save_steps": 10, "gradient_norm_steps": 0}
    learned["training"]["run"] |= run | {"loader_workers": 0, "log_steps": 1}
    learned["training"] |= {"validation": {"steps": 10}, "reliance_cases": 4, "text_length": 128}
    return learned


def test_the_throughput_of_every_stage_is_measured(
    miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _written(_tiny_student(tmp_path, miniature, tmp_path), tmp_path / "student.yaml")
    monkeypatch.setattr("sys.argv", ["recipe_throughput.py", str(config), "--batch", "2", "--steps", "1"])
    recipe_throughput.main()
    said = capsys.readouterr().out
    # Without a backward pass through the encoder a case takes less; with text it takes more.
    heads, decoder, whole = (float(of) for of in re.findall(r"^\w+: ([\d.]+) GFLOP a case", said, re.MULTILINE))
    assert max(heads, decoder) <= whole
    assert said.count("8 cases in 2 steps") == 3


def _settings(miniature: Path, **more: Any) -> DataSetSettings:
    return DataSetSettings("mimic-cxr", miniature, findings_from=ContextSource.REPORT, **more)


def test_no_batch_holds_words_of_a_report_and_the_teacher_sees_no_pixels(
    miniature: Path, written: tuple[Path, ScriptedWriter], tmp_path: Path
) -> None:
    store, writer = written
    reports = [study.report.text for study in open_data_set(miniature).studies() if study.report is not None]
    assert len(reports) == sum(SPLITS.values())
    assert all(MARK in text for text in reports)
    settings = _settings(miniature, rationales=store)
    data = DataSettings(PhantomSettings(0, 0, 0), sets=[settings], cache=tmp_path, workers=1)
    sets = prepare(data, Split.TRAIN, 64)
    cache = sets["mimic-cxr"]
    training = TrainerSettings([Stage("all", 1, 1e-3, {"generation": 1.0})])
    targets = Asking(RationaleLibrary.load(), None, training, {"mimic-cxr": store}).targets(sets)["mimic-cxr"]
    processor = StudentProcessor(
        # It knows every word of the reports, so that none could hide behind an unknown token.
        train_tokenizer([*reports, *(text for versions in targets.texts for text in versions)], 600),
        image_size=64,
    )
    dataset = DistillationDataset(cache, targets, labels=taught_labels(data, "mimic-cxr", cache))
    batch = Collator(processor, 512)([dataset[index] for index in range(len(dataset))])
    assert set(batch) <= STUDENT_INPUTS | TEACHER_TARGETS | LABELS | BOOKKEEPING
    assert batch["pixel_values"].shape == (len(cache), 1, 64, 64)
    said = processor.tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert not any(MARK in text for text in said)
    assert all(study.report is None for study in cache.studies)
    assert all(not finding.evidence for study in cache.studies for finding in study.findings)
    assert writer.calls
    for request in (request for call in writer.calls for request in call):
        assert all(isinstance(value, str | int | None) for value in _leaves(request)), request


def _leaves(value: Any) -> Iterator[Any]:
    if is_dataclass(value):
        for name in fields(value):
            yield from _leaves(getattr(value, name.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def test_a_student_is_told_what_was_written_for_its_case(
    miniature: Path, written: tuple[Path, ScriptedWriter], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, _ = written
    data = DataSettings(PhantomSettings(0, 0, 0), sets=[_settings(miniature, rationales=store)], cache=tmp_path)
    data.workers = 1
    sets = prepare(data, Split.TRAIN, 64)
    training = TrainerSettings([Stage("all", 1, 1e-3, {"generation": 1.0})])
    targets = Asking(RationaleLibrary.load(), None, training, {"mimic-cxr": store}).targets(sets)["mimic-cxr"]
    keys, known = dict(read_cases(store / CASES)), {one.key: one for one in RationaleStore(store)}
    compared = 0
    for study, texts in zip(sets["mimic-cxr"].studies, targets.texts, strict=True):
        accepted = [known[key] for key in keys[study.id].values() if known[key].accepted]
        if len(accepted) == len(keys[study.id]) == 1:
            signs = [part.text for part in accepted[0].sentences if part.role.value == "sign"]
            assert all(sign in texts[0] for sign in signs)
            compared += 1
    assert compared
    assert "have a rationale in" in capsys.readouterr().out


def test_one_case_is_one_frontal_image_of_its_split(miniature: Path) -> None:
    cases = cases_of(_settings(miniature), Split.TRAIN)
    assert [case.images[0].view_position for case in cases].count("LATERAL") == 0
    # The first study has a second frontal; two reports assert nothing, not even that nothing is there.
    assert len(cases) == len({case.images[0].id for case in cases}) == SPLITS["train"] + 1 - 2
    assert {case.split for case in cases} == {"train"}
    assert len(cases_of(_settings(miniature, limit=5), Split.TRAIN)) == 5


def test_the_label_table_and_the_reports_give_the_same_findings_where_they_say_the_same(miniature: Path) -> None:
    """The miniature's table holds what the simulator wrote into each report; the labeler has to read it there."""
    by_reading = cases_of(_settings(miniature), Split.TEST)
    by_table = cases_of(DataSetSettings("mimic-cxr", miniature), Split.TEST)
    told = [[finding.state for case in cases for finding in case.findings] for cases in (by_reading, by_table)]
    assert np.mean([read == given for read, given in zip(*told, strict=True)]) > 0.9


def test_what_reports_leave_out_counts_as_absent_where_the_set_says_so(miniature: Path) -> None:
    findings = [case.findings for case in cases_of(_settings(miniature), Split.TRAIN)]
    masked = judging_labels(_settings(miniature), findings)
    absent = _settings(miniature, blank_is_absent=True)
    expected = np.where(np.isnan(masked), 0, masked)
    assert np.isnan(masked).any()
    np.testing.assert_array_equal(judging_labels(absent, findings), expected)
    np.testing.assert_array_equal(training_labels(absent, findings), expected)


def test_settings_without_sets_stay_what_they_were() -> None:
    assert asdict(DataSettings())["sets"] == []
