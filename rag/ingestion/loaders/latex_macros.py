r"""Which arguments common LaTeX macros and environments have, and which of them are text that a reader sees.

pylatexenc reads the arguments of a macro that it does not know as text, so that layout such as ``\vspace{2pt}`` would
be content, and leaves out those of ``\mbox``.
"""

from __future__ import annotations

import re

from rag.ingestion.loaders.raised_text import with_lowered, with_raised

__all__ = [
    "DROPPED", "ENVIRONMENTS", "HIDDEN_ENVIRONMENTS", "LOWERED", "RAISED", "RULES", "SCRIPTS", "SHOWN", "quantity",
    "with_scripts",
]  # fmt: skip

# The arguments of macros, as pylatexenc writes them: ``*`` a star, ``[`` optional, ``{`` mandatory.
DROPPED = {
    **dict.fromkeys(
        ("pagestyle", "thispagestyle", "pagenumbering", "bibliographystyle", "selectlanguage", "nocite", "index",
         "glossary", "linespread", "geometry", "sisetup", "graphicspath", "tikzset", "pgfplotsset", "lstset",
         "usetikzlibrary", "phantom", "vphantom", "hphantom", "markright", "setstretch", "hyphenation", "captionsetup",
         "setlist", "addvspace", "newcounter", "stepcounter", "refstepcounter", "theoremstyle", "fontfamily",
         "setmainfont", "hspace*", "usetheme",
         "usecolortheme", "setbeamertemplate"),
        "*[{",
    ),
    **dict.fromkeys(("addtocounter", "fontsize", "markboth", "numberwithin", "counterwithin", "addtolength"), "*{{"),
    "addcontentsline": "{{{", "rule": "[{{", "enlargethispage": "*{", "vspace": "*{", "hspace": "*{",
    "definecolor": "{{{",
}  # fmt: skip
"""Macros of which nothing is shown."""

SHOWN = {
    "mbox": "{", "fbox": "{", "makebox": "[[{", "framebox": "[[{", "raisebox": "{[[{", "resizebox": "*{{{",
    "scalebox": "{[{", "rotatebox": "[{{", "parbox": "[[[{{", "colorbox": "{{", "fcolorbox": "{{{", "captionof": "*{[{",
    "href": "[{{", "hyperref": "[{", "hypertarget": "{{", "hyperlink": "{{", "foreignlanguage": "[{{",
    "shortstack": "[{", "includepdf": "[{", "lstinputlisting": "[{",
    "makecell": "*[[{", "multirow": "[{[{[{", "multicolumn": "{{{", "adjustbox": "{{", "textcolor": "[{{",
    "uline": "{", "enquote": "*{", "num": "[{", "thead": "[{",
}  # fmt: skip
"""Macros of which the last argument is shown."""

ENVIRONMENTS = {
    "minipage": "[[[{", "CJK": "{{", "CJK*": "{{", "subfigure": "[{", "subtable": "[{",
    "multicols": "{[",
    "figure": "[", "figure*": "[", "table": "[", "table*": "[", "wrapfigure": "[{[{", "wraptable": "[{[{",
    "adjustbox": "{",
    "spacing": "{", "thebibliography": "{", "frame": "[", "algorithm": "[", "algorithmic": "[", "tabulary": "{{",
    "threeparttable": "[", "landscape": "", "otherlanguage": "{", "otherlanguage*": "[{", "tcolorbox": "[",
    "column": "{", "columns": "[",
}  # fmt: skip
"""Environments by their arguments, of which none is shown."""

HIDDEN_ENVIRONMENTS = ("tikzpicture", "pgfpicture", "picture", "axis", "filecontents")
"""Environments that draw."""

RULES = re.compile(
    r"\\(?:cmidrule|cline|hhline|specialrule)[ \t]*(?:\[[^\]\n]{0,40}\])?(?:\([^)\n]{0,40}\))?"
    r"[ \t]*(?:\{[^{}\n]{0,60}\}){1,3}"
)
"""The lines of tables that have arguments."""

RAISED, LOWERED, _END = "\ue000", "\ue001", "\ue002"  # characters that no text has
SCRIPTS = {"textsuperscript": f"{RAISED}%s{_END}", "textsubscript": f"{LOWERED}%s{_END}"}
"""Macros whose argument is raised or lowered, as marks for :func:`with_scripts`."""

_MARKED = re.compile("([^\ue000-\ue002]*)[\ue002]?(?:([\ue000\ue001])([^\ue000-\ue002]*))?")
_BEFORE = 40  # characters that decide how a figure is raised
_UNITS = {
    "meter": "m", "metre": "m", "gram": "g", "second": "s", "minute": "min", "hour": "h", "day": "d", "liter": "l",
    "litre": "l", "celsius": "°C", "degreeCelsius": "°C", "degree": "°", "percent": "%", "watt": "W", "volt": "V",
    "ampere": "A", "hertz": "Hz", "newton": "N", "pascal": "Pa", "joule": "J", "kelvin": "K", "mole": "mol", "ohm": "Ω",
    "byte": "B", "bit": "bit", "electronvolt": "eV", "tesla": "T", "bar": "bar", "candela": "cd", "farad": "F",
    "kilogram": "kg", "tonne": "t", "kilo": "k", "milli": "m", "micro": "µ", "centi": "c", "mega": "M", "giga": "G",
    "nano": "n", "tera": "T", "pico": "p", "hecto": "h", "deci": "d", "per": "/", "squared": "^2", "cubed": "^3",
}  # fmt: skip
_PREFIXES = ("kilo", "milli", "micro", "centi", "mega", "giga", "nano", "tera", "pico", "hecto", "deci", "per")
_UNIT = re.compile(r"\\([a-zA-Z]+)\s*|([^\\{}]+)")


def quantity(number: str, unit: str) -> str:
    r"""Return a number with a unit as siunitx shows it: ``5 km/h`` for ``\kilo\meter\per\hour``."""
    shown, apart = "", False
    for name, plain in _UNIT.findall(unit):
        sign = _UNITS.get(name, name) if name else plain.replace("~", " ")
        joins = not apart or sign.startswith(("^", "/"))
        shown += sign if joins else f" {sign}"
        apart = name not in _PREFIXES
    return f"{number} {shown}".strip()


def with_scripts(text: str) -> str:
    """Return a text in which what :data:`RAISED` and :data:`LOWERED` marked is raised or lowered."""
    done = ""
    for plain, mark, inner in _MARKED.findall(text):
        done += plain
        if mark:
            done += (with_raised if mark == RAISED else with_lowered)(done[-_BEFORE:], inner)
    return done
