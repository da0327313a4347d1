r"""LaTeX as its author sees it: definitions applied and not shown, in linear time, nothing lost without a note."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingestion.loaders import load_bytes
from rag.ingestion.loaders.latex_source import prepare
from rag.types import Document


def read(body: str, preamble: str = "") -> Document:
    text = f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    document = load_bytes(text.encode(), "paper.tex")
    assert document.media_type == "text/x-latex"
    assert "read_as_plain_text" not in [note.kind for note in document.notes]
    return document


def words(body: str, preamble: str = "") -> str:
    return " ".join(read(body, preamble).text.split())


# Definitions ----------------------------------------------------------------------------------------------------------


def test_abbreviations_of_environments_are_applied() -> None:
    preamble = r"\newcommand{\be}{\begin{equation}}" + "\n" + r"\newcommand{\ee}{\end{equation}}"
    text = words(r"\section{Tides} The tide is high at noon. \be x=1 \ee The port is calm.", preamble)
    assert text == r"## Tides The tide is high at noon. \begin{equation} x=1 \end{equation} The port is calm."


@pytest.mark.parametrize(
    ("preamble", "body", "expected"),
    [
        (r"\def\be{\begin{equation}}\def\ee{\end{equation}}", r"\be x \ee", r"\begin{equation} x \end{equation}"),
        (r"\newcommand*{\port}{Lerwick}", r"In \port.", "In Lerwick."),
        (r"\newcommand\port{Lerwick}", r"In \port{} now.", "In Lerwick now."),
        (r"\providecommand{\port}{Lerwick\xspace}", r"In \port.", "In Lerwick."),
        (r"\newcommand{\R}{\mathbb{R}}", r"$x\in\R$", r"$x\in\mathbb{R}$"),
        (r"\newcommand{\norm}[1]{\|#1\|}", r"$\norm{x}$", r"$\|x\|$"),
        (r"\def\half#1{\frac{#1}{2}}", r"$\half n$", r"$\frac{n}{2}$"),
        (r"\newcommand{\pair}[2]{#1 and #2}", r"\pair{salt}{ice}", "salt and ice"),
        (r"\let\eps=\varepsilon", r"$\eps$", r"$\varepsilon$"),
        (r"\DeclareMathOperator{\tide}{tide}", r"$\tide(x)$", r"$\operatorname{tide}(x)$"),
        (r"\NewDocumentCommand{\ship}{m m}{#1 of #2}", r"\ship{Ann}{Hull}", "Ann of Hull"),
        (r"\newcommand{\a}{\b}\newcommand{\b}{quay}", r"The \a.", "The quay."),
        (r"\newenvironment{q}{\begin{gather}}{\end{gather}}", r"\begin{q}x\end{q}", r"\begin{gather}x\end{gather}"),
        (r"\newtheorem{thm}{Theorem}[section]", r"\begin{thm}It holds.\end{thm}", "Theorem. It holds."),
    ],
)  # fmt: skip
def test_each_way_of_definition_is_applied_and_not_shown(preamble: str, body: str, expected: str) -> None:
    assert words(body, preamble) == expected
    assert words(preamble + body) == expected  # also when it is made in the text


@pytest.mark.parametrize(
    "definition",
    [
        r"\newcommand{\rec}{tide \rec}",
        r"\newcommand{\rec}{\other}\newcommand{\other}{\rec}",
        r"\newcommand{\rec}{\ifmmode a\else b\fi}",
        r"\newcommand{\rec}[2][x]{#1#2}",
        r"\def\rec#1;{#1}",
        r"\newcommand{\rec}",
        r"\def\rec",
        r"\newenvironment{x}{",
    ],
)
def test_what_is_not_simple_does_no_harm(definition: str) -> None:
    assert "The tide is high at noon." in words(r"The tide is high at noon. \rec", definition + "\n")


def test_environments_that_open_others_take_no_time() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    preamble = "\n".join(
        rf"\newenvironment{{env{one}}}{{\begin{{BIG{one}}} \hspace{{-.85em}} {{\bf :}} }}{{\end{{BIG{one}}}}}"
        for one in letters
    )
    start = time.process_time()
    assert words("The tide is high at noon.", preamble) == "The tide is high at noon."
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "broken", [r"\begin{a}{", "{", "$", r"\[", r"\verb|", r"\newcommand{\a", r"\begin{verbatim}", r"\def\x#1", "}$"]
)
def test_unbalanced_text_takes_linear_time(broken: str) -> None:
    times = []
    for number in (5_000, 20_000):
        start = time.process_time()
        prepare(broken * number)
        times.append(time.process_time() - start)
    assert times[1] < 16 * times[0] / 2 + 0.5  # twice linear; quadratic would be sixteen times


def test_macros_that_double_are_stopped() -> None:
    names = [f"m{chr(97 + n)}" for n in range(26)]
    doubling = "".join(rf"\newcommand{{\{one}}}{{\{two}\{two}}}" for one, two in pairwise(names))
    assert len(prepare(doubling + rf"\{names[0]}").text) < 1_000_000


@pytest.mark.parametrize(
    "body", [r"{\begin{center} Noon", r"\begin{center} {Noon", r"Noon $x", r"} Noon \end{center}", r"Noon \)"]
)
def test_text_around_what_is_not_closed_stays(body: str) -> None:
    text = words(f"Before. {body}\n\nAfter.")
    assert text.startswith("Before.") and "Noon" in text and text.endswith("After.")


# What stays, and what is noted ----------------------------------------------------------------------------------------


def test_formulas_references_listings_and_the_bibliography_stay() -> None:
    body = r"""See \cite{brill}. \verb|%{x}| costs \$5, 100\% safe. % a comment {
\begin{verbatim}
\newcommand{\a}{b} % kept
\end{verbatim}
\begin{thebibliography}{99}
\bibitem{brill} A. Brill, \emph{The tides}, 2030.
\bibitem[W]{wick} T. Wick, \emph{Harbours}, 2031.
\end{thebibliography}"""
    text = words(body)
    assert text == (
        r"See [brill]. %{x} costs $5, 100% safe. ``` \newcommand{\a}{b} % kept ``` "
        "- [brill] A. Brill, The tides, 2030. - [wick] T. Wick, Harbours, 2031."
    )


def test_included_files_are_named_in_a_note() -> None:
    (note,) = read(r"Words. \input{chapters/one} \include{two} \input three.tex \bibliography{refs,more}").notes
    assert note.kind == "inputs_not_followed"
    assert note.text.endswith("chapters/one.tex, two.tex, three.tex, refs.bib, more.bib")
    assert not read("Words.").notes


def test_a_preamble_gives_the_title_only() -> None:
    preamble = r"\newcommand{\port}{Lerwick}\title{Tides of \port}\author{Ann}\setlength{\parindent}{0pt}\newcounter{a}"
    document = read(r"\maketitle Words.", preamble)
    assert document.title == "Tides of Lerwick"
    assert document.text.split() == ["#", "Tides", "of", "Lerwick", "Words."]


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("part", "#"),
        ("chapter", "#"),
        ("section", "##"),
        ("subsection", "###"),
        ("subsubsection", "####"),
        ("paragraph", "#####"),
    ],
)
@pytest.mark.parametrize("form", [r"\%s{The quay}", r"\%s*{The quay}", r"\%s[Quay]{The quay}"])
def test_headings_of_every_level_and_form_are_read(name: str, marks: str, form: str) -> None:
    assert read(form % name + " Words.").text == f"{marks} The quay\n\n Words.\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (r"See \citep[see][p.~2]{brill} and \autoref{tab:a}.", "See [brill] and [tab:a]."),
        (r"\begin{figure}\includegraphics[width=2cm]{quay.png}\caption{The quay}\end{figure}", "The quay"),
        (
            r"\begin{tabular}{ll}Item & Price \\ \multirow{2}{*}{Lamp} & 19 \\ & 20 \\ & 21 \end{tabular}",
            "| Item | Price | | --- | --- | | Lamp | 19 | | Lamp | 20 | | | 21 |",
        ),
    ],
)
def test_references_figures_and_joined_rows_are_read(body: str, expected: str) -> None:
    assert words(body) == expected


@pytest.mark.parametrize(
    "macro",
    [
        r"\mbox{Quay}", r"\href{http://a.org/b%20c}{Quay}", r"\raisebox{2pt}{Quay}", r"\resizebox{\textwidth}{!}{Quay}",
        r"\parbox[t]{3cm}{Quay}", r"\begin{minipage}[t]{0.5\textwidth}Quay\end{minipage}", r"\textcolor{red}{Quay}",
        r"\begin{CJK*}{UTF8}{gbsn}Quay\end{CJK*}", r"\begin{multicols}{2}Quay\end{multicols}",
        r"\captionof{table}{Quay}", r"\thispagestyle{empty}Quay", r"\setcounter{page}{1}Quay", r"\rule{1cm}{2pt}Quay",
        r"\fontsize{12}{14}Quay",
        r"\addcontentsline{toc}{section}{x}Quay", r"Quay\index{quay}", r"\nocite{x}Quay", r"\texorpdfstring{Quay}{x}",
        r"\begin{tikzpicture}\draw (0,0) -- (1,1);\end{tikzpicture}Quay", r"\hypertarget{x}{Quay}",
    ],
)  # fmt: skip
def test_layout_is_no_text_and_what_it_frames_is(macro: str) -> None:
    document = read(f"The {macro} is wide.")
    assert document.text.split() == ["The", "Quay", "is", "wide."]


def test_cells_of_several_columns_are_repeated_and_rules_are_no_text() -> None:
    body = (
        r"\begin{tabular}{lrr}\toprule & \multicolumn{2}{c}{Depth} \\ \cmidrule(lr){2-3} Pier & 2030 & 2031 \\"
        r"\midrule 4 & 9 & 8 \\ \cline{1-2} 5 & 7 & 6 \\ \bottomrule\end{tabular}"
    )
    assert read(body).text.strip() == (
        "| Pier | Depth / 2030 | Depth / 2031 |\n| --- | --- | --- |\n| 4 | 9 | 8 |\n| 5 | 7 | 6 |"
    )


def test_quantities_have_their_units_and_powers_never_join_a_number() -> None:
    body = (
        r"\SI{5}{\kilo\meter\per\hour}, \qty{12.5}{\degreeCelsius}, \SI{3}{m/s}, \num{1200}, \ang{45}, "
        r"10\textsuperscript{6}, CO\textsubscript{2}"
    )
    assert words(body) == "5 km/h, 12.5 °C, 3 m/s, 1200, 45°, 10^6, CO2"


def test_figures_are_counted_in_a_note() -> None:
    document = read(r"Quay \includegraphics[width=2cm]{a.png} \begin{tikzpicture}\draw (0,0);\end{tikzpicture}")
    assert [(note.kind, note.text) for note in document.notes] == [("pictures_not_read", "2 figures not read")]


@pytest.mark.parametrize("cut", [r"\href{x}", r"\SI{5}", r"\mbox", r"\subfloat[a", r"\multicolumn{2}", r"\ang"])
def test_a_file_that_ends_inside_a_macro_is_read(cut: str) -> None:
    assert "Noon" in words(rf"Noon {cut}")


def test_a_short_form_of_the_title_is_left_out() -> None:
    assert read(r"\maketitle Words.", r"\title[Tides]{The tides of Lerwick}").title == "The tides of Lerwick"


def test_a_file_that_is_read_as_plain_text_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    (note,) = load_bytes(b"1\n00:00:01,000 --> 00:00:02,000\n", "a.srt").notes
    assert note.kind == "read_as_plain_text"
    assert "SubRip" in note.text


@given(st.text(alphabet="\\{}$%[]# \nabeginmd#1", max_size=200))
def test_any_text_is_prepared_and_is_then_balanced(text: str) -> None:
    once = prepare(text).text
    assert once.count("{") - once.count("\\{") >= 0
    depth = 0
    escaped = False
    for char in once:
        if not escaped:
            depth += (char == "{") - (char == "}")
        escaped = char == "\\" and not escaped
    assert depth == 0
