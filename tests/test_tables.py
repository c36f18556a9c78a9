"""Tables that users bring, whole and broken in every way that has a name."""

from __future__ import annotations

import csv
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdistill_core.conditions import Condition
from kdistill_core.tables import TableError, column_names, plain_or_gzipped, read_rows


@pytest.fixture
def table(tmp_path):
    """Write a table as bytes or text, gzipped when its name ends in ``.gz``; return its path."""

    def write(content: bytes | str, name: str = "reports.csv"):
        path = tmp_path / name
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def rows_of(path, required=()):
    return [(row.line, dict(row.cells)) for row in read_rows(path, required)]


def problem_of(path, required=()) -> TableError:
    with pytest.raises(TableError) as caught:
        list(read_rows(path, required))
    assert str(path) in caught.value.problem
    assert caught.value.advice
    return caught.value


PLAIN = "id,report\na,No effusion.\nb,Edema.\n"
READ = [(2, {"id": "a", "report": "No effusion."}), (3, {"id": "b", "report": "Edema."})]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.removesuffix("\n").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        b'\xef\xbb\xbf"id","report"\r\n"a","No effusion."\r\n"b","Edema."\r\n',
        PLAIN.replace("id,report", " id , report ").encode(),
        (PLAIN + "\n").encode(),
    ],
    ids=["plain", "no last line end", "CRLF", "CR", "BOM", "BOM and quotes", "blanks in the header", "blank line last"],
)
def test_the_same_table_written_differently_reads_alike(table, content):
    assert rows_of(table(content)) == rows_of(table(content, "reports.csv.gz")) == READ


def test_cells_over_several_lines_keep_their_line_ends_and_rows_their_lines(table):
    path = table('id,report\r\na,"FINDINGS:\r\nNo ""acute"" process,\nnone."\r\n\r\nb,Edema.\r\n')

    assert rows_of(path) == [
        (2, {"id": "a", "report": 'FINDINGS:\r\nNo "acute" process,\nnone.'}),
        (6, {"id": "b", "report": "Edema."}),
    ]


def test_blank_lines_are_no_rows(table):
    assert rows_of(table("id,report\n\na,x\n\n\nb,y\n")) == [
        (3, {"id": "a", "report": "x"}),
        (6, {"id": "b", "report": "y"}),
    ]


def test_a_header_alone_is_a_table_without_rows(table):
    assert rows_of(table("id,report\n"), ["id"]) == []
    assert rows_of(table("id,report")) == []


def test_a_cell_of_a_million_characters_is_read(table):
    report = "effusion " * 120_000
    ((_, cells),) = rows_of(table(f'id,report\na,"{report}"\n'))
    assert cells["report"] == report


def test_cells_are_had_with_and_without_their_blanks(table):
    (row,) = read_rows(table("id,report\n a , no effusion \n"), ["id"])

    assert row["id"] == "a"
    assert row.cells["id"] == " a "
    assert (row.get("report"), row.get("view"), row.get("view", "PA")) == ("no effusion", "", "PA")
    with pytest.raises(KeyError):
        row["view"]


def test_characters_of_every_script_are_read(table):
    assert rows_of(table("id,report\na,Ödem · 肺水腫 · 🫁\n"))[0][1]["report"] == "Ödem · 肺水腫 · 🫁"


@given(
    rows=st.lists(
        st.tuples(
            *[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)] * 3
        ),
        max_size=6,
    )
)
def test_what_the_csv_module_writes_is_read_back(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    text = io.StringIO()
    csv.writer(text).writerows([("a", "b", "c"), *rows])
    path.write_bytes(text.getvalue().encode())

    assert [tuple(row.cells.values()) for row in read_rows(path, ["a", "b", "c"])] == rows


def test_columns_are_named_without_reading_rows(table):
    path = table('\ufeffid, "Follow-up #",report\nbroken "row')
    assert column_names(table("id, Follow-up #,report\nshort\n")) == ("id", "Follow-up #", "report")
    assert column_names(path)[0] == "id"


def test_nothing_is_read_before_the_first_row_is_asked_for(tmp_path):
    rows = read_rows(tmp_path / "nowhere.csv", ["id"])
    with pytest.raises(TableError, match=r"nowhere\.csv"):
        next(rows)


def test_the_file_is_closed_when_reading_stops_half_way(table):
    path = table(PLAIN)
    rows = read_rows(path, ["id"])
    next(rows)
    rows.close()  # an open file would be a ResourceWarning, and thereby an error
    path.unlink()


# Broken tables -------------------------------------------------------------------------------------------------------


def test_a_missing_column_is_named_with_the_nearest_that_is_there(table):
    error = problem_of(table("id,Report,view\n1,x,PA\n"), ["id", "report"])

    assert "line 1: there is no column 'report'" in error.problem
    assert "'Report'" in error.problem


def test_a_missing_condition_is_named_as_the_header_should_spell_it(table):
    error = problem_of(table("id,Oedema\n1,1\n"), [Condition.EDEMA])
    assert "no column 'Edema' among its 2; the nearest is 'Oedema'" in error.problem


def test_the_columns_of_another_separator_are_recognized(table):
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        error = problem_of(table(PLAIN.replace(",", separator)), ["id"])
        assert name in error.advice


def test_a_table_without_a_header_does_not_spill_its_first_row(table):
    """The first row of such a table is a patient."""
    error = problem_of(table("p17,Doe Jane,No effusion.\np18,Roe Richard,Edema.\n"), ["id", "report"])
    assert "Doe" not in str(error)
    assert "p17" not in str(error)


def test_a_doubled_column_is_named(table):
    error = problem_of(table("id,report, id\na,b,c\n"), ["id"])
    assert "line 1: the column 'id' is there twice" in error.problem


def test_column_names_refuses_a_doubled_column_and_a_missing_header(table):
    for content in ("id,id\n", "", "\n"):
        with pytest.raises(TableError):
            column_names(table(content))


@pytest.mark.parametrize(("cells", "count"), [("a", 1), ("a,b,c", 3), ("a,no effusion, no edema", 3)])
def test_a_row_of_another_length_is_named_by_its_first_line(table, cells, count):
    error = problem_of(table(f'id,report\na,"two\nlines"\n{cells}\nb,c\n'))
    assert f"line 4: the row has {count} cells and the header 2" in error.problem


def test_rows_before_the_fault_are_had(table):
    rows = read_rows(table("id,report\na,b\nc\n"), ["id"])
    assert next(rows)["id"] == "a"
    with pytest.raises(TableError, match="line 3"):
        next(rows)


def test_an_open_quotation_mark_is_placed_where_its_row_begins(table):
    error = problem_of(table('id,report\na,b\nc,"no effusion\nd,e\nf,g\n'))
    assert "line 3: the row cannot be read" in error.problem
    assert "quotation mark" in error.advice


def test_text_behind_a_closing_quotation_mark_is_refused(table):
    error = problem_of(table('id,report\na,"no "acute" process"\nb,c\n'))
    assert "line 2" in error.problem
    assert "acute" not in str(error)


def test_an_open_quotation_mark_in_the_header_is_refused(table):
    assert "line 1: the header cannot be read" in problem_of(table('id,"report\na,b\n')).problem


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_called_empty(table, content):
    assert "is empty" in problem_of(table(content)).problem
    assert "is empty" in problem_of(table(content, "reports.csv.gz")).problem


@pytest.mark.parametrize("content", ["\nid,report\na,b\n", " , \nid,report\n"])
def test_a_first_line_without_names_is_refused(table, content):
    assert "line 1: no column has a name" in problem_of(table(content)).problem


@pytest.mark.parametrize("name", ["reports.csv", "reports.csv.gz"])
def test_another_encoding_is_refused_with_the_line(table, name):
    error = problem_of(table("id,report\na,b\nc,\xd6dem\nd,e\n".encode("latin-1"), name))
    assert "line 3: the text is not UTF-8" in error.problem
    assert "UTF-8" in error.advice


def test_another_encoding_far_down_is_refused_with_the_line(table):
    """Beyond the decoder's buffer, and after rows were had."""
    lines = [f"{number},no effusion" for number in range(20_000)]
    content = "\n".join(["id,report", *lines]).encode() + b"\nx,\xd6dem\n"
    assert "line 20002: the text is not UTF-8" in problem_of(table(content)).problem


def test_another_encoding_in_the_header_is_refused(table):
    assert "line 1: the text is not UTF-8" in problem_of(table("id,Größe\n".encode("cp1252"))).problem
    assert "line 1: the text is not UTF-8" in problem_of(table(PLAIN.encode("utf-16"))).problem


def test_utf_16_without_a_mark_is_refused(table):
    error = problem_of(table(PLAIN.encode("utf-16-le")), ["id"])
    assert "line 1" in error.problem


def test_a_gzipped_file_under_another_name_says_what_it_is(table):
    error = problem_of(table(gzip.compress(PLAIN.encode())))
    assert "gzip" in error.problem
    assert ".gz" in error.advice


def test_a_gzipped_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "reports.csv.gz").write_text(PLAIN)
    assert "line 1" in problem_of(tmp_path / "reports.csv.gz").problem


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.98])
def test_a_gzipped_file_cut_off_is_refused(tmp_path, kept):
    path = tmp_path / "reports.csv.gz"
    whole = gzip.compress("".join(["id,report\n", *(f"{n},{n * n % 997} effusions\n" for n in range(20_000))]).encode())
    path.write_bytes(whole[: int(len(whole) * kept)])
    error = problem_of(path)
    assert "cannot be read" in error.problem
    assert "line" in error.problem


@pytest.mark.parametrize(("at", "said"), [(10, "line 1: the header cannot be read"), (-6, "the row cannot be read")])
def test_a_gzipped_file_that_is_damaged_is_refused(tmp_path, at, said):
    """A block of a kind that does not exist at the beginning; a checksum that does not fit at the end."""
    path = tmp_path / "reports.csv.gz"
    whole = bytearray(gzip.compress(PLAIN.encode()))
    whole[at] = 0x07 if at == 10 else whole[at] ^ 0xFF
    path.write_bytes(whole)
    assert said in problem_of(path).problem


def test_another_encoding_in_a_gzipped_file_that_is_cut_off_as_well_is_refused(tmp_path):
    path = tmp_path / "reports.csv.gz"
    one_line = "".join(f"{n * n % 997} effusions " for n in range(20_000))
    whole = gzip.compress(f"id,report\nc,\xd6dem {one_line}\n".encode("latin-1"))
    path.write_bytes(whole[: len(whole) // 2])
    assert "not UTF-8" in problem_of(path).problem


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    assert "No such file" in problem_of(tmp_path / "nowhere.csv").problem
    (tmp_path / "folder.csv").mkdir()
    assert "directory" in problem_of(tmp_path / "folder.csv").problem
    with pytest.raises(TableError, match="No such file"):
        column_names(tmp_path / "nowhere.csv")


def test_the_plain_file_goes_before_the_gzipped(table, tmp_path):
    wanted = tmp_path / "split.csv"
    assert plain_or_gzipped(wanted) is None
    gzipped = table(PLAIN, "split.csv.gz")
    assert plain_or_gzipped(wanted) == gzipped
    plain = table(PLAIN, "split.csv")
    assert plain_or_gzipped(wanted) == plain
