"""Messages on a pipe."""

import io
import struct

import msgspec
import pytest

from kdistill_core.engine.framing import LARGEST_FRAME, FrameError, read_event, read_request, write_message
from kdistill_core.engine.messages import Explain, Progress, Stage, TextStreamed
from kdistill_core.records import ImageSource


def test_messages_come_out_as_they_went_in_one_after_the_other():
    pipe = io.BytesIO()
    messages = [TextStreamed("a", 0, "häuser 🫁"), Progress("a", Stage.WRITING, 0.5)]
    for message in messages:
        write_message(pipe, message)
    pipe.seek(0)
    assert [read_event(pipe), read_event(pipe), read_event(pipe)] == [*messages, None]


def test_a_frame_is_its_big_endian_length_and_message_pack():
    pipe = io.BytesIO()
    request = Explain("a", ImageSource("x.dcm", 2), seed=7)
    write_message(pipe, request)
    (length,) = struct.unpack(">I", pipe.getvalue()[:4])
    assert length == len(pipe.getvalue()) - 4
    plain = msgspec.msgpack.decode(pipe.getvalue()[4:])
    assert plain["type"] == "explain"
    assert plain["source"] == {"path": "x.dcm", "frame": 2}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\x00\x00", "ended inside"),
        (b"\x00\x00\x00\x09abc", "ended inside"),
        (struct.pack(">I", LARGEST_FRAME + 1), "claims"),
        (b"\x00\x00\x00\x03abc", "malformed"),
        (b"\x00\x00\x00\x00", "malformed"),
    ],
)
def test_malformed_frames_are_frame_errors(raw, words):
    with pytest.raises(FrameError, match=words):
        read_request(io.BytesIO(raw))


def test_an_event_is_not_taken_for_a_request():
    pipe = io.BytesIO()
    write_message(pipe, TextStreamed("a", 0, "x"))
    pipe.seek(0)
    with pytest.raises(FrameError, match="malformed"):
        read_request(pipe)
