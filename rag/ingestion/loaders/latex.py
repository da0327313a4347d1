"""LaTeX, through pylatexenc: headings, lists and tables become Markdown; formulas and keys of references stay.

Inputs are not followed, but named in a note. Definitions are applied before, by
:mod:`~rag.ingestion.loaders.latex_source`; the arguments of unknown macros are read as text.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rag.ingestion.loaders.grid import BLANK, Cell, Span, expand, read_tables
from rag.ingestion.loaders.latex_macros import (
    DROPPED,
    ENVIRONMENTS,
    HIDDEN_ENVIRONMENTS,
    RULES,
    SCRIPTS,
    SHOWN,
    quantity,
    with_scripts,
)
from rag.ingestion.loaders.latex_source import prepare
from rag.ingestion.loaders.markdown import markdown_document
from rag.ingestion.loaders.note_kinds import note_of
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.text import decode, normalise
from rag.text import counted, one_line
from rag.types import Document, ReadingNote

__all__ = ["load_latex"]

_GAP = "\n\n"
_NAMED_INPUTS = 10
_FIGURE = re.compile(r"\\includegraphics(?![a-zA-Z])|\\begin\{(?:" + "|".join(HIDDEN_ENVIRONMENTS) + r")\}")
_LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_TABLES = ("tabular", "tabular*", "tabularx", "longtable", "tabulary")
_KEYS = (
    "cite", "citet", "citep", "ref", "eqref", "autoref", "cref", "Cref", "textcite", "parencite", "autocite",
    "footcite", "citeauthor", "citeyear", "pageref", "nameref", "crefrange",
)  # fmt: skip
_QUANTITIES = ("SI", "qty")


def load_latex(data: bytes, source: str) -> Document:
    """Read a LaTeX file."""
    from pylatexenc.latex2text import LatexNodes2Text
    from pylatexenc.latexwalker import LatexWalker

    latex = prepare(decode(data))
    source_text = RULES.sub("", latex.text)
    converter = LatexNodes2Text(latex_context=_context(), math_mode="verbatim")
    nodes, _, _ = LatexWalker(source_text, latex_context=_syntax(), tolerant_parsing=True).get_latex_nodes()
    text = normalise(with_scripts(converter.nodelist_to_text(nodes))).replace("\xa0", " ")
    text = re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text).strip() + "\n"
    document = markdown_document(text, source, "text/x-latex", _title_of(converter))
    return replace(document, notes=(*_notes(latex.inputs), *_figures(source_text)))


def _notes(inputs: tuple[str, ...]) -> tuple[ReadingNote, ...]:
    if not inputs:
        return ()
    names = ", ".join(inputs[:_NAMED_INPUTS]) + (", …" if len(inputs) > _NAMED_INPUTS else "")
    return (note_of("inputs_not_followed", f"files that it includes are not part of its text: {names}"),)


def _figures(latex: str) -> tuple[ReadingNote, ...]:
    count = len(_FIGURE.findall(latex))
    return (note_of("pictures_not_read", f"{counted(count, 'figure')} not read"),) if count else ()


@lru_cache(maxsize=1)
def _syntax() -> Any:
    """Return which arguments macros and environments have."""
    from pylatexenc.latexwalker import get_default_latex_context_db
    from pylatexenc.macrospec import EnvironmentSpec, MacroSpec

    syntax = get_default_latex_context_db()
    syntax.add_context_category(
        "markdown",
        prepend=True,
        macros=[
            *(MacroSpec(name, "*[{") for name in _LEVELS),
            *(MacroSpec(name, "*[[{") for name in _KEYS),
            MacroSpec("bibitem", "[{"),
            MacroSpec("includegraphics", "*[{"),
            MacroSpec("texorpdfstring", "{{"),
            MacroSpec("frametitle", "[{"),
            MacroSpec("ang", "[{"),
            *(MacroSpec(name, "[{[{") for name in _QUANTITIES),
            *(MacroSpec(name, "{") for name in SCRIPTS),
            MacroSpec("subfloat", "[[{"),
            *(MacroSpec(name, arguments) for name, arguments in (DROPPED | SHOWN).items()),
        ],
        environments=[EnvironmentSpec(name, arguments) for name, arguments in ENVIRONMENTS.items()],
    )
    return syntax


@lru_cache(maxsize=1)
def _context() -> Any:
    from pylatexenc.latex2text import EnvironmentTextSpec, MacroTextSpec, get_default_latex_context_db

    context = get_default_latex_context_db()
    context.add_context_category(
        "markdown",
        prepend=True,
        macros=[
            *(MacroTextSpec(name, simplify_repl=_heading(level)) for name, level in _LEVELS.items()),
            *(MacroTextSpec(name, simplify_repl=_keys) for name in _KEYS),
            MacroTextSpec("item", simplify_repl=_item),
            MacroTextSpec("bibitem", simplify_repl=_bibitem),
            MacroTextSpec("verb", simplify_repl=_verb),
            MacroTextSpec("includegraphics", simplify_repl=""),
            MacroTextSpec("texorpdfstring", simplify_repl=_first_argument),
            MacroTextSpec("frametitle", simplify_repl=_heading(_LEVELS["subsection"])),
            MacroTextSpec("ang", simplify_repl=_angle),
            MacroTextSpec("subfloat", simplify_repl=_all_arguments),
            *(MacroTextSpec(name, simplify_repl=_quantity) for name in _QUANTITIES),
            *(MacroTextSpec(name, simplify_repl=marks) for name, marks in SCRIPTS.items()),
            *(MacroTextSpec(name, simplify_repl="") for name in DROPPED),
            *(MacroTextSpec(name, simplify_repl=_last_argument) for name in SHOWN),
            MacroTextSpec("maketitle", simplify_repl=_title),
        ],
        environments=[
            *(EnvironmentTextSpec(name, simplify_repl=_table) for name in _TABLES),
            *(EnvironmentTextSpec(name, simplify_repl=_listing) for name in ("verbatim", "lstlisting")),
            *(EnvironmentTextSpec(name, simplify_repl="", discard=True) for name in HIDDEN_ENVIRONMENTS),
        ],
    )
    return context


def _title_of(converter: Any) -> str:
    return one_line(getattr(converter, "_doc_title", ""))  # pylatexenc sets this attribute at \title


# pylatexenc passes arguments by the names of the parameters, hence ``l2tobj``.


def _heading(level: int) -> Any:
    def heading(node: Any, l2tobj: Any) -> str:
        words = one_line(l2tobj.nodelist_to_text([node.nodeargd.argnlist[-1]]))
        return f"\n\n{'#' * level} {words}\n\n"

    return heading


def _title(node: Any, l2tobj: Any) -> str:
    del node
    title = _title_of(l2tobj)
    return f"\n\n# {title}\n\n" if title else ""


def _item(node: Any, l2tobj: Any) -> str:
    label = l2tobj.node_arg_to_text(node, 0) if node.nodeargd and node.nodeargd.argnlist else ""
    return f"\n- {label} " if label else "\n- "


def _bibitem(node: Any, l2tobj: Any) -> str:
    del l2tobj
    arguments = node.nodeargd.argnlist if node.nodeargd else ()
    key = arguments[-1].latex_verbatim().strip("{}") if arguments and arguments[-1] is not None else ""
    return f"\n- [{key}] " if key else "\n- "


def _arguments(node: Any) -> list[Any]:
    """Return the arguments of a macro that are there; a file may end before them."""
    return [argument for argument in (node.nodeargd.argnlist if node.nodeargd else ()) if argument is not None]


def _last_argument(node: Any, l2tobj: Any) -> str:
    return str(l2tobj.nodelist_to_text(_arguments(node)[-1:]))


def _first_argument(node: Any, l2tobj: Any) -> str:
    return str(l2tobj.nodelist_to_text(_arguments(node)[:1]))


def _all_arguments(node: Any, l2tobj: Any) -> str:
    return " ".join(str(l2tobj.nodelist_to_text([argument])).strip("[]") for argument in _arguments(node))


def _angle(node: Any, l2tobj: Any) -> str:
    return f"{_last_argument(node, l2tobj)}°"


def _quantity(node: Any, l2tobj: Any) -> str:
    if len(_arguments(node)) < 2:
        return _last_argument(node, l2tobj)
    number, unit = _arguments(node)[-2:]
    return quantity(str(l2tobj.nodelist_to_text([number])), unit.latex_verbatim())


def _verb(node: Any, l2tobj: Any) -> str:
    del l2tobj
    return node.nodeargd.verbatim_text if node.nodeargd else ""


def _keys(node: Any, l2tobj: Any) -> str:
    del l2tobj
    return f"[{node.nodeargd.argnlist[-1].latex_verbatim().strip('{}')}]"


def _listing(node: Any, l2tobj: Any) -> str:
    del l2tobj
    arguments = node.nodeargd  # None if the file ends inside
    text = arguments.verbatim_text.strip("\n") if arguments else ""
    return f"\n\n```\n{text}\n```\n\n"


def _table(node: Any, l2tobj: Any) -> str:
    rows: list[list[list[Any]]] = [[[]]]
    for part in node.nodelist:
        if getattr(part, "macroname", "") in ("\\", "tabularnewline"):
            rows.append([[]])
        elif getattr(part, "specials_chars", "") == "&":
            rows[-1].append([])
        else:
            rows[-1][-1].append(part)
    heights: dict[Cell, int] = {}
    grid = expand([[_span(cell, l2tobj, heights) for cell in row] for row in rows])
    first: dict[Cell, int] = {}
    for number, line in enumerate(grid):
        for place, cell in enumerate(line):
            height = heights.get(cell, 1) if first.setdefault(cell, number) == number else 1
            for below in grid[number + 1 : number + height]:
                if place < len(below) and not below[place].text:  # LaTeX leaves the covered places blank
                    below[place] = cell
    filled = [line for line in grid if any(cell.text for cell in line)]
    if len(filled) < 2:
        return " ".join(cell.text for line in filled for cell in dict.fromkeys(line))
    tables = read_tables(list(enumerate(filled, start=1)))
    return f"\n\n{_GAP.join(map(table_text, tables))}\n\n"


def _span(nodes: list[Any], l2tobj: Any, heights: dict[Cell, int]) -> Span:
    """Return a cell, which may cover several columns; ``heights`` gets how many rows it covers."""
    sizes = {"multicolumn": 1, "multirow": 1}
    for node in nodes:
        name = getattr(node, "macroname", "")
        given = [a.latex_verbatim() for a in _arguments(node)] if name in sizes else []
        count = next((text.strip("{} ") for text in given if text.startswith("{")), "")
        if count.isdigit():
            sizes[name] = max(int(count), 1)
    text = one_line(l2tobj.nodelist_to_text(nodes))
    cell = Cell(text) if text else BLANK
    if text:
        heights[cell] = sizes["multirow"]
    return Span(cell, 1, sizes["multicolumn"])
