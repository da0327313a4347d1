"""LaTeX, through pylatexenc: headings, lists and tables become Markdown; formulas and keys of references stay.

Inputs are not followed, but named in a note. Definitions are applied before, by
:mod:`~rag.ingestion.loaders.latex_source`; the arguments of unknown macros are read as text.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rag.ingestion.loaders.grid import plain_table
from rag.ingestion.loaders.latex_source import prepare
from rag.ingestion.loaders.markdown import markdown_document
from rag.ingestion.loaders.note_kinds import note_of
from rag.ingestion.loaders.table_text import table_text
from rag.ingestion.loaders.text import decode, normalise
from rag.text import one_line
from rag.types import Document, ReadingNote

__all__ = ["load_latex"]

_NAMED_INPUTS = 10
_LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_TABLES = ("tabular", "tabular*", "tabularx", "longtable")
_KEYS = ("cite", "citet", "citep", "ref", "eqref", "autoref", "cref", "Cref")


def load_latex(data: bytes, source: str) -> Document:
    """Read a LaTeX file."""
    from pylatexenc.latex2text import LatexNodes2Text
    from pylatexenc.latexwalker import LatexWalker

    latex = prepare(decode(data))
    converter = LatexNodes2Text(latex_context=_context(), math_mode="verbatim")
    nodes, _, _ = LatexWalker(latex.text, latex_context=_syntax(), tolerant_parsing=True).get_latex_nodes()
    text = normalise(converter.nodelist_to_text(nodes)).replace("\xa0", " ")
    text = re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text).strip() + "\n"
    document = markdown_document(text, source, "text/x-latex", _title_of(converter))
    return replace(document, notes=_notes(latex.inputs))


def _notes(inputs: tuple[str, ...]) -> tuple[ReadingNote, ...]:
    if not inputs:
        return ()
    names = ", ".join(inputs[:_NAMED_INPUTS]) + (", …" if len(inputs) > _NAMED_INPUTS else "")
    return (note_of("inputs_not_followed", f"files that it includes are not part of its text: {names}"),)


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
            MacroSpec("multirow", "[{[{{"),
        ],
        environments=[EnvironmentSpec("thebibliography", "{")],
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
            MacroTextSpec("multirow", simplify_repl=_last_argument),
            MacroTextSpec("maketitle", simplify_repl=_title),
        ],
        environments=[
            *(EnvironmentTextSpec(name, simplify_repl=_table) for name in _TABLES),
            *(EnvironmentTextSpec(name, simplify_repl=_listing) for name in ("verbatim", "lstlisting")),
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


def _last_argument(node: Any, l2tobj: Any) -> str:
    return str(l2tobj.nodelist_to_text([node.nodeargd.argnlist[-1]]))


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
    cells = [[l2tobj.nodelist_to_text(cell).strip() for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if len(cells) < 2:
        return " ".join(" ".join(row) for row in cells)
    return f"\n\n{table_text(plain_table(cells[0], cells[1:]))}\n\n"
