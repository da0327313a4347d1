"""A written answer is cut into statements that can be checked one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evidence.claims import split_claims


def claims(answer: str) -> list[str]:
    return [answer[claim.start : claim.end] for claim in split_claims(answer)]


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        ("It opens at 9:00. It is free.", ["It opens at 9:00.", "It is free."]),
        ("- **T-1** takes 15 days\n- **T-2** takes 25 days", ["**T-1** takes 15 days", "**T-2** takes 25 days"]),
        ("1. Lock it.\n2. Wipe it.", ["Lock it.", "Wipe it."]),
        ("| Item | EUR |\n|---|---|\n| Gangway | 1,150 |", ["| Gangway | 1,150 |"]),
        ("## Fees\n\nA visit costs €58.", ["A visit costs €58."]),
        ("The steps are:\n- Lock it.\n- Wipe it.", ["Lock it.", "Wipe it."]),
        ("Nine months for the shop, against six for the kiosk.", ["Nine months for the shop", "six for the kiosk."]),
        ("The deposit is £75; it is returned later.", ["The deposit is £75", "it is returned later."]),
        ("Log in as root and run the tool.", ["Log in as root and run the tool."]),
        ("It rises by two and a half per cent.", ["It rises by two and a half per cent."]),
        ("Between 15,000 and 24,000 words are wanted.", ["Between 15,000 and 24,000 words are wanted."]),
        ("No. Only dogs that assist are allowed.", ["No. Only dogs that assist are allowed."]),
        ("", []),
    ],
)
def test_statements_follow_sentences_lists_tables_and_clauses(answer: str, parts: list[str]) -> None:
    assert claims(answer) == parts


def test_a_row_knows_its_columns_and_a_clause_its_sentence() -> None:
    (row,) = split_claims("| Item | EUR |\n|---|---|\n| Gangway | 1,150 |")
    assert row.columns == ("Item", "EUR")
    answer = "Nine months for the shop, against six for the kiosk."
    assert {claim.sentence for claim in split_claims(answer)} == {(0, len(answer))}


@given(st.text(st.sampled_from(list("ab1 .,;:|-*#\n()")), max_size=60))
def test_statements_are_in_order_and_do_not_overlap(answer: str) -> None:
    end = 0
    for claim in split_claims(answer):
        assert end <= claim.start < claim.end <= len(answer)
        assert claim.sentence[0] <= claim.start
        assert claim.end <= claim.sentence[1]
        end = claim.end
