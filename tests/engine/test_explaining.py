"""One explanation from end to end, in this process, with a random student: what is said must hang together."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from kdistill_core import __version__
from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.engine import DeclinedError, EngineError
from kdistill_core.engine.local import Watcher, attribute, explain_file, load_models
from kdistill_core.engine.messages import Stage
from kdistill_core.errors import Canceled
from kdistill_core.labeling import IMPLIED
from kdistill_core.records import Explanation, RationaleAuthor, SaliencyTarget, Span, TargetKind
from kdistill_core.saliency import SaliencyError, TextTarget, methods_for
from kdistill_core.serialization import from_json, to_json
from kdistill_core.student.tiny import tiny_student


@pytest.fixture(scope="module")
def models(student_folder):
    return load_models(student_folder, device="cpu")


@pytest.fixture(scope="module")
def told(models, image_file):
    """An explanation, its radiograph and what was told on the way."""
    heard = []
    watcher = Watcher(
        on_stage=heard.append, on_findings=heard.append, on_text=lambda start, text: heard.append((start, text))
    )
    explanation, radiograph = explain_file(image_file, models, max_new_tokens=60, watcher=watcher)
    return explanation, radiograph, heard


def test_the_streamed_pieces_are_the_student_s_text(told):
    explanation, _, heard = told
    pieces = [item for item in heard if isinstance(item, tuple) and isinstance(item[1], str)]
    text = ""
    for start, piece in pieces:
        assert start == len(text)
        text += piece
    assert text == explanation.student.text != ""


def test_stages_and_findings_come_in_order(told):
    _, _, heard = told
    assert [item for item in heard if isinstance(item, Stage)] == [Stage.LOOKING, Stage.WRITING, Stage.TEACHING]
    findings = heard[1]
    assert [finding.condition for finding in findings] == list(CONDITIONS)


def test_findings_are_positive_from_their_threshold_on_or_where_they_are_implied(told):
    findings = {f.condition: f for f in told[0].findings if f.condition is not Condition.NO_FINDING}
    positive = {condition for condition, finding in findings.items() if finding.state is State.POSITIVE}
    implied = {parent for condition in positive for parent in IMPLIED.get(condition, ())}
    for condition, finding in findings.items():
        assert 0 <= finding.probability <= 1
        over = finding.probability >= finding.threshold
        assert (finding.state is State.POSITIVE) == (over or condition in implied)


def test_tokens_cover_the_text_and_carry_the_model_s_own_log_probabilities(told, models):
    explanation, _, _ = told
    tokens = explanation.student.tokens
    assert len(tokens) == 60
    assert not explanation.student.complete
    covered = set().union(*(range(token.span.start, token.span.end) for token in tokens))
    blanks = {index for index, character in enumerate(explanation.student.text) if character.isspace()}
    assert covered | blanks == set(range(len(explanation.student.text)))
    assert all(token.log_probability <= 0 for token in tokens)


def test_log_probabilities_of_streaming_equal_those_of_reading_the_text_again(told, models):
    """Cached generation and teacher forcing must be one model: overlays are computed on the latter."""
    explanation, radiograph, _ = told
    pixels = models.processor(radiographs=radiograph)["pixel_values"]
    ids = torch.tensor([0] + [token.id for token in explanation.student.tokens])
    with torch.no_grad():
        for position in (1, 2, 30, 60):
            logits = models.student(pixel_values=pixels, input_ids=ids[None, :position]).logits[0, -1]
            logits[[0, 1, 2]] = -torch.inf  # suppressed in generation, so its log-probabilities leave them out
            expected = logits.log_softmax(-1)[ids[position]]
            assert explanation.student.tokens[position - 1].log_probability == pytest.approx(float(expected), abs=1e-3)


def test_the_same_seed_writes_the_same_and_another_seed_does_not(told, models, image_file):
    again, _ = explain_file(image_file, models, max_new_tokens=60)
    other, _ = explain_file(image_file, models, max_new_tokens=60, seed=1)
    assert again.student.text == told[0].student.text
    assert other.student.text != told[0].student.text


def test_explaining_leaves_the_random_state_of_the_program_alone(models, image_file):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    explain_file(image_file, models, max_new_tokens=5)
    assert torch.equal(torch.get_rng_state(), before)


def test_provenance_names_what_was_computed_with_what(told, models, student_folder):
    provenance = told[0].provenance
    weights = (student_folder / "model.safetensors").read_bytes()
    assert provenance.weights_sha256 == hashlib.sha256(weights).hexdigest()
    assert provenance.model_name == "chatterbox"
    assert (provenance.device, provenance.precision) == ("cpu", "float32")
    assert provenance.software_version == __version__
    assert provenance.seed == 0
    assert provenance.created.endswith("+00:00")
    assert provenance.preprocessing_sha256 == models.processor.preprocessing_sha256


def test_the_image_s_identity_is_kept_without_pixels_and_patient(told, image_file):
    image = told[0].image
    assert image.sha256 == hashlib.sha256(image_file.read_bytes()).hexdigest()
    assert (image.rows, image.columns) == (320, 260)


def test_the_teacher_speaks_of_the_positive_findings_that_no_other_implies(told):
    explanation = told[0]
    positive = {f.condition for f in explanation.findings if f.state is State.POSITIVE}
    implied = {parent for condition in positive for parent in IMPLIED.get(condition, ())}
    spoken = {sentence.condition for sentence in explanation.teacher.sentences}
    assert spoken == positive - implied
    assert explanation.teacher.author in (RationaleAuthor.LIBRARY, RationaleAuthor.KNOWLEDGE)


def test_a_text_that_leaves_a_finding_out_is_warned_of(told):
    explanation = told[0]
    spoken = explanation.teacher.sentences[0].condition
    assert any(f"hold {spoken}, but" in warning for warning in explanation.warnings)
    assert any("length limit" in warning for warning in explanation.warnings)


def test_an_explanation_survives_json(told):
    assert from_json(to_json(told[0]), Explanation) == told[0]


@pytest.mark.parametrize("kind", TargetKind)
def test_every_method_gives_an_overlay_in_the_image_s_geometry(told, models, kind):
    explanation, radiograph, _ = told
    token = next(token for token in explanation.student.tokens if token.span.end > token.span.start)
    target = SaliencyTarget(kind, Condition.EDEMA, token.span)
    for method in methods_for(kind):
        overlay = attribute(explanation, radiograph, target, models, method)
        assert overlay.values.shape == (320, 260)
        assert overlay.values.dtype == np.float32
        assert overlay.method == method
        assert overlay.values.min() >= 0
        # A random student may find nothing that speaks for a word; then the map says so.
        assert overlay.values.max() == 1.0 or (overlay.note and overlay.peak == (-1.0, -1.0))


def test_a_word_s_overlay_is_that_of_the_tokens_under_it(told, models, monkeypatch):
    explanation, radiograph, _ = told
    seen = []
    monkeypatch.setattr(
        "kdistill_core.engine.attribution.attribute",
        lambda model, pixels, target, method, check: seen.append(target) or np.ones((4, 4), np.float32),
    )
    tokens = explanation.student.tokens
    span = Span(tokens[7].span.start, tokens[9].span.end)
    attribute(explanation, radiograph, SaliencyTarget(TargetKind.SENTENCE, span=span), models)
    (target,) = seen
    assert isinstance(target, TextTarget)
    under = {at for at, token in enumerate(tokens) if token.span.start < span.end and span.start < token.span.end}
    assert {position - 1 for position in target.positions} == under >= {7, 9}
    assert target.input_ids.tolist() == [0, *(token.id for token in tokens)]


@pytest.mark.parametrize(("nats", "said"), [(0.02, True), (-0.02, True), (0.5, False), (-0.5, False)])
def test_words_that_the_image_hardly_changes_are_said_to_come_from_the_text(told, models, monkeypatch, nats, said):
    explanation, radiograph, _ = told
    monkeypatch.setattr("kdistill_core.engine.attribution.influence", lambda model, pixels, target: nats)
    monkeypatch.setattr(
        "kdistill_core.engine.attribution.attribute", lambda *args, **options: np.ones((4, 4), np.float32)
    )
    word = SaliencyTarget(TargetKind.WORD, span=explanation.student.tokens[0].span)
    assert bool(attribute(explanation, radiograph, word, models).note) is said
    condition = SaliencyTarget(TargetKind.CONDITION, Condition.EDEMA)
    assert attribute(explanation, radiograph, condition, models).note == ""


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (SaliencyTarget(TargetKind.CONDITION), "unnamed condition"),
        (SaliencyTarget(TargetKind.WORD), "not of which"),
        (SaliencyTarget(TargetKind.WORD, span=Span(100_000, 100_001)), "Nothing of the student's rationale"),
    ],
)
def test_a_target_that_is_not_there_is_said(told, models, target, words):
    with pytest.raises(EngineError, match=words):
        attribute(told[0], told[1], target, models)


def test_an_unknown_method_names_the_ones_there_are(told, models):
    with pytest.raises(SaliencyError, match="attention"):
        attribute(told[0], told[1], SaliencyTarget(TargetKind.CONDITION, Condition.EDEMA), models, "x-ray eyes")


def test_an_overlay_is_not_computed_with_another_model_s_weights(told, models):
    foreign = replace(told[0], provenance=replace(told[0].provenance, weights_sha256="f" * 64))
    with pytest.raises(EngineError, match="another model"):
        attribute(foreign, told[1], SaliencyTarget(TargetKind.CONDITION, Condition.EDEMA), models)


def test_a_picture_that_is_no_chest_radiograph_is_declined_with_a_reason(models, tmp_path):
    path = tmp_path / "small.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    with pytest.raises(DeclinedError) as declined:
        explain_file(path, models)
    assert declined.value.problem
    assert "frontal chest" in declined.value.advice


def test_half_precision_works_from_end_to_end(student_folder, image_file, told):
    models = load_models(student_folder, device="cpu", precision="bf16")
    explanation, radiograph = explain_file(image_file, models, max_new_tokens=3)
    assert explanation.provenance.precision == "bfloat16"
    for half, full in zip(explanation.findings, told[0].findings, strict=True):
        assert half.probability == pytest.approx(full.probability, abs=0.05)
    for kind in (TargetKind.CONDITION, TargetKind.SENTENCE):
        target = SaliencyTarget(kind, Condition.EDEMA, Span(0, len(explanation.student.text)))
        overlay = attribute(explanation, radiograph, target, models)
        assert np.isfinite(overlay.values).all()


@pytest.mark.parametrize("step", [0, 1, 5])
def test_canceling_is_possible_at_every_step(models, image_file, step):
    calls = iter(range(1000))

    def check():
        if next(calls) >= step:
            raise Canceled

    with pytest.raises(Canceled):
        explain_file(image_file, models, watcher=Watcher(check=check))
    assert next(calls) == step + 1


@pytest.fixture(scope="module")
def greedy_models(tmp_path_factory):
    """A student as it is shipped: one that takes the likeliest token, here of random weights that ramble."""
    model, processor = tiny_student()
    with torch.no_grad():
        for parameter in model.language_model.parameters():
            parameter.mul_(4)
    folder = tmp_path_factory.mktemp("models") / "greedy"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return load_models(folder, device="cpu")


def test_the_likeliest_tokens_are_those_of_generate_with_their_log_probabilities(greedy_models, image_file):
    explanation, radiograph = explain_file(image_file, greedy_models, max_new_tokens=30)
    pixels = greedy_models.processor(radiographs=radiograph)["pixel_values"]
    written = greedy_models.student.generate(
        pixel_values=pixels, max_new_tokens=30, output_scores=True, return_dict_in_generate=True
    )
    ids = written.sequences[0, 1:].tolist()
    assert explanation.student.complete == (ids[-1] == 1)
    tokens = explanation.student.tokens
    assert [token.id for token in tokens] == [token_id for token_id in ids if token_id != 1]
    for token, scores in zip(tokens, written.scores, strict=False):
        assert token.log_probability == pytest.approx(float(scores[0].log_softmax(-1)[token.id]), abs=1e-4)


@pytest.mark.parametrize("step", [0, 1, 5])
def test_greedy_writing_is_canceled_at_every_step(greedy_models, image_file, step):
    calls = iter(range(1000))

    def check():
        if next(calls) >= step:
            raise Canceled

    with pytest.raises(Canceled):
        explain_file(image_file, greedy_models, watcher=Watcher(check=check))
    assert next(calls) == step + 1
