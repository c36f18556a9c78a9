"""The table of actions: every id and key once, and keys from the settings in place of the usual ones."""

from unittest.mock import MagicMock

from kdistill_viewer.actions.catalog import MENUS, catalog, key_conflicts, with_keys

ACTIONS = catalog(MagicMock())


def test_ids_are_unique_and_every_action_has_a_menu():
    ids = [action.id for action in ACTIONS]
    assert len(ids) == len(set(ids))
    assert {action.menu for action in ACTIONS} == set(MENUS)


def test_no_two_actions_share_a_key():
    assert key_conflicts(ACTIONS, {}) == ()


def test_keys_of_the_settings_replace_the_usual_ones():
    (fit,) = [action for action in with_keys(ACTIONS, {"image.fit": ["Ctrl+F"]}) if action.id == "image.fit"]
    assert fit.keys == ("Ctrl+F",)


def test_keys_that_cannot_work_are_told():
    problems = key_conflicts(ACTIONS, {"image.fit": ["i"], "image.turn": ["T"]})
    assert len(problems) == 2
    assert "image.turn" in problems[0]
    assert "'Fit to the window' and 'Invert'" in problems[1]
