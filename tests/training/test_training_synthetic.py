"""Invented office documents: shares, spans, contrast and determinism."""

import re
from collections import Counter

import pytest

from rag.training.data.synthetic import KINDS, synthetic_examples
from rag.training.data.synthetic_phrases import WHOLE_PHRASES, load_phrases

COUNT = 3000


@pytest.fixture(scope="module")
def examples():
    return synthetic_examples(COUNT, seed=3)


def kind(example):
    return example.id.split(":")[1]


def answer(example):
    ((start, end),) = example.answers
    return example.context[start:end]


def test_the_phrases_are_broad():
    phrases = load_phrases()
    attributes = [a for domain in phrases.domains for a in domain.attributes]
    assert len(phrases.domains) >= 25 and len(attributes) >= 120
    for attribute in [*attributes, *phrases.anywhere]:
        assert attribute.statements and len(attribute.questions) >= 3, attribute
        slot = "[[" if attribute.kind in WHOLE_PHRASES else "{v}"
        assert all(slot in statement for statement in attribute.statements), attribute
    assert all(column.questions for table in phrases.tables for column in table.columns)


def test_the_same_seed_gives_the_same_examples(examples):
    assert synthetic_examples(COUNT, seed=3) == examples
    assert synthetic_examples(50, seed=3) == examples[:50]
    assert synthetic_examples(50, seed=4) != examples[:50]


def test_no_example_occurs_twice(examples):
    assert len(examples) == COUNT == len({e.id for e in examples})
    assert len({(e.question, e.title, e.context) for e in examples}) == COUNT


def test_shares(examples):
    answerable = Counter(kind(e) for e in examples if e.answers)
    total = answerable.total()
    assert abs(total / COUNT - 0.6) < 0.01
    assert answerable.keys() == KINDS.keys()
    for name, share in KINDS.items():
        assert abs(answerable[name] / total - share / 100) < 0.04, name


def test_every_reason_for_a_miss_occurs(examples):
    reasons = Counter(kind(e).split("-miss-")[1] for e in examples if not e.answers)
    assert reasons.keys() == {"absent", "section", "entity", "edition", "heading", "row", "column", "random"}
    assert abs(reasons["random"] / reasons.total() - 0.1) < 0.04
    assert all(("-miss-" in kind(e)) == (not e.answers) for e in examples)


def test_answers_are_whole_words_without_white_space_around_them(examples):
    for example in examples:
        for start, end in example.answers:
            text = example.context
            assert 0 <= start < end <= len(text) and text[start:end] == text[start:end].strip(), example
            assert not text[:start][-1:].isalnum() and not text[end : end + 1].isalnum(), example
            assert len(text[start:end].split()) <= 25, example


def test_no_answer_is_in_a_heading_or_a_table_header(examples):
    for example in examples:
        for start, _ in example.answers:
            before = example.context[:start]
            line = example.context[before.rfind("\n") + 1 :].split("\n")[0]
            assert not line.startswith("#"), example
            if line.startswith("| "):
                assert "| --- |" in before, example


def test_no_mark_or_slot_is_left(examples):
    for example in examples:
        text = f"{example.question}\n{example.title}\n{example.context}"
        assert not re.search(r"[\ue000\ue001{}]|\[\[|\]\]", text), example
        assert example.question.strip() and example.title and "\n" not in example.title


def test_passages_have_the_length_of_chunks(examples):
    lengths = sorted(len(e.context) for e in examples)
    assert lengths[0] >= 50 and lengths[-1] <= 1000
    assert 120 < lengths[COUNT // 2] < 500


def test_most_questions_come_with_a_passage_that_does_not_answer_them(examples):
    answered = {e.question for e in examples if e.answers}
    contrasted = {e.question for e in examples if not e.answers}
    assert contrasted <= answered
    assert len(contrasted) > len(answered) / 2


def test_the_title_alone_does_not_tell_whether_the_passage_answers(examples):
    titled = {True: Counter(), False: Counter()}
    for example in examples:
        titled[bool(example.answers)][example.title.split(" > ")[0]] += 1
    both = titled[True].keys() & titled[False].keys()
    assert len(both) > 0.4 * len(titled[False])


def test_many_passages_do_not_name_what_the_question_is_about(examples):
    """Only the title or a heading says whose rent it is."""
    positives = [e for e in examples if e.answers and kind(e) == "fact"]
    unnamed = 0
    for example in positives:
        names = set(re.findall(r"[A-Z]\w{4,}", example.title)) & set(re.findall(r"\w+", example.question))
        unnamed += bool(names) and not any(name in example.context for name in names)
    assert unnamed > 0.1 * len(positives)


def test_answers_are_varied(examples):
    answers = Counter(answer(e) for e in examples if e.answers)
    assert len(answers) > 0.6 * sum(answers.values())
