"""Values by condition: a row and a column are what their names say, whatever the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdistill_core.condition_table import ConditionTable, ConditionTableError, align, states_of, table_of_findings
from kdistill_core.conditions import CONDITIONS, Condition, State
from kdistill_core.records import Finding

EDEMA, EFFUSION, FRACTURE = Condition.EDEMA, Condition.PLEURAL_EFFUSION, Condition.FRACTURE
NAN = float("nan")


@pytest.fixture
def table() -> ConditionTable:
    """Three cases of two patients, two conditions."""
    values = np.array([[1.0, 0.0], [-1.0, NAN], [0.0, 1.0]])
    return ConditionTable(("a", "b", "c"), (EDEMA, EFFUSION), values, ("p1", "p1", "p2"))


def test_a_column_is_had_by_its_condition(table):
    np.testing.assert_array_equal(table.column(EFFUSION), [0, NAN, 1])
    np.testing.assert_array_equal(table.column(EDEMA), [1, -1, 0])


def test_columns_are_selected_in_the_order_asked_for(table):
    turned = table.select([EFFUSION, EDEMA])

    assert turned.conditions == (EFFUSION, EDEMA)
    np.testing.assert_array_equal(turned.values, table.values[:, ::-1])
    assert (turned.ids, turned.groups) == (table.ids, table.groups)
    assert table.select([]).values.shape == (3, 0)


def test_rows_are_selected_with_their_patients_in_the_order_asked_for(table):
    turned = table.rows(["c", "a"])

    assert (turned.ids, turned.groups) == (("c", "a"), ("p2", "p1"))
    np.testing.assert_array_equal(turned.values, [[0, 1], [1, 0]])
    assert len(turned) == 2
    assert table.rows([]).values.shape == (0, 2)


def test_without_patients_every_case_is_its_own():
    assert ConditionTable(("a", "b"), (EDEMA,), np.zeros((2, 1))).groups == ("a", "b")


def test_a_table_without_cases_has_a_length_of_none():
    assert len(ConditionTable((), (EDEMA,), np.zeros((0, 1)))) == 0


@given(st.permutations(range(3)), st.permutations([EDEMA, EFFUSION, FRACTURE]), st.randoms(use_true_random=False))
def test_aligned_tables_agree_whatever_the_order_of_rows_and_columns(order, columns, random):
    """A shuffled copy with more cases and columns comes back as the table it was made from."""
    values = np.array([[random.random() for _ in range(3)] for _ in range(3)])
    first = ConditionTable(("a", "b", "c"), (EDEMA, EFFUSION, FRACTURE), values)
    extra = np.full((1, 3), 9.0)
    at = [first.conditions.index(condition) for condition in columns]
    shuffled = ConditionTable(
        (*(first.ids[place] for place in order), "z"),
        (*columns, Condition.NO_FINDING),
        np.hstack([np.vstack([values[list(order)][:, at], extra]), np.full((4, 1), 7.0)]),
    )

    same, other = align(first, shuffled)
    assert same is first
    assert (other.ids, other.conditions) == (first.ids, first.conditions)
    np.testing.assert_array_equal(other.values, values)


def test_aligning_keeps_each_tables_own_patients(table):
    other = ConditionTable(("c", "b", "a"), (EDEMA, EFFUSION), np.zeros((3, 2)), ("x", "y", "z"))
    assert align(table, other)[1].groups == ("z", "y", "x")
    assert align(table) == (table,)


def test_what_another_table_lacks_is_named(table):
    with pytest.raises(ConditionTableError, match=r"no column 'Pleural Effusion'"):
        align(table, table.select([EDEMA]))
    with pytest.raises(ConditionTableError, match=r"2 of 3 cases are not in the table; the first is 'b'") as caught:
        align(table, table.rows(["a"]))
    assert "name their cases alike" in caught.value.advice
    with pytest.raises(ConditionTableError, match=r"no column 'Fracture'"):
        table.column(FRACTURE)


@pytest.mark.parametrize(
    ("ids", "conditions", "shape", "groups", "said"),
    [
        (("a", "a"), (EDEMA,), (2, 1), (), "The case 'a' is in the table twice"),
        (("a", "b"), (EDEMA, EDEMA), (2, 2), (), "The condition 'Edema' is in the table twice"),
        (("a", "b"), (EDEMA,), (1, 2), (), r"2 cases and 1 conditions do not fit values of shape \(1, 2\)"),
        (("a", "b"), (EDEMA,), (2,), (), r"do not fit values of shape \(2,\)"),
        (("a", "b"), (EDEMA,), (2, 1), ("p1",), "or 1 patients"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(ids, conditions, shape, groups, said):
    with pytest.raises(ConditionTableError, match=said) as caught:
        ConditionTable(ids, conditions, np.zeros(shape), groups)
    assert caught.value.advice


def test_findings_become_labels_by_name():
    table = table_of_findings(
        ["a", "b"],
        [
            [Finding(EFFUSION, State.POSITIVE), Finding(EDEMA, State.NEGATIVE)],
            [Finding(EDEMA, State.UNCERTAIN), Finding(FRACTURE, State.BLANK)],
        ],
        ["p1", "p2"],
    )

    assert (table.conditions, table.groups) == (CONDITIONS, ("p1", "p2"))
    np.testing.assert_array_equal(table.select([EDEMA, EFFUSION, FRACTURE]).values, [[0, 1, NAN], [-1, NAN, NAN]])
    assert np.isnan(table.values).sum() == 2 * 14 - 3


def test_no_findings_of_no_cases_are_an_empty_table():
    assert table_of_findings([], []).values.shape == (0, 14)


def test_findings_that_do_not_fit_their_cases_are_refused():
    with pytest.raises(ConditionTableError, match=r"2 cases .* shape \(1, 14\)"):
        table_of_findings(["a", "b"], [[]])


def test_two_findings_of_one_condition_are_refused():
    """Which of the two counts, nobody could tell afterwards."""
    with pytest.raises(ConditionTableError, match="The condition 'Edema' is in the table twice"):
        table_of_findings(["a"], [[Finding(EDEMA, State.POSITIVE), Finding(EDEMA, State.NEGATIVE)]])


@given(st.lists(st.sampled_from(list(State)), min_size=14, max_size=14), st.permutations(CONDITIONS))
def test_states_survive_the_way_into_a_table_and_back(states, order):
    known = dict(zip(CONDITIONS, states, strict=True))
    table = table_of_findings(["a"], [[Finding(condition, known[condition]) for condition in order]])

    assert states_of(table, 0) == known
    assert states_of(table.select(order), 0) == known


def test_a_number_that_is_no_label_is_refused():
    with pytest.raises(ValueError, match=r"0\.5 is not a label"):
        states_of(ConditionTable(("a",), (EDEMA,), np.array([[0.5]])), 0)
