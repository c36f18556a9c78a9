"""Settings survive crashes, old versions and broken files; nothing is lost silently."""

import json

import pytest

from kdistill_viewer.settings import OverlaySettings, Settings, SettingsFile


def test_settings_come_back_as_they_were_saved(tmp_path):
    file = SettingsFile(tmp_path / "folder" / "viewer.json")
    settings = Settings(recent=["/a/b.dcm"], read_first=True, overlay=OverlaySettings(0.3, 0.1, "magma"))
    settings.keys["image.fit"] = ["Ctrl+F"]
    file.save(settings)
    assert SettingsFile(file.path).load() == settings
    assert [path.name for path in file.path.parent.iterdir()] == ["viewer.json"]


def test_without_a_file_the_usual_settings_apply_and_nothing_is_said(tmp_path):
    file = SettingsFile(tmp_path / "viewer.json")
    assert file.load() == Settings()
    assert file.message == ""


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b'{"version": "one"}', b'{"version": 1, "recent": 5}', b'{"version": 99}', b"\xff\xfe"],
)
def test_a_broken_file_is_set_aside_and_told(tmp_path, text):
    path = tmp_path / "viewer.json"
    for count in (1, 2):
        path.write_bytes(text)
        file = SettingsFile(path)
        assert file.load() == Settings()
        kept = [other for other in tmp_path.iterdir() if "broken" in other.name]
        assert len(kept) == count
        assert all(other.read_bytes() == text for other in kept)
        assert "broken" in file.message


def test_an_older_file_is_carried_over_step_by_step(tmp_path):
    path = tmp_path / "viewer.json"
    path.write_text(json.dumps({"version": -1, "files": ["/x"]}))
    steps = {-1: lambda old: {"recents": old["files"]}, 0: lambda old: {"recent": old["recents"]}}
    file = SettingsFile(path, migrations=steps)
    assert file.load().recent == ["/x"]
    assert file.message == ""


def test_recent_files_are_newest_first_without_repeats_and_few(tmp_path):
    settings = Settings()
    for name in "abcabcdefghijklm":
        settings.remember(tmp_path / name)
    assert settings.recent[0] == str(tmp_path / "m")
    assert len(settings.recent) == len(set(settings.recent)) == 10


def test_a_folder_that_cannot_be_written_leaves_the_old_settings(tmp_path, monkeypatch):
    file = SettingsFile(tmp_path / "viewer.json")
    file.save(Settings(last_folder="/old"))
    monkeypatch.setattr("pathlib.Path.replace", _no_room)
    with pytest.raises(OSError, match="No space"):
        file.save(Settings(last_folder="/new"))
    monkeypatch.undo()
    assert file.load().last_folder == "/old"
    assert [path.name for path in tmp_path.iterdir()] == ["viewer.json"]


def _no_room(*_):
    raise OSError(28, "No space left on device")
