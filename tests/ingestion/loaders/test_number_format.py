"""Numbers as a spreadsheet shows them. The expected texts are those of LibreOffice and Excel in an English locale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.loaders.number_format import general, is_date_format, shown

EURO = '_-* #,##0.00 €_-;-* #,##0.00 €_-;_-* "-"?? €_-;_-@_-'
DOLLAR = '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)'


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (2134, "00000", "02134"),
        (123456789, "000-00-0000", "123-45-6789"),
        (5551234567, "(###) ###-####", "(555) 123-4567"),
        (0.12, "0%", "12%"),
        (0.12, "0 %", "12 %"),
        (0.125, "0.0%", "12.5%"),
        (-0.05, "0%", "-5%"),
        (1200, '"€" #,##0', "€ 1,200"),
        (1200, "[$€-407] #,##0", "€ 1,200"),
        (1200.5, "#,##0.00 [$€-407]", "1,200.50 €"),
        (1200, '#,##0\\ "kg"', "1,200 kg"),
        (999, "#,##0", "999"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (-1234.5, "#,##0.00", "-1,234.50"),
        (-1234.5, "#,##0.00;(#,##0.00)", "(1,234.50)"),
        (-1234.5, "#,##0.00_);[Red](#,##0.00)", "(1,234.50)"),
        (-12, EURO, "-12.00 €"),
        (1200, DOLLAR, "$ 1,200.00"),
        (-1200, DOLLAR, "$ (1,200.00)"),
        (0, DOLLAR, "$ -"),
        (0, '#,##0;-#,##0;"none"', "none"),
        (1234567, "#,##0,", "1,235"),
        (1234567, '0.0,,"M"', "1.2M"),
        (12345.678, "0.00E+00", "1.23E+04"),
        (12345, "##0.0E+0", "12.3E+3"),
        (0.00012, "0.0E-0", "1.2E-4"),
        (2.25, "# ?/?", "2 1/4"),
        (2, "# ?/?", "2"),
        (0.3333, "# ??/??", "1/3"),
        (1.5, "?/?", "3/2"),
        (0.5, "# ?/8", "4/8"),
        (2.5, "0", "3"),
        (0.285, "0.00", "0.29"),
        (1.5, "0.##", "1.5"),
        (1.0, "0.##", "1"),
        (0.5, "#.##", ".5"),
        (-0.001, "0.0", "0.0"),
        (0, "#", ""),
        (7, ";;;", ""),
        (3, '[>=10]"many";[<10]"few"', "few"),
        (1, '"yes";"yes";"no"', "yes"),
        (42, "@", "42"),
        (5, "General", "5"),
        (5, 'General" pcs"', "5 pcs"),
        ("abc", '"x-"@', "x-abc"),
        ("abc", "0.00", "abc"),
        (37.5, "0.0°C", "37.5°C"),
    ],
)
def test_numbers(value: float | str, code: str, expected: str) -> None:
    assert shown(value, code) == expected


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (48000, "yyyy-mm-dd", "2031-06-01"),
        (48000, "dd.mm.yyyy", "01.06.2031"),
        (48000, "d. mmmm yyyy", "1. June 2031"),
        (48000, "m/d/yy", "6/1/31"),
        (48000, "ddd, d mmm", "Sun, 1 Jun"),
        (48000.75, "dd.mm.yyyy hh:mm", "01.06.2031 18:00"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (0.0, "h:mm AM/PM", "12:00 AM"),
        (48000.5 + 90.5 / 86400, "mm:ss.0", "01:30.5"),
        (26.5 / 24, "[h]:mm", "26:30"),
        (26.5 / 24, "[mm]:ss", "1590:00"),
        (-1 / 24, "[h]:mm", "-1:00"),
        (48000, "[$-F800]dddd, mmmm dd, yyyy", "2031-06-01"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-5, "yyyy-mm-dd", "-5"),
        (1e9, "yyyy-mm-dd", "1000000000"),
    ],
)
def test_dates_and_times(value: float, code: str, expected: str) -> None:
    assert shown(value, code) == expected
    assert is_date_format(code)


def test_dates_since_1904() -> None:
    assert shown(0, "yyyy-mm-dd", since_1904=True) == "1904-01-01"


@given(st.integers(-(10**12), 10**12))
def test_grouped_numbers_are_those_of_python(value: int) -> None:
    assert shown(value, "#,##0") == f"{value:,}"
    assert general(value) == str(value)


@given(st.floats(-1e9, 1e9), st.text(max_size=12))
def test_no_format_fails(value: float, code: str) -> None:
    assert isinstance(shown(value, code), str)


@given(st.floats(-1e9, 1e9), st.text('0#?.,%/;[]<>=yhmsdE+-@_*\\" $€', max_size=14))
def test_no_format_made_of_its_own_signs_fails(value: float, code: str) -> None:
    assert isinstance(shown(value, code), str)


@given(
    st.floats(-1e12, 1e12) | st.integers(-(10**12), 10**12) | st.sampled_from([0.5, -0.004, 2.675, 1e300]),
    st.sampled_from(["0", "#,##0", "0.00", "#,##0.000", "0%", "0.0%", "#,##0%"]),
)
def test_common_formats_show_the_same_as_the_general_way(value: float, code: str) -> None:
    assert shown(value, code) == shown(value, f'{code}""')
