"""The places where a page shows what strangers wrote, each on a page of its own: ``?place=NAME&sink=HOST``.

Streamlit runs this file. A page that is added to the application adds its places to :data:`PLACES`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from hostile_pages import PAGES
from hostile_payloads import payloads

from rag.config import load_config
from rag.ops.explain import Attribution
from rag.types import Answer, Citation, DroppedPassage, Note, Passage, Sentence, Usage
from ui.components.frame import Here
from ui.i18n import Texts
from ui.settings import UiSettings

APP = Path(__file__)
INDEX = Path("/nowhere/at/all/.rag")
Place = Callable[[Here, list[str]], None]


def passage(n: int, text: str) -> Passage:
    return Passage(n, f"docs/{text}", text, 1, (text, text), 0, len(text), text, 1.0)


AT_ONCE = 12


def batches(texts: list[str]) -> list[list[str]]:
    return [texts[n : n + AT_ONCE] for n in range(0, len(texts), AT_ONCE)]


def answer_of(texts: list[str], n: int, *, abstained: bool = False) -> Answer:
    """An answer that says all texts, from as many documents that are called and headed like them."""
    text = "\n".join(texts)
    found = tuple(passage(n * 100 + k, one) for k, one in enumerate(texts))
    whole = passage(n * 100 + 99, text)
    if abstained:
        return Answer(text, "not in the documents", True, 0.0, passages=(whole, *found), notes=(Note(text),))
    middle = len(text) // 2
    sentences = (Sentence(0, middle, 0.9, 0), Sentence(middle, len(text), 0.1, None))
    cited = (Citation(whole, 0, middle, text[:middle], text), *(Citation(p, 0, 9, p.text[:9], p.text) for p in found))
    dropped = tuple(DroppedPassage(p, Note(p.text, "contradicted", {"said": p.text})) for p in found)
    return Answer(text, text, False, 0.9, sentences, cited, found, dropped, text, tuple(map(Note, texts)), Usage(1, 1),
        {"generate": 0.1}, 1, texts[0])  # fmt: skip


def control(here: Here, texts: list[str]) -> None:
    """What no page may do: it shows that the sink and the search for links would notice."""
    for text in texts:
        st.markdown(text)
    st.html(f'<img src="{texts[0][5:-1]}">')


def answers(here: Here, texts: list[str]) -> None:
    from ui.components.evidence import show_answer

    for n, batch in enumerate(batches(texts)):
        show_answer(here, answer_of(batch, n), f"a{n}")


def viewer(here: Here, texts: list[str]) -> None:
    from ui.components.evidence import show_answer

    for n, batch in enumerate(batches(texts)):
        st.session_state.setdefault(f"a{n}-opened", 1)
        show_answer(here, answer_of(batch, n), f"a{n}")


def abstentions(here: Here, texts: list[str]) -> None:
    from ui.components.evidence import show_answer

    for n, batch in enumerate(batches(texts)):
        st.session_state.setdefault(f"a{n}-opened", 1)
        show_answer(here, answer_of(batch, n, abstained=True), f"a{n}")


def why(here: Here, texts: list[str]) -> None:
    from ui.components.why import show_why

    for n, batch in enumerate(batches(texts)):
        answer = answer_of(batch, n)
        st.session_state.setdefault(f"a{n}-why", True)
        st.session_state[f"a{n}-why-without"] = [Attribution(p, p.text, False, 0.5) for p in answer.passages]
        show_why(here, batch[0], answer, f"a{n}")


def feedback(here: Here, texts: list[str]) -> None:
    from ui.components.feedback import show_feedback

    many = tuple(passage(n, text) for n, text in enumerate(texts))
    whole = Answer(texts[0], texts[0], False, 1.0, passages=many)
    st.session_state.setdefault("a-thumb", 0)
    st.session_state.setdefault("a-rated", 0)
    st.session_state.setdefault("a-where", "passage")
    show_feedback(here, texts[0], whole, "a")


def failures(here: Here, texts: list[str]) -> None:
    from rag.errors import Failure
    from ui.components.frame import show_failure

    for text in texts:
        show_failure(Failure(text, text, 1))


def blocks(here: Here, texts: list[str]) -> None:
    """Questions, names and whatever else a page puts into a block of its own."""
    from ui.text.safe import block, marked

    for text in texts:
        st.html(block(text))
        st.html(f"<p>{marked(text, [(0, 9)])}</p>")


def labels(here: Here, texts: list[str]) -> None:
    """Titles of chats and names of documents on buttons."""
    from ui.text.safe import label, one_line

    for n, text in enumerate(texts):
        st.button(label(text), key=f"button-{n}")
        if n % 4 == 0:
            st.expander(label(text))
    st.radio("radio", [label(text) for text in texts])
    st.selectbox("selectbox", [one_line(text) for text in texts])
    st.dataframe([{"text": one_line(text, 500)} for text in texts])


PLACES: dict[str, Place] = {
    place.__name__: place
    for place in (control, answers, viewer, abstentions, why, feedback, failures, blocks, labels)
} | PAGES  # fmt: skip


def main() -> None:
    name, sink = st.query_params["place"], st.query_params["sink"]
    here = Here(UiSettings(index=INDEX, config="test", state_folder=Path("/nowhere/state")), Texts("en"), INDEX)
    assert load_config("test")
    PLACES[name](here, payloads(sink))
    st.html(f"<p>drawn {name}</p>")


if __name__ == "__main__":
    main()
