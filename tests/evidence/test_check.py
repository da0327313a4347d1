"""The check of written answers: what passages say is found, what they say otherwise is contradicted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.evidence.check import check
from rag.types import Passage

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "docs"


def passage(text: str, number: int = 1, title: str = "", source: str = "", headings: tuple[str, ...] = ()) -> Passage:
    return Passage(number, source or f"{number}.md", title, None, headings, 0, len(text), text, score=1.0)


def outcomes(answer: str, question: str, *passages: Passage) -> list[str]:
    return [claim.outcome for claim in check(answer, passages, question).claims]


CLEANING = passage(
    "| Building | Flats | Cleaning | Lift |\n| --- | --- | --- | --- |\n| Heron House | 48 | 7900 | 4860 |\n"
    "| Quarry View | 36 | 5640 | 0 |\n| Tern Court | 18 | 2970 | 1980 |"
)
COST = "What was spent on cleaning Quarry View?"


@pytest.mark.parametrize(
    ("answer", "question", "outcome"),
    [
        ("£5,640.", COST, "found"),
        ("Cleaning Quarry View cost **5 640 pounds**.", COST, "found"),
        ("£7,900", COST, "contradicted"),  # another row
        ("Quarry View has 48 flats.", "How many flats has Quarry View?", "contradicted"),
        ("Cleaning cost £16,510 in total.", "What did cleaning cost in total?", "found"),  # a sum
        ("Cleaning cost £16,511 in total.", "What did cleaning cost in total?", "contradicted"),
        ("Heron House, with £7,900.", "Which building has the highest cost of cleaning?", "found"),
        ("Quarry View, with £5,640.", "Which building has the highest cost of cleaning?", "contradicted"),
        ("It costs £2,260 more.", "How much more does cleaning Heron House cost than Quarry View?", "found"),
    ],
)
def test_table_cells_count_with_their_row_and_column(answer: str, question: str, outcome: str) -> None:
    assert outcomes(answer, question, CLEANING) == [outcome]


PROSE = passage(
    "The machine must not be hosed down. Vaccination is recommended, but not compulsory. "
    "Isolde Murrelet is managing director; Caspar Thorne leads engineering. A car earns 47 pence per mile, a bicycle "
    "21 pence per mile. The motion was accepted with 48 to 9."
)


@pytest.mark.parametrize(
    ("answer", "question", "outcome"),
    [
        ("The machine must not be hosed down.", "May I hose the machine?", "found"),
        ("Yes, the machine may be hosed down.", "May I hose the machine?", "contradicted"),
        ("Vaccination is compulsory.", "Is vaccination compulsory?", "contradicted"),
        ("No, it is only recommended.", "Is vaccination compulsory?", "found"),
        ("Caspar Thorne leads engineering.", "Who leads engineering?", "found"),
        ("Isolde Murrelet leads engineering.", "Who leads engineering?", "contradicted"),
        ("47p a mile", "What do I get for my car?", "found"),
        ("21p a mile", "What do I get for my car?", "contradicted"),
        ("The motion was rejected.", "Was the motion accepted?", "contradicted"),
        ("The cafeteria serves soup to visitors.", "What is there to eat?", "not_found"),
    ],
)
def test_negation_names_and_neighbours_in_prose(answer: str, question: str, outcome: str) -> None:
    assert outcomes(answer, question, PROSE) == [outcome]


def test_an_older_version_does_not_speak_for_the_newer() -> None:
    old = passage("Not more than two visitors may be at a bed.", 1, "Visitor policy", "policy-2023.md")
    new = passage("Not more than three visitors may be at a bed.", 2, "Visitor policy", "policy-2025.md")
    asked = "How many visitors may be at a bed?"
    assert outcomes("Two visitors may be at a bed.", asked, old, new) == ["contradicted"]
    assert outcomes("Three visitors may be at a bed.", asked, old, new) == ["found"]
    assert outcomes("Two visitors were allowed.", "How many visitors were allowed before?", old, new) == ["found"]


def test_title_and_headings_say_which_document_is_meant() -> None:
    shop = passage("The tenant gives nine months' notice.", 1, "Lease of the workshop")
    kiosk = passage("The tenant gives six months' notice.", 2, "Lease of the kiosk")
    asked = "What notice does the kiosk have to give?"
    assert outcomes("Six months.", asked, shop, kiosk) == ["found"]
    assert outcomes("Nine months.", asked, shop, kiosk) == ["contradicted"]


def test_a_witness_decides_between_equals() -> None:
    text = passage("Ada Brill signed for one side. Carl Stone signed for the other.")

    def witness(*_: object) -> list[tuple[int, int, int, float]]:
        return [(0, text.text.index("Carl"), text.text.index(" signed for the other"), 1.0)]

    (claim,) = check("Ada Brill signed.", [text], "Who signed for Corvane?", witness=witness).claims
    assert (claim.outcome, claim.instead) == ("contradicted", "Carl Stone")
    assert check("Ada Brill signed.", [text], "Who signed for Corvane?").claims[0].outcome == "found"


def test_a_contradiction_says_what_the_source_says() -> None:
    checked = check("£7,900", [CLEANING], COST)
    (claim,) = checked.claims
    assert claim.reason == "the source says 5640 (Cleaning), not £7,900"
    assert checked.citations[claim.citations[0]].quote == "| Quarry View | 36 | 5640 | 0 |"
    assert checked.sentences[0].citation is None
    assert checked.support == 0.0


def test_each_claim_of_a_list_is_checked_alone() -> None:
    answer = "- Quarry View: £5,640\n- Tern Court: £1,980"
    assert outcomes(answer, "What does cleaning cost?", CLEANING) == ["found", "contradicted"]


_WORDS = st.sampled_from("fog mast lamp keeper boat letter friday harbour signal bronze туман мачта".split())  # noqa: SIM905
_SENTENCE = st.builds(
    lambda words, number, unit: f"The {' '.join(words)} needs {number} {unit}.",
    st.lists(_WORDS, min_size=3, max_size=6, unique=True),
    st.integers(2, 10**6),
    st.sampled_from(["litres", "days", "pounds", "of them"]),
)


@settings(max_examples=60)
@given(st.lists(_SENTENCE, min_size=1, max_size=6), st.data())
def test_a_sentence_of_a_passage_is_found_and_not_with_another_number(source: list[str], data: st.DataObject) -> None:
    sentence = data.draw(st.sampled_from(source))
    text = passage(" ".join(source))
    assert outcomes(sentence, "", text) == ["found"]
    used = {int(number) for number in re.findall(r"\d+", text.text)}
    other = data.draw(st.integers(2, 10**6).filter(lambda n: n not in used))
    assert "found" not in outcomes(re.sub(r"\d+", str(other), sentence), "", text)


def _sections() -> list[Passage]:
    """The sections of the example documents in Markdown and text."""
    found: list[Passage] = []
    for file in sorted([*EXAMPLES.rglob("*.md"), *EXAMPLES.rglob("*.txt")]):
        data = file.read_bytes()
        text = data.decode("utf-8" if _is_utf8(data) else "cp1252")
        title = text.strip().splitlines()[0].strip("# ")
        for part in re.split(r"\n(?=#{1,3} |\d\. [A-Z])", text):
            if part.strip():
                found.append(passage(part.strip(), len(found), title, file.name))
    return found


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def test_answers_over_the_example_documents() -> None:
    """Written for this test: answers as language models write them, right and wrong, over all sections at once."""
    lines = (HERE / "written_answers.jsonl").read_text(encoding="utf-8").splitlines()
    sections = _sections()
    whole: dict[str, list[bool]] = {"right": [], "wrong": []}
    for row in map(json.loads, lines):
        claims = check(row["answer"], sections, row["question"]).claims
        whole[row["verdict"]].append(bool(claims) and all(claim.outcome == "found" for claim in claims))
    assert min(map(len, whole.values())) >= 30
    assert sum(whole["right"]) >= 0.85 * len(whole["right"])
    assert sum(whole["wrong"]) <= 0.15 * len(whole["wrong"])
