"""The student is a transformers model like any other, and its text follows from what it saw and decided."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
import torch
from transformers import AutoConfig, AutoModel, StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer
from transformers.models.llama import LlamaForCausalLM

from kdistill_core.conditions import CONDITIONS, Condition
from kdistill_core.student import StudentConfig, StudentError, StudentModel, StudentProcessor
from kdistill_core.student.configuration import tiny_config
from kdistill_core.student.tiny import save_tiny_student, tiny_student
from kdistill_core.student.vision import sine_positions

AT = {condition: index for index, condition in enumerate(CONDITIONS)}


@pytest.fixture(name="student", scope="module")
def make_student() -> tuple[StudentModel, StudentProcessor]:
    model, processor = tiny_student()
    with torch.no_grad():
        # Random weights repeat one token for ever; larger ones make every step's choice depend on what came before.
        for parameter in model.language_model.parameters():
            parameter.mul_(4)
    return model, processor


@pytest.fixture(name="pixels", scope="module")
def make_pixels() -> torch.Tensor:
    return torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(1))


def greedy(model: StudentModel, pixels: torch.Tensor, ids: torch.Tensor, steps: int) -> torch.Tensor:
    """Decode without generate(), cache or padding."""
    for _ in range(steps):
        logits = model(pixel_values=pixels, input_ids=ids).logits
        ids = torch.cat([ids, logits[:, -1:].argmax(-1)], dim=1)
    return ids


def test_shapes_are_those_the_documentation_states(student: tuple, pixels: torch.Tensor) -> None:
    model, processor = student
    output = model(pixel_values=pixels, **processor.targets(["There is edema.", "There is", "x"], 32))
    config = model.config
    assert output.logits.shape == (3, output.logits.shape[1], config.text_config.vocab_size)
    assert output.condition_logits.shape == (3, 14)
    assert output.condition_attention.shape == (3, 14, *output.feature_map.shape[-2:])
    assert output.explanation_embedding.shape == (3, config.alignment_size)
    assert output.feature_map.shape[1] == config.feature_size


def test_attention_is_a_distribution_over_the_map(student: tuple, pixels: torch.Tensor) -> None:
    attention = student[0].encode(pixels).condition_attention
    assert (attention >= 0).all()
    assert torch.allclose(attention.sum((-1, -2)), torch.ones(3, 14), atol=1e-5)


def test_generate_agrees_with_decoding_by_hand(student: tuple, pixels: torch.Tensor) -> None:
    model, _ = student
    start = torch.full((3, 1), model.config.text_config.bos_token_id)
    by_hand = greedy(model, pixels, start, 9)
    assert len(set(by_hand[0].tolist())) > 3
    for cached in (True, False):
        found = model.generate(
            pixel_values=pixels, max_new_tokens=9, do_sample=False, use_cache=cached, eos_token_id=None
        )
        assert torch.equal(found, by_hand)


def test_generate_goes_on_from_beginnings_of_unequal_length(student: tuple, pixels: torch.Tensor) -> None:
    model, processor = student
    both = model.generate(
        pixel_values=pixels[:2], **processor(text=["There is pleural", "There"]), max_new_tokens=5, eos_token_id=None
    )
    for index, text in enumerate(["There is pleural", "There"]):
        alone = greedy(model, pixels[index : index + 1], processor(text=text)["input_ids"], 5)
        assert both[index, -alone.shape[1] :].tolist() == alone[0].tolist()


def test_generate_from_a_prefix_needs_no_second_look(student: tuple, pixels: torch.Tensor) -> None:
    model, _ = student
    prefix = model.prefix(model.encode(pixels))
    looked = []
    handle = model.vision.register_forward_hook(lambda *_: looked.append(1))
    try:
        from_prefix = model.generate(prefix_embeds=prefix, max_new_tokens=6, do_sample=False)
    finally:
        handle.remove()
    assert not looked
    assert torch.equal(from_prefix, model.generate(pixel_values=pixels, max_new_tokens=6, do_sample=False))


def test_beams_see_their_own_image(student: tuple, pixels: torch.Tensor) -> None:
    model, _ = student
    together = model.generate(pixel_values=pixels, max_new_tokens=6, num_beams=2, do_sample=False, eos_token_id=None)
    alone = model.generate(pixel_values=pixels[1:2], max_new_tokens=6, num_beams=2, do_sample=False, eos_token_id=None)
    assert torch.equal(together[1:2], alone)


def test_text_streams_and_stops_when_asked(student: tuple, pixels: torch.Tensor) -> None:
    model, processor = student
    stop = Event()

    class StopWhenSet(StoppingCriteria):
        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: object) -> torch.Tensor:
            if input_ids.shape[1] >= 5:
                stop.set()
            return torch.full((len(input_ids),), stop.is_set())

    streamer = TextIteratorStreamer(processor.tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=5)
    written = model.generate(
        pixel_values=pixels[:1], max_new_tokens=50, do_sample=False, streamer=streamer, eos_token_id=None,
        stopping_criteria=StoppingCriteriaList([StopWhenSet()]),
    )  # fmt: skip
    assert written.shape[1] == 5
    assert "".join(streamer) == processor.tokenizer.decode(written[0, 1:], skip_special_tokens=True)


def test_the_loss_is_transformers_own_for_causal_models(student: tuple, pixels: torch.Tensor) -> None:
    from transformers.loss.loss_utils import ForCausalLMLoss

    model, processor = student
    batch = processor.targets(["There is edema.", "There is", "x"], 32)
    output = model(pixel_values=pixels, **batch)
    expected = ForCausalLMLoss(output.logits, batch["labels"], vocab_size=model.config.text_config.vocab_size)
    assert float(output.loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_every_word_depends_on_the_image_and_gradients_reach_it(student: tuple, pixels: torch.Tensor) -> None:
    model, processor = student
    moving = pixels[:1].clone().requires_grad_()
    ids = processor(text="There is edema")["input_ids"]
    output = model(pixel_values=moving, input_ids=ids)
    output.feature_map.retain_grad()
    output.logits[0, -1].max().backward()
    assert moving.grad is not None
    assert moving.grad.abs().sum() > 0
    assert output.feature_map.grad.abs().sum() > 0


def test_the_feature_layer_makes_the_feature_map(student: tuple, pixels: torch.Tensor) -> None:
    model, _ = student
    seen = []
    handle = model.feature_layer.register_forward_hook(lambda module, given, made: seen.append(made))
    try:
        output = model(pixel_values=pixels)
    finally:
        handle.remove()
    assert torch.equal(seen[0], output.feature_map)


def test_saved_and_loaded_it_is_the_same_model(tmp_path: Path, pixels: torch.Tensor) -> None:
    save_tiny_student(tmp_path)
    assert not list(tmp_path.glob("*.bin")) + list(tmp_path.glob("*.pt"))
    first, again = AutoModel.from_pretrained(tmp_path).eval(), tiny_student()[0]
    assert isinstance(first, StudentModel)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), StudentConfig)
    assert torch.equal(first.encode(pixels).condition_logits, again.encode(pixels).condition_logits)
    assert first.get_input_embeddings().weight is first.get_output_embeddings().weight


@pytest.mark.parametrize(
    ("backbone", "text"),
    [
        ({"model_type": "convnextv2", "num_channels": 3, "hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2,
          "out_features": ["stage2"]}, {"model_type": "llama", "hidden_size": 32, "num_key_value_heads": 2}),
        ({"model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56,
          "patch_size": 14, "num_channels": 3, "out_features": ["stage2"], "reshape_hidden_states": True},
         {"model_type": "qwen2", "hidden_size": 32, "num_key_value_heads": 1}),
        ({"model_type": "swin", "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "image_size": 56,
          "patch_size": 4, "window_size": 7, "num_channels": 1,
          "out_features": ["stage1", "stage2"]},
         {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2}),
    ],
)  # fmt: skip
def test_any_backbone_and_any_causal_language_model_fit(backbone: dict, text: dict) -> None:
    shared = {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    if text["model_type"] != "gpt2":
        shared |= {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = StudentConfig(
        backbone_config=backbone, text_config={**text, **shared}, image_size=56, feature_size=16, alignment_size=8
    )
    model = StudentModel(config).eval()
    images = torch.randn(2, 1, 56, 56)
    ids = torch.randint(3, 50, (2, 6))
    output = model(pixel_values=images, input_ids=ids, labels=ids)
    assert output.logits.shape == (2, 6, 50)
    assert output.loss.isfinite()
    start = torch.zeros(2, 1, dtype=torch.int64)
    found = model.generate(pixel_values=images, max_new_tokens=4, do_sample=False, eos_token_id=None)
    assert torch.equal(found, greedy(model, images, start, 4))


def test_a_student_is_composed_of_the_language_model_it_was_given() -> None:
    assert isinstance(StudentModel(tiny_config()).language_model, LlamaForCausalLM)


def test_a_text_without_an_image_is_refused(student: tuple) -> None:
    from kdistill_core.student.modeling import ImageEncoding

    with pytest.raises(StudentError, match="without an image"):
        student[0].prefix(ImageEncoding())


def test_a_state_is_one_half_at_its_threshold() -> None:
    model = tiny_student()[0]
    model.config.thresholds = [0.2] * 14
    model.config.calibration_slope, model.config.calibration_intercept = [2.0] * 14, [-1.0] * 14
    # sigmoid(2 z - 1) = 0.2 at z = (1 - ln 4) / 2
    at_threshold = torch.full((1, 14), (1 - torch.log(torch.tensor(4.0)).item()) / 2)
    assert torch.allclose(model.probabilities(at_threshold), torch.full((1, 14), 0.2), atol=1e-6)
    assert torch.allclose(model.states(at_threshold), torch.full((1, 14), 0.5), atol=1e-5)


def test_what_a_finding_implies_is_present_and_goes_without_saying() -> None:
    model = tiny_student()[0]
    logits = torch.full((1, 14), -8.0)
    logits[0, AT[Condition.PNEUMONIA]] = 8.0
    states = model.states(logits)[0]
    assert {condition for condition in CONDITIONS if states[AT[condition]] > 0.5} == {
        Condition.PNEUMONIA,
        Condition.CONSOLIDATION,
        Condition.LUNG_OPACITY,
    }
    said = model.said(states[None])[0]
    assert {condition for condition in CONDITIONS if said[AT[condition]] > 0.5} == {Condition.PNEUMONIA}


def test_no_finding_is_present_where_nothing_but_a_device_is() -> None:
    model = tiny_student()[0]
    logits = torch.full((2, 14), -8.0)
    logits[:, AT[Condition.SUPPORT_DEVICES]] = 8.0
    logits[1, AT[Condition.FRACTURE]] = 8.0
    logits[:, AT[Condition.NO_FINDING]] = torch.tensor([-8.0, 8.0])  # its own query is overruled
    states = model.states(logits)[:, AT[Condition.NO_FINDING]]
    assert states[0] > 0.9
    assert states[1] < 0.1


def test_the_text_is_told_states_where_given_and_its_own_where_not(student: tuple, pixels: torch.Tensor) -> None:
    model, _ = student
    encoding = model.encode(pixels)
    own = model.prefix(encoding)
    assert torch.equal(model.prefix(encoding, torch.full((3, 14), float("nan"))), own)
    given = model.said(model.states(encoding.condition_logits))
    assert torch.allclose(model.prefix(encoding, given), own, atol=1e-5)
    assert not torch.allclose(model.prefix(encoding, 1 - given), own, atol=1e-2)


def test_positions_tell_left_from_right_and_top_from_bottom() -> None:
    positions = sine_positions(4, 6, 32)
    assert positions.shape == (24, 32)
    assert len({tuple(row.tolist()) for row in positions}) == 24
