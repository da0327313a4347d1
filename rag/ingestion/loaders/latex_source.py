r"""Prepares LaTeX for a parser: definitions are taken out and applied, and what is not balanced is dropped.

``\newcommand``, ``\def``, ``\let``, ``\newenvironment``, ``\newtheorem`` and their kin are no text. Short ones without
conditions are applied, so that ``\be x \ee`` is the equation that its author sees; a macro inside its own expansion is
not. Of the preamble only title, author and date stay. Openings without their end, at which parsers may take
exponential time, are removed. All of it takes time in proportion to the length of the text.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["LatexSource", "prepare"]

_TOKEN = re.compile(
    r"\\(?P<edge>begin|end)\s*\{(?P<env>[^{}\\\n]*)\}"
    r"|\\verb\*?(?P<mark>[^a-zA-Z\s*])"
    r"|\\(?P<name>[a-zA-Z@]+)\*?"
    r"|\\(?P<sign>[\s\S])"
    r"|(?P<comment>%[^\n]*(?:\n[ \t]*)?)"
    r"|(?P<math>\$\$?)|(?P<brace>[{}])|(?P<blank>\n[ \t]*\n)"
)
_ADDRESS = re.compile(r"\\(?:url|href|nolinkurl|path)\s*\{[^{}\n]*\}")  # where a per cent sign begins no comment
_HIDDEN = frozenset({"comment", "filecontents", "filecontents*"})
_VERBATIM = _HIDDEN | {"verbatim", "verbatim*", "lstlisting", "Verbatim", "minted"}
_COMMANDS = frozenset({"newcommand", "renewcommand", "providecommand", "DeclareRobustCommand"})
_DOCUMENT_COMMANDS = frozenset(f"{verb}DocumentCommand" for verb in ("New", "Renew", "Provide", "Declare"))
_PRIMITIVES = frozenset({"def", "gdef", "edef", "xdef"})
_ENVIRONMENTS = frozenset({"newenvironment", "renewenvironment"})
_INPUTS = frozenset({"input", "include", "subfile", "bibliography", "addbibresource"})
_FRONT = ("title", "author", "date")
_NOT_SIMPLE = re.compile(r"\\(?:if|else|fi|def|let|csname|expandafter|futurelet|catcode|[a-zA-Z]*@)")
_LONGEST_BODY = 400
_DEEPEST = 10
_MOST_ARGUMENTS = 4
_PARAMETER = re.compile(r"#(#|[1-9])")


@dataclass(slots=True)
class LatexSource:
    """Prepared LaTeX, and the names of the files that it includes."""

    text: str
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Macro:
    arguments: int
    body: str


@dataclass(slots=True)
class _Definitions:
    macros: dict[str, _Macro] = field(default_factory=dict)
    environments: dict[str, tuple[str, str]] = field(default_factory=dict)
    inputs: dict[str, None] = field(default_factory=dict)
    budget: int = 0


def prepare(text: str) -> LatexSource:
    """Return LaTeX without definitions, comments and preamble, with its abbreviations applied, and balanced."""
    text = _ADDRESS.sub(lambda match: re.sub(r"\\?%", r"\\%", match[0]), text)
    defined = _Definitions(budget=100_000 + 4 * len(text))
    begin = text.find(r"\begin{document}")
    if begin < 0:
        return LatexSource(_balanced(_expanded(text, defined, frozenset())), tuple(defined.inputs))
    preamble = _expanded(text[:begin], defined, frozenset())
    end = text.find(r"\end{document}", begin)
    body = text[begin + len(r"\begin{document}") : end if end >= 0 else len(text)]
    # A class or a bibliography file is no text that is missing, but what the body includes is.
    front = _front_matter(preamble)
    return LatexSource(_balanced(front + _expanded(body, defined, frozenset())), tuple(defined.inputs))


def _front_matter(preamble: str) -> str:
    ends = _brace_ends(preamble)
    commands = re.finditer(r"(\\(?:" + "|".join(_FRONT) + r"))\s*(?:\[[^\]]{0,400}\]\s*)?(?=\{)", preamble)
    return "".join(one[1] + preamble[one.end() : ends[one.end()]] + "\n" for one in commands if one.end() in ends)


# Definitions ----------------------------------------------------------------------------------------------------------


def _expanded(text: str, defined: _Definitions, active: frozenset[str]) -> str:
    """Return a text without definitions and comments, and with macros applied; ``active`` are those being applied."""
    ends = _brace_ends(text)
    reader = _Reader(text, ends)
    done: list[str] = []
    position = 0
    while token := _TOKEN.search(text, position):
        done.append(text[position : token.start()])
        position = token.end()
        name, environment = token["name"], token["env"]
        if token["comment"]:
            continue
        if token["mark"]:
            position = _verb_end(text, token["mark"], position)
            done.append(text[token.start() : position])
        elif environment is not None and token["edge"] == "begin" and environment in _VERBATIM:
            close = f"\\end{{{environment}}}"
            stop = text.find(close, position)
            position = stop + len(close) if stop >= 0 else len(text)
            if environment not in _HIDDEN:
                done.append(text[token.start() : position])
        elif environment is not None and environment in defined.environments:
            part = defined.environments[environment][token["edge"] == "end"]
            key = f"{environment}}}"
            done.append(_applied(part, key, defined, active) if key not in active else token.group())
        elif name is None:
            done.append(token.group())
        elif (after := _definition(reader, name, position, defined)) is not None:
            position = after
        elif name in defined.macros and name not in active and len(active) < _DEEPEST:
            macro = defined.macros[name]
            arguments, after = reader.arguments(position, macro.arguments)
            if arguments is None or defined.budget <= 0:
                done.append(token.group())
                continue
            result = _applied(_filled(macro.body, arguments), name, defined, active)
            glued = re.search(r"\\[a-zA-Z]+$", result) and text[after : after + 1].isalpha()
            done.append(f"{result} " if glued else result)
            position = after
        else:
            if name in _INPUTS:
                _remember_input(reader, name, position, defined)
            done.append(token.group())
    done.append(text[position:])
    return "".join(done)


def _verb_end(text: str, mark: str, position: int) -> int:
    r"""Return where the argument of a ``\verb`` ends, which is on its line."""
    line = text.find("\n", position)
    stop = text.find(mark, position, line if line >= 0 else len(text))
    return stop + 1 if stop >= 0 else position


def _applied(body: str, name: str, defined: _Definitions, active: frozenset[str]) -> str:
    defined.budget -= len(body) + 1
    return body if defined.budget <= 0 else _expanded(body, defined, active | {name})


def _filled(body: str, arguments: list[str]) -> str:
    """Put the arguments in the places of ``#1``, ``#2`` and so on; ``##`` is a hash."""
    values = {"#": "#", **{str(number): argument for number, argument in enumerate(arguments, start=1)}}
    return _PARAMETER.sub(lambda match: values.get(match.group(1), ""), body)


def _definition(reader: _Reader, name: str, position: int, defined: _Definitions) -> int | None:
    """Read a definition and return where it ends; None if this is none."""
    if name in _COMMANDS or name == "DeclareMathOperator":
        target, after = reader.control(position)
        count, after = reader.brackets(after) if name in _COMMANDS else ([], after)
        body, after = reader.group(after)
        if target is None or body is None:
            return None
        text = rf"\operatorname{{{body}}}" if name == "DeclareMathOperator" else body
        number = int(count[0]) if count and count[0].isdigit() else 0
        _define(defined, target, number if len(count) < 2 else None, text)
    elif name in _DOCUMENT_COMMANDS:
        target, after = reader.control(position)
        spec, after = reader.group(after)
        body, after = reader.group(after)
        if target is None or spec is None or body is None:
            return None
        _define(defined, target, len(spec.split()) if set(spec) <= set("m ") else None, body)
    elif name in _PRIMITIVES:
        target, after = reader.control(position)
        parameters, after = reader.until_brace(after)
        body, after = reader.group(after)
        if target is None or body is None:
            return None
        simple = re.fullmatch(r"\s*((?:#[1-9])*)\s*", parameters)
        _define(defined, target, len(simple.group(1)) // 2 if simple else None, body)
    elif name == "let":
        target, after = reader.control(position)
        value, after = reader.letter(after)
        if target is None:
            return None
        _define(defined, target, 0, defined.macros[value[1:]].body if value[1:] in defined.macros else value)
    elif name in _ENVIRONMENTS:
        target, after = reader.group(position)
        count, after = reader.brackets(after)
        first, after = reader.group(after)
        last, after = reader.group(after)
        if target is None or first is None or last is None:
            return None
        if not count and _is_simple(first) and _is_simple(last):
            defined.environments[target.strip()] = (first, last)
    elif name == "newtheorem":
        target, after = reader.group(position)
        _, after = reader.brackets(after)
        title, after = reader.group(after)
        _, after = reader.brackets(after)
        if target is None or title is None:
            return None
        defined.environments[target.strip()] = (f"\n\n{title}. ", "\n\n")
    else:
        return None
    return after


def _define(defined: _Definitions, name: str, arguments: int | None, body: str) -> None:
    if arguments is not None and arguments <= _MOST_ARGUMENTS and _is_simple(body):
        defined.macros[name] = _Macro(arguments, body.replace(r"\xspace", ""))
    else:
        defined.macros.pop(name, None)


def _is_simple(body: str) -> bool:
    return len(body) <= _LONGEST_BODY and not _NOT_SIMPLE.search(body)


def _remember_input(reader: _Reader, name: str, position: int, defined: _Definitions) -> None:
    target, _ = reader.group(position)
    if target is None and name == "input":
        bare = re.compile(r"\s+([\w./-]+)").match(reader.text, position)
        target = bare.group(1) if bare else None
    if target:
        suffix = ".bib" if name in ("bibliography", "addbibresource") else ".tex"
        for part in target.split(","):
            file = part.strip()
            defined.inputs[file if "." in file.rpartition("/")[2] else file + suffix] = None


class _Reader:
    """Reads the arguments of commands at a position; each method returns what it read, and where it ends."""

    def __init__(self, text: str, ends: dict[int, int]) -> None:
        self.text = text
        self.ends = ends

    def _skip(self, position: int) -> int:
        while position < len(self.text) and self.text[position] in " \t\n":
            position += 1
        return position

    def group(self, position: int) -> tuple[str | None, int]:
        start = self._skip(position)
        end = self.ends.get(start)
        return (None, position) if end is None else (self.text[start + 1 : end - 1], end)

    def brackets(self, position: int) -> tuple[list[str], int]:
        """Read optional arguments, as many as there are."""
        found = []
        while self.text.startswith("[", start := self._skip(position)):
            stop = self.text.find("]", start, start + _LONGEST_BODY)
            if stop < 0:
                break
            found.append(self.text[start + 1 : stop])
            position = stop + 1
        return found, position

    def control(self, position: int) -> tuple[str | None, int]:
        r"""Read the name of a macro: ``\name`` or ``{\name}``."""
        start = self._skip(position)
        match = re.compile(r"\{\s*\\([a-zA-Z@]+|.)\s*\}|\\([a-zA-Z@]+|.)").match(self.text, start)
        return (match.group(1) or match.group(2), match.end()) if match else (None, position)

    def letter(self, position: int) -> tuple[str, int]:
        match = re.compile(r"\s*=?\s?(\\[a-zA-Z@]+|\\.|\S)?").match(self.text, position)
        return (match.group(1) or "", match.end()) if match else ("", position)

    def until_brace(self, position: int) -> tuple[str, int]:
        stop = self.text.find("{", position, position + 200)
        return (self.text[position:stop], stop) if stop >= 0 else ("", position)

    def arguments(self, position: int, count: int) -> tuple[list[str] | None, int]:
        found: list[str] = []
        for _ in range(count):
            content, after = self.group(position)
            if content is None:
                content, after = self.letter(position)
                if not content or content in "}]$&":
                    return None, position
            found.append(content)
            position = after
        return found, position


def _brace_ends(text: str) -> dict[int, int]:
    """Return for each opening brace the offset after its closing one."""
    ends: dict[int, int] = {}
    open_: list[int] = []
    for match in re.finditer(r"\\[\s\S]|(?<!\\)%[^\n]*|[{}]", text):
        if match.group() == "{":
            open_.append(match.start())
        elif match.group() == "}" and open_:
            ends[open_.pop()] = match.end()
    return ends


# Balance --------------------------------------------------------------------------------------------------------------

_PAIRS = {")": "(", "]": "["}


def _balanced(text: str) -> str:
    """Return a text without the braces, environments and formulas that are opened and not closed, or the reverse."""
    dropped: dict[int, tuple[int, str]] = {}
    open_: list[tuple[str, int, int]] = []
    names: Counter[str] = Counter()
    position = 0

    def drop_last() -> None:
        kind, start, end = open_.pop()
        names[kind] -= 1
        dropped[start] = (end, r"\$" if kind == "$" else "")

    def opening(kind: str, token: re.Match[str]) -> None:
        open_.append((kind, token.start(), token.end()))
        names[kind] += 1

    def closing(kind: str, token: re.Match[str]) -> None:
        if not names[kind]:
            dropped[token.start()] = (token.end(), "")
            return
        while open_[-1][0] != kind:
            drop_last()
        open_.pop()
        names[kind] -= 1

    while token := _TOKEN.search(text, position):
        position = token.end()
        if token["mark"]:
            position = _verb_end(text, token["mark"], position)
        elif token["edge"] == "begin" and token["env"] in _VERBATIM:
            close = f"\\end{{{token['env']}}}"
            stop = text.find(close, position)
            position = stop + len(close) if stop >= 0 else len(text)
            if stop < 0:
                dropped[token.start()] = (token.end(), "")
        elif token["edge"]:
            (opening if token["edge"] == "begin" else closing)(f"\\{token['env']}", token)
        elif token["brace"]:
            opening("{", token) if token["brace"] == "{" else closing("{", token)
        elif token["math"]:
            kind = token["math"]
            closing(kind, token) if names[kind] else opening(kind, token)
        elif token["sign"] and token["sign"] in "([":
            opening(token["sign"], token)
        elif token["sign"] and token["sign"] in ")]":
            closing(_PAIRS[token["sign"]], token)
        elif token["blank"]:
            while names["$"] and open_[-1][0] == "$":
                drop_last()
    while open_:
        drop_last()
    return _without(text, dropped)


def _without(text: str, dropped: dict[int, tuple[int, str]]) -> str:
    done: list[str] = []
    position = 0
    for start in sorted(dropped):
        end, instead = dropped[start]
        done += (text[position:start], instead)
        position = end
    return "".join([*done, text[position:]])
