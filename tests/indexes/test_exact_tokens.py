"""Codes and numbers as whole tokens, and quoted phrases."""

from __future__ import annotations

import pytest

from indexes.search.exact_tokens import exact_tokens, quoted_phrases


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("See TW-2025-0119, FL-40 and `uploads.max_size`;", ["tw-2025-0119", "fl-40", "uploads.max_size"]),
        ("§ 3.2 and §§ 4", ["§3.2", "§4"]),
        ("1,250 or 1250, 1 250 and 1\u00a0250", ["1250"] * 4),
        ("$2,350,000.75 and 12,5", ["$2350000.75", "12", "5"]),
        ("| 14:30 | a@b.example | /etc/x.conf |", ["14:30", "a@b.example", "etc/x.conf"]),
        ("2025-04-21 15/07/2022", ["2025-04-21", "15/07/2022"]),
        ("plain words, long-term e-mail", []),
        ("7 " + "9" * 65, []),
        ("Х-03", ["х-03"]),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    found = exact_tokens(text)
    assert found == [token for token in tokens if len(token) > 1]


def test_quoted_phrases_of_any_style() -> None:
    text = """one "two three" „vier fünf“ «шесть семь» “eight nine” and 'ten'"""
    assert quoted_phrases(text) == ["two three", "vier fünf", "шесть семь", "eight nine"]
    assert quoted_phrases('5" pipe') == quoted_phrases('""') == []
