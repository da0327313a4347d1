"""What the chat page shows, computed without it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rag.answering import query_rewriting as followup
from rag.config import load_config
from rag.errors import Failure
from rag.retrieval.filters import Filter
from rag.types import Answer, Citation, Claim, Note, Passage, Sentence
from ui.i18n import Texts
from ui.jobs.asking import Clock, Outcome
from ui.storage.chats import Chat, Turn
from ui.text.safe import inert, readable
from ui.views.chat import (
    absence,
    choices,
    confidence,
    history,
    is_markdown,
    no_answer,
    pieces,
    plain_text,
    times,
    to_turn,
    was_rewritten,
)
from ui.views.chat_export import file_name, to_json, to_markdown

PASSAGE = Passage(1, "docs/fog.md", "Fog", 3, ("Fog sensor",), 10, 40, "The fog sensor weighs 3.4 kg.", 1.0)
CITATION = Citation(PASSAGE, 10, 20, "The fog se")


def answer(
    text: str = "It weighs 3.4 kg.", *, confidence: float = 0.8, supported: tuple[bool, ...] = (True,)
) -> Answer:
    sentences, at = [], 0
    for yes in supported:
        sentences.append(Sentence(at, len(text) // len(supported) * (len(sentences) + 1), 1.0, 0 if yes else None))
        at = sentences[-1].end
    return Answer("?", text, False, confidence, tuple(sentences), (CITATION,) * any(supported), (PASSAGE,), band="high")


@pytest.mark.parametrize(
    ("reason", "nothing_in", "why"),
    [
        ("nothing relevant", "index", "empty"), ("nothing relevant", "filter", "filtered"),
        ("nothing relevant", "", "irrelevant"), ("low confidence", "", "unsure"), ("stop", "", "silent"),
        ("no passage fits", "", "unfit"), ("unknown script", "", "unlearned"),
    ],
)  # fmt: skip
def test_an_abstention_says_why(reason: str, nothing_in: str, why: str) -> None:
    assert absence(Answer("?", "no", True, 0.0, finish_reason=reason), nothing_in) == why  # type: ignore[arg-type]
    Texts("en")(f"chat.{why}")


def test_an_answer_that_was_given_is_no_abstention() -> None:
    assert absence(answer(), "") == ""


@pytest.mark.parametrize(
    ("preset", "names"),
    [("cpu", ["reader", "written"]), ("gpu", ["written", "reader"]), ("cluster", ["written", "reader"])],
)
def test_the_configured_generator_is_the_first_choice(preset: str, names: list[str]) -> None:
    offered = choices(load_config(preset).config)
    assert list(offered) == names
    assert offered[names[0]] == ()
    other = load_config(preset, offered[names[1]]).config.generator
    assert other.type == ("vllm" if preset == "cpu" else "extractive")


def test_times_count_from_when_the_models_were_there() -> None:
    waits = dict(times(Clock(loaded=5.0, sources=5.2, first_text=5.5, done=6.0)))
    assert waits == pytest.approx({"loading": 5.0, "sources": 0.2, "first": 0.5, "done": 1.0})
    assert [key for key, _ in times(Clock(loaded=0.1, sources=0.3, done=0.4))] == ["sources", "done"]
    assert times(Clock(loaded=0.1)) == []


def test_the_history_of_a_question_is_what_was_understood_before_it() -> None:
    turns = [
        Turn("And that?", id="a", answer=answer("3.4 kg")),
        Turn("Why?", id="b", shown="half"),
        Turn("Who?", id="c", answer=replace(answer("no"), abstained=True)),
    ]
    question = answer("").question
    assert history(turns) == [followup.Turn(question, "3.4 kg"), followup.Turn("Why?"), followup.Turn(question)]
    assert history(turns, turns[1]) == [followup.Turn(question, "3.4 kg")]
    assert was_rewritten(turns[0]) and not was_rewritten(turns[1])
    assert not was_rewritten(Turn(f" {question} ", answer=answer("")))


def test_a_copied_answer_brings_its_sources() -> None:
    assert (
        plain_text(Turn("?", answer=answer()), Texts("en")).splitlines()[-1] == "[1] docs/fog.md · page 3 · Fog sensor"
    )
    assert plain_text(Turn("?", shown="half"), Texts("en")) == "half"


def test_the_words_that_answer_are_a_strong_piece() -> None:
    found = replace(answer(), short="3.4 kg", short_start=10)
    assert [(piece.text, piece.strong, piece.numbers) for piece in pieces(found)] == [
        ("It weighs ", False, ()),
        ("3.4 kg", True, ()),
        (".", False, (1,)),
    ]


def test_an_inferred_yes_or_no_is_strong_and_has_no_source() -> None:
    found = answer("No. It weighs 3.4 kg.")
    found = replace(found, short="No", sentences=(replace(found.sentences[0], start=4),))
    assert [(piece.text, piece.strong, piece.numbers) for piece in pieces(found)] == [
        ("No", True, ()),
        (". ", False, ()),
        ("It weighs 3.4 kg.", False, (1,)),
    ]


def test_an_outcome_becomes_a_turn() -> None:
    config = load_config("cpu").config
    turn = to_turn("?", Outcome(answer(), None, False, "It", Clock()), config)
    assert (turn.band, turn.absence, turn.said, turn.config) == ("high", "", "It weighs 3.4 kg.", config.digest())
    failed = to_turn("?", Outcome(None, Failure("dead", "again", 1), False, "It", Clock()), config)
    assert (failed.said, failed.band, failed.failure) == ("It", "", Failure("dead", "again", 1))


def test_no_confidence_is_told_where_nothing_was_answered() -> None:
    config, nothing = load_config("cpu").config, replace(answer(""), citations=(), sentences=())
    turn = to_turn("?", Outcome(nothing, None, True, "", Clock()), config)
    assert turn.band == "" and confidence(Turn("?", answer=answer(), band="low"), Texts("en")) == "low confidence"
    kept = Turn("?", answer=nothing, stopped=True, band="low")  # by an earlier version
    assert confidence(kept, Texts("en")) == "" and "confidence" not in exported(kept)
    assert json.loads(to_json(Chat(turns=[kept])))["turns"][0]["confidence"] is None


def test_a_summary_is_not_rated() -> None:
    summary = Turn("?", answer=replace(answer(), confidence=None, band=""))
    assert confidence(summary, Texts("en")) == "not rated" and "not rated" in exported(summary)
    assert not is_markdown(summary.answer) and pieces(summary.answer)[0].numbers == (1,)
    greeting = Turn("?", answer=replace(answer(), confidence=None, band="", citations=(), passages=()))
    assert confidence(greeting, Texts("en")) == ""


def test_an_abstention_says_which_filter_was_on_when_it_was_asked() -> None:
    silent = replace(answer("no"), abstained=True)
    told = to_turn(
        "?", Outcome(silent, None, False, "", Clock(), filter=Filter.parse(["type=pdf"])), load_config("cpu").config
    )
    assert no_answer(told, Texts("en"))[2:] == ["A filter was on: only documents with type=pdf were searched."]
    assert (
        "type\\=pdf" in exported(told) and json.loads(to_json(Chat(turns=[told])))["turns"][0]["filter"] == "type=pdf"
    )
    for turn in (replace(told, filter=()), replace(told, absence="unlearned"), replace(told, absence="empty")):
        assert len(no_answer(turn, Texts("en"))) == 2


# What leaves the page -----------------------------------------------------------------------------------------------

HOSTILE = [
    "![x](http://sink.example/a.png)", "[x](javascript:alert(1))", "<img src=http://sink.example/b>", "http://sink.example",
    "www.sink.example", "a@sink.example", "<http://sink.example>", "[a]: http://sink.example", "`code` $x$ :smile:",
    "# heading", "- list", "1. list", "    code", "> quote", "***", "| a | b |", "&lt;b&gt;", "![r][a]\n\n[a]: http://s.example",
    "```\n<script>\n```", "\\[x](http://sink.example)", "~~a~~", "Title\n===", ":material/home: :red[x]",
]  # fmt: skip


def tokens(markdown: str) -> list[str]:
    """Every kind of thing that two readers of Markdown find in a text."""
    found = []
    for reader in (MarkdownIt("commonmark"), MarkdownIt("gfm-like", {"linkify": False})):
        for token in reader.parse(markdown):
            found += [token.type, *(child.type for child in token.children or ())]
    return found


@given(st.sampled_from(HOSTILE) | st.text("[]()!<>&:/@.wht`$#-*_~|\\ \n\ta1+=;'\"", max_size=40))
def test_inert_markdown_is_one_paragraph_of_text(text: str) -> None:
    for markdown in (inert(text), readable(text)):
        alone = {"paragraph_open", "inline", "paragraph_close", "text", "text_special"}
        assert set(tokens(markdown)) <= alone
        assert "://" not in markdown and "www." not in markdown


@given(st.text("[]()!<>&:/@.wht`$#-*_~|\\ \n\ta1+=;'\"", max_size=60))
def test_an_answer_of_any_signs_is_exported_as_a_quotation_of_text(text: str) -> None:
    turn = Turn("?", answer=replace(answer(), text=text, sentences=()), asked=0.0)
    kinds = {kind.removesuffix("_open").removesuffix("_close") for kind in tokens(exported(turn))}
    assert kinds <= {
        "heading", "blockquote", "paragraph", "inline", "text", "text_special", "softbreak", "em", "ordered_list",
        "list_item",
    }  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_exported_markdown_of_hostile_text_has_no_live_link_or_image(text: str) -> None:
    passage = Passage(1, f"{text}.md", text, None, (text,), 0, len(text), text, 1.0)
    hostile = Answer(
        text, text, False, 0.5, (Sentence(0, len(text), 1.0, 0),), (Citation(passage, 0, 1, text),), (passage,)
    )
    chat = Chat("", text, turns=[Turn(text, answer=hostile), Turn(text, shown=text, failure=Failure(text, text, 1))])
    markdown = to_markdown(chat, Texts("en"))
    alive = {
        "link_open",
        "image",
        "html_inline",
        "html_block",
        "code_block",
        "fence",
        "code_inline",
        "table_open",
        "s_open",
    }
    assert not alive & set(tokens(markdown))
    assert "://" not in markdown and "www." not in markdown


def exported(*turns: Turn) -> str:
    return to_markdown(Chat("", "T", turns=list(turns)), Texts("en"))


def test_an_export_names_the_page_on_which_the_quote_begins() -> None:
    passage = Passage(1, "a.pdf", "A", 3, (), 0, 9, "one. two.", 1.0)
    cited = (Citation(passage, 0, 4, "one."), Citation(passage, 5, 9, "two.", own_page=4))
    answer = Answer("one. two.", "two.", False, 0.5, (Sentence(0, 9, 1.0, 0),), cited, (passage,))
    markdown = exported(Turn("What?", answer=answer)).replace("\\", "")
    assert "page 3: “one.”" in markdown.lower() and "page 4: “two.”" in markdown.lower()


@pytest.mark.parametrize(
    ("why", "title"),
    [("unlearned", "The question was not read"), ("unsure", "No sure answer"), ("irrelevant", "Not in your")],
)
def test_an_export_and_a_copy_say_why_there_is_no_answer(why: str, title: str) -> None:
    turn = Turn("?", answer=replace(answer("The documents do not say."), abstained=True), absence=why)
    told = Texts("en")(f"chat.{why}")
    for text in (exported(turn), plain_text(turn, Texts("en"))):
        assert title in text and told[:40] in text and "do not say" not in text
        assert ("Not in your documents" in text) == (why == "irrelevant")
    assert json.loads(to_json(Chat(turns=[turn])))["turns"][0]["absence"] == why


def test_an_export_and_a_copy_say_what_a_source_contradicts_and_what_has_none() -> None:
    claims = (Claim(0, 14, "found", (0,)), Claim(15, 28, "contradicted", (0,), "the source says six, not two", "six"))
    turn = Turn("?", answer=replace(answer("It weighs one. It costs two. "), claims=claims))
    for text in (exported(turn), plain_text(turn, Texts("en"))):
        assert text.count("the source says") == 1 and "No source was found" not in text
    turn = Turn("?", answer=answer("It weighs one.", supported=(False,)))
    for text in (exported(turn), plain_text(turn, Texts("en"))):
        assert "No source was found for this answer." in text
    value = json.loads(to_json(Chat(turns=[turn])))["turns"][0]["answer"]
    assert [sentence["supported"] for sentence in value["sentences"]] == [False] and value["citations"] == []


def test_an_export_says_what_was_understood_and_that_an_answer_is_not_whole() -> None:
    assert "Understood as" not in exported(Turn("?", answer=answer()))
    assert "Understood as\\: “?”." in exported(Turn("And that?", answer=answer()))
    assert "Stopped before there was an answer" in exported(Turn("?", stopped=True))
    assert "This is the text so far" in exported(Turn("?", shown="half", stopped=True))
    broken = exported(Turn("?", shown="half", failure=Failure("dead", "ask again", 1)))
    assert "ends here" in broken and "*dead*" in broken and "*ask again*" in broken
    noted = exported(Turn("?", answer=replace(answer(), notes=(Note("Two passages differ."),))))
    assert "*Two passages differ.*" in noted


def test_names_and_sentences_are_exported_without_needless_signs() -> None:
    for text in ("docs/lab/arm-7.txt, page 3; really?", "It's 3.4 kg; 50% of it"):
        assert readable(text).replace("\u2060", "") == text
    assert readable("- a") == "\\- a" and readable("12. a") == "12\\. a" and readable("7.") == "7\\."


def test_exported_json_holds_the_exact_texts() -> None:
    text = "![x](http://sink.example) \u202e \ud800"
    value = json.loads(to_json(Chat("/c", "T", turns=[Turn(text, answer=answer(text)), Turn("b", stopped=True)])))
    assert value["turns"][0]["question"] == value["turns"][0]["answer"]["answer"] == text
    assert (value["turns"][1]["stopped"], value["turns"][1]["answer"]) == (True, None)


@pytest.mark.parametrize(
    ("title", "name"), [("../../etc: passwd?", "etc-passwd.md"), ("Датчик", "chat.md"), ("", "chat.md")]
)
def test_an_export_has_a_plain_name(title: str, name: str) -> None:
    assert file_name(Chat("", title), "md") == name
