"""Device and precision: what is there, or a clear word about what is not."""

import pytest
import torch

from kdistill_core.engine import EngineError
from kdistill_core.engine.device import choose_placement


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def old_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: False)


def test_without_a_gpu_the_cpu_computes_in_float32(no_gpu):
    placement = choose_placement()
    assert (placement.device.type, placement.precision) == ("cpu", "float32")


def test_an_old_gpu_computes_in_float16_and_a_new_one_in_bfloat16(old_gpu, monkeypatch):
    assert choose_placement().dtype is torch.float16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert choose_placement().dtype is torch.bfloat16
    assert choose_placement("cpu").dtype is torch.float32


def test_an_apple_gpu_computes_in_float32(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    placement = choose_placement()
    assert (placement.device.type, placement.precision) == ("mps", "float32")


@pytest.mark.parametrize(("alias", "dtype"), [("fp32", torch.float32), ("BF16", torch.bfloat16)])
def test_a_precision_can_be_asked_for(no_gpu, alias, dtype):
    assert choose_placement("cpu", alias).dtype is dtype


@pytest.mark.parametrize(
    ("device", "precision", "words"),
    [
        ("cuda", "auto", "no NVIDIA GPU"),
        ("mps", "auto", "no Apple GPU"),
        ("tpu", "auto", 'no device named "tpu"'),
        ("cuda:x", "auto", "no device named"),
        ("cpu:1", "auto", "no device named"),
        ("cpu", "int8", 'no precision named "int8"'),
        ("cpu", "fp16", "CPU does not compute well in float16"),
    ],
)
def test_what_is_not_there_is_said_plainly(no_gpu, device, precision, words):
    with pytest.raises(EngineError, match=words):
        choose_placement(device, precision)


@pytest.mark.parametrize(
    ("device", "precision", "words"), [("cuda:1", "auto", "there are 1"), ("cuda", "bf16", "not compute in bfloat16")]
)
def test_what_an_old_gpu_lacks_is_said_plainly(old_gpu, device, precision, words):
    with pytest.raises(EngineError, match=words):
        choose_placement(device, precision)
