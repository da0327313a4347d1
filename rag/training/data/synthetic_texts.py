"""Invented text passages: sections with statements, and questions about one of them.

A document states an attribute once. Its neighbors are other attributes of the same kind of document, preferably with
the same kind of value, and now and then a value that was replaced or that belongs to another entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rag.text import context_line
from rag.training.data.synthetic_passages import CLOSE, OPEN, Asked, Passage, without_marks
from rag.training.data.synthetic_phrases import WHOLE_PHRASES, Attribute, Domain, Phrases
from rag.training.data.synthetic_values import DATES, PERSONS, Values

__all__ = ["TextWriter"]

_ANYWHERE = {
    "fact": 0.05,
    "why": 0.35,
    "how": 0.3,
    "list": 0.35,
    "yesno": 0.08,
}  # shares about attributes of any document
_STYLES = ("prose",) * 5 + ("bullets", "bullets", "clauses", "clauses", "fields", "paragraphs", "record", "subtitles")
_LEADS = ("This document concerns {e}.", "Subject: {e}", "About {e}", "{e}", "This page is about {e}.", "Re: {e}")
_OTHERS = ("For {o} the figure is {w}.", "({o}: {w})", "In the case of {o} it is {w}.", "{o}, by contrast: {w}.")
_VAGUE = (
    "For the {l}, see annex {a}.",
    "The {l} is still to be agreed.",
    "There has been much discussion about the {l}.",
    "A separate sheet shows the {l}.",
    "The {l} will be announced later.",
    "Please ask us about the {l}.",
)
_LONGEST_WINDOW = 800  # characters


@dataclass(slots=True, eq=False)
class _Fact:
    """An attribute as a document states it: ``text`` has the answer between marks, ``value`` is "" for a phrase.

    ``extra`` is a sentence after it, and ``prefixed`` a version of the text that names the entity.
    """

    attribute: Attribute
    text: str
    value: str = ""
    extra: str = ""
    prefixed: str = ""


@dataclass(slots=True, eq=False)
class _Section:
    heading: str
    facts: list[_Fact] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Name:
    """What a document is about and called. Its title may lack the entity, the edition or both."""

    entity: str
    edition: str
    title: str
    source: str

    def names_entity(self) -> bool:
        """Return whether the title or the words of the file name the entity."""
        line = context_line(self.source, self.title, []).lower()
        return all(word in line for word in self.entity.lower().replace(",", " ").split())


class TextWriter:
    """Writes documents and asks about them."""

    def __init__(self, values: Values, phrases: Phrases) -> None:
        self._values = values
        self._phrases = phrases
        self._own: dict[str, list[tuple[Domain, Attribute]]] = {}
        for domain in phrases.domains:
            for attribute in domain.attributes:
                self._own.setdefault(_group(attribute), []).append((domain, attribute))
        self._anywhere: dict[str, list[Attribute]] = {}
        for attribute in phrases.anywhere:
            self._anywhere.setdefault(_group(attribute), []).append(attribute)

    def ask(self, kind: str) -> Asked:
        """Return a question of this kind with both passages."""
        values = self._values
        if kind == "definition":
            domain, target = values.pick(self._phrases.domains), self._definition()
        else:
            domain, attribute = values.pick(self._own[kind])
            if values.chance(_ANYWHERE[kind]):
                domain, attribute = values.pick(self._phrases.domains), values.pick(self._anywhere[kind])
            target = self._fact(attribute)
        entity = values.entity(domain.entity)
        other = values.sibling(entity, domain.entity)
        if kind != "definition" and values.chance(0.13):
            return self._ask_about_one_of_several(kind, domain, target, entity, other)
        return self._ask_about_document(kind, domain, target, entity, other)

    def _ask_about_document(self, kind: str, domain: Domain, target: _Fact, entity: str, other: str) -> Asked:
        values = self._values
        edition = values.pick(
            ("", "", "", values.year(), f"version {values.pick(range(1, 9))}", f"edition {values.pick(range(1, 9))}")
        )
        named, by_edition = values.chance(0.5), bool(edition) and values.chance(0.3)
        contrasted = kind != "definition"  # a term means the same in every document here
        question = self._named(
            values.fill(values.pick(target.attribute.questions)),
            domain,
            entity if named else "",
            edition if by_edition else "",
        )
        generic = values.chance(0.2)
        name = self._name(domain, entity, edition, generic=generic, show_edition=by_edition)
        mention = not name.names_entity() or values.chance(0.15)
        sections = self._sections(domain, target, other)
        answering = self._passage(domain, name, sections, target, entity if mention else "", marked=True)

        reasons = (
            ["absent", "absent", "section"]
            + ["entity"] * 3 * (named and contrasted)
            + ["edition"] * 4 * (by_edition and contrasted)
        )
        reason = values.pick(reasons)
        if reason in {"entity", "edition"}:
            about = other if reason == "entity" else entity
            year = values.next_edition(edition) if reason == "edition" else edition
            far = self._name(domain, about, year, generic=generic, show_edition=by_edition)
            again = self._restated(target)
            changed = [_Section(s.heading, [again if fact is target else fact for fact in s.facts]) for s in sections]
            naming = about if mention or not far.names_entity() else ""
            missing = self._passage(domain, far, changed, again, naming)
        else:
            rest = self._without(domain, sections, target, own_first=reason == "absent")
            missing = self._passage(domain, name, rest, rest[0].facts[0], entity if mention else "")
        return Asked(kind, question, answering, missing, reason)

    def _ask_about_one_of_several(self, kind: str, domain: Domain, target: _Fact, entity: str, other: str) -> Asked:
        """Ask about one of several entities in one document, each under its own heading."""
        values = self._values
        third = values.sibling(other, domain.entity)
        entities = [entity, other] if values.chance(0.5) or third in (entity, other) else [entity, other, third]
        values.shuffle(entities)
        topic = f"{domain.name}s" if domain.name[-1] not in "sy" else domain.name
        title = values.pick((f"Overview: {topic}", f"{topic[0].upper()}{topic[1:]}, all", f"Summary of {topic}"))
        source = values.file_name(title, "")
        question = self._named(values.fill(values.pick(target.attribute.questions)), domain, entity, "")
        extra = [a for a in domain.attributes if a.name != target.attribute.name]
        sections = []
        for each in entities:
            fact = target if each == entity else self._restated(target)
            facts = [fact, *(self._fact(a) for a in values.sample(extra, values.pick((0, 1, 2))))]
            values.shuffle(facts)
            sections.append(_Section(each[0].upper() + each[1:], facts))
        answering = self._written(title, source, sections, target, show_headings=True)
        own = next(section for section in sections if target in section.facts)
        if values.chance(0.5):  # the entity is not there
            rest = [section for section in sections if section is not own]
        else:  # it is there, but what is asked for is not
            facts = [fact for fact in own.facts if fact is not target] or [self._fact(values.pick(extra))]
            rest = [_Section(s.heading, facts) if s is own else s for s in sections]
        missing = self._written(title, source, rest, None, show_headings=True)
        return Asked(kind, question, answering, missing, "heading")

    # Statements

    def _fact(self, attribute: Attribute, *taken: str) -> _Fact:
        values = self._values
        statement, value = values.pick(attribute.statements), ""
        if attribute.kind not in WHOLE_PHRASES:
            value = values.other(attribute.kind, *taken) or values.draw(attribute.kind)
            statement = statement.replace("{v}", f"{OPEN}{value}{CLOSE}")
        statement = values.fill(statement.replace("[[", OPEN).replace("]]", CLOSE))
        return _Fact(attribute, _capital(statement), value)

    def _restated(self, fact: _Fact) -> _Fact:
        """Return the same attribute with another value, as another document states it."""
        if fact.attribute.kind == "definition":
            return self._define(fact.attribute.name)
        return self._fact(fact.attribute, fact.value)

    def _definition(self, *taken: str) -> _Fact:
        terms = [term for term, _ in self._phrases.definitions if term not in taken]
        return self._define(self._values.pick(terms))

    def _define(self, term: str) -> _Fact:
        meaning = dict(self._phrases.definitions)[term]
        words = {"{T}": _capital(term), "{t}": term, "{d}": meaning, "{D}": _capital(meaning)}

        def filled(pattern: str) -> str:
            for slot, text in words.items():
                pattern = pattern.replace(slot, text)
            return pattern

        statement = filled(self._values.pick(self._phrases.define_statements))
        questions = tuple(filled(question) for question in self._phrases.define_questions)
        heading = self._values.pick(("Definitions", "Terms", "Words used here", "Glossary"))
        attribute = Attribute(term, "definition", heading, (statement,), questions)
        return _Fact(attribute, statement.replace("[[", OPEN).replace("]]", CLOSE))

    def _sections(self, domain: Domain, target: _Fact, other: str) -> list[_Section]:
        """Return the sections of a document: the target's, and neighbors, of the same kind where there are some."""
        values = self._values
        others = [a for a in domain.attributes if a.name != target.attribute.name]
        values.shuffle(others)
        others.sort(key=lambda a: a.kind != target.attribute.kind and values.chance(0.8))
        chosen = others[: values.pick(range(3, 10))]
        if values.chance(0.35):
            chosen.append(values.pick(self._phrases.anywhere))
        facts = [self._fact(a, target.value) for a in chosen if a.name != target.attribute.name]
        if target.attribute.kind == "definition":
            taken = [target.attribute.name]
            for _ in range(values.pick((1, 2, 3, 4))):
                more = self._definition(*taken)
                taken.append(more.attribute.name)
                more.attribute = replace(more.attribute, heading=target.attribute.heading)
                facts.append(more)
        by_heading: dict[str, _Section] = {}
        for fact in [target, *facts]:
            by_heading.setdefault(fact.attribute.heading, _Section(fact.attribute.heading)).facts.append(fact)
        own = by_heading.pop(target.attribute.heading)
        rest = list(by_heading.values())
        if len(own.facts) == 1 and values.chance(0.75):  # a section with one sentence is easy
            for section in rest[: values.pick((1, 2))]:
                own.facts += section.facts
                rest.remove(section)
        own.facts = own.facts[:5]
        values.shuffle(own.facts)
        self._add_older(domain, target, other)
        sections = [own, *rest]
        values.shuffle(sections)
        return sections

    def _add_older(self, domain: Domain, target: _Fact, other: str) -> None:
        """Now and then, add another value of the same kind: an older one, or that of another entity."""
        values, kind = self._values, target.attribute.kind
        value = values.other(kind, target.value) if target.value and values.chance(0.3) else None
        if value is None:
            return
        group = "person" if kind in PERSONS else "date" if kind in DATES else "number"
        patterns = self._phrases.older[group]
        if group == "number" and (domain.name == "report" or values.chance(0.35)):
            patterns = _OTHERS
        target.extra = values.fill(values.pick(patterns).replace("{w}", value).replace("{o}", _capital(other)))

    def _without(
        self, domain: Domain, sections: Sequence[_Section], target: _Fact, *, own_first: bool
    ) -> list[_Section]:
        """Return the sections without the target, its own section first or last.

        Its own section may still mention the attribute, but without a value.
        """
        values = self._values
        rest = [section for section in sections if target not in section.facts]
        own = next(section for section in sections if target in section.facts)
        facts = [fact for fact in own.facts if fact is not target]
        label = target.attribute.label
        if label and target.value and values.chance(0.35):
            text = values.pick(_VAGUE).replace("{l}", label).replace("{a}", values.pick("ABC"))
            facts.insert(values.pick(range(len(facts) + 1)), _Fact(replace(target.attribute, kind="vague"), text))
        remaining = [_Section(own.heading, facts)] if facts else []
        result = [*remaining, *rest] if own_first else [*rest, *remaining]
        if not result:
            fact = self._fact(values.pick([a for a in domain.attributes if a.name != target.attribute.name]))
            result = [_Section(fact.attribute.heading, [fact])]
        return result

    # Passages

    def _passage(
        self,
        domain: Domain,
        name: _Name,
        sections: Sequence[_Section],
        target: _Fact,
        mention: str,
        *,
        marked: bool = False,
    ) -> Passage:
        """Return a window of one to three sections with the target; ``mention`` is an entity to name in it, or ""."""
        values = self._values
        at = next(n for n, section in enumerate(sections) if target in section.facts)
        first = max(0, at - values.pick((0, 0, 0, 1)))
        last = min(len(sections), at + values.pick((1, 1, 1, 2, 3)))
        window = list(sections[first:last])
        if sum(len(fact.text) for section in window for fact in section.facts) > _LONGEST_WINDOW:
            window = [sections[at]]
        lead, target.prefixed = "", ""
        if mention:
            if (
                values.chance(0.6)
                and target.text.split(" ", 1)[0] in self._phrases.words["lowered"]
                and "\n" not in target.text
            ):
                opening = values.pick(domain.openings).lstrip().replace("{e}", mention)
                target.prefixed = opening + target.text[0].lower() + target.text[1:]
            else:
                lead = _capital(values.pick(_LEADS).replace("{e}", mention))
        answer = target if marked else None
        return self._written(name.title, name.source, window, answer, lead=lead, number=at + 1)

    def _written(
        self,
        title: str,
        source: str,
        sections: Sequence[_Section],
        target: _Fact | None,
        *,
        show_headings: bool | None = None,
        lead: str = "",
        number: int = 1,
    ) -> Passage:
        """Write sections as one passage, in which only the target's answer stays marked."""
        values = self._values
        style = values.pick(_STYLES)
        numbering = values.pick(("", "", "{n} ", "{n}. ", "§ {n} ", "Section {n}: "))
        shown = values.chance(0.6) if show_headings is None else show_headings
        level = values.pick(("# {h}", "## {h}", "## {h}", "### {h}", "{h}", "**{h}**"))
        emphasis = values.pick(("**", "**", "`", "*")) if values.chance(0.1) else ""
        headings = [numbering.format(n=number + n) + section.heading for n, section in enumerate(sections)]
        blocks = [lead] if lead else []
        for n, section in enumerate(sections):
            if (shown or n) and (style not in {"subtitles"} or show_headings):
                blocks.append(level.format(h=headings[n]))
            texts = [self._statement(fact, style, emphasis, marked=fact is target) for fact in section.facts]
            if values.chance(0.25) and style != "record":
                texts.insert(values.pick(range(len(texts) + 1)), values.pick(self._phrases.boilerplate))
            blocks.append(_body(texts, style, number + n))
        text = "\n\n".join(blocks)
        path = headings[:1]
        if style == "subtitles" and not show_headings:
            minute = values.pick(range(10, 50))
            path = [f"00:{minute}:{values.pick(range(10, 59))}-00:{minute + 1}:{values.pick(range(10, 59))}"]
        elif values.chance(0.06):
            text = self._mail(title, text)
        elif values.chance(0.15):
            path.insert(0, values.pick(("Part A", "Part 2", "General part", "Annex 1", "Chapter 3", "Terms", title)))
        return Passage(context_line(source, title, path if values.chance(0.92) else []), text)

    def _statement(self, fact: _Fact, style: str, emphasis: str, *, marked: bool) -> str:
        values = self._values
        text, label = fact.prefixed or fact.text, fact.attribute.label
        has_value = bool(fact.value) and bool(label) and not fact.prefixed
        if style == "fields" and has_value:
            text = f"{_capital(label)}: {OPEN}{fact.value}{CLOSE}"
        elif style == "record" and has_value:
            text = f"{'_'.join(label.lower().split())}: {OPEN}{fact.value}{CLOSE}"
        elif style == "record":
            text = f"{values.pick(('note', 'remark', 'text', 'info'))}: {text}"
        if emphasis:
            text = text.replace(OPEN, emphasis + OPEN).replace(CLOSE, CLOSE + emphasis)
        if fact.extra and style != "record":
            first = fact.extra[0] != "(" and fact.extra[:3] != "In " and values.chance(0.2)
            text = f"{fact.extra} {text}" if first and not fact.text.startswith("-") else f"{text} {fact.extra}"
        return text if marked else without_marks(text)

    def _mail(self, title: str, text: str) -> str:
        values = self._values
        sender, receiver = values.person(), values.person()
        head = [f"From: {sender} <{values.mail(sender)}>", f"To: {receiver} <{values.mail(receiver)}>"]
        if values.chance(0.4):
            third = values.person()
            head.append(f"Cc: {third} <{values.mail(third)}>")
        head.append(f"Subject: {values.pick(('', 'Re: ', 'Fwd: '))}{title}")
        first = receiver.split()[0]
        greeting = values.pick((f"Dear {first},", "Hello,", "Dear all,", f"Hi {first},"))
        farewell = values.pick(("Best regards", "Kind regards", "Thanks"))
        return "\n".join(head) + f"\n\n{greeting}\n\n{text}\n\n{farewell}\n{sender}"

    # Names

    def _name(self, domain: Domain, entity: str, edition: str, *, generic: bool, show_edition: bool) -> _Name:
        """Return a title and a file name; a generic title does not contain the entity, but the file's name may."""
        values = self._values
        full = _capital(values.pick(domain.titles).replace("{e}", entity))
        title = _capital(domain.name) if generic else full
        source = values.file_name(full if values.chance(0.5) else title, edition)
        if edition and (show_edition or values.chance(0.8)):
            title += values.pick((" {x}", ", {x}", " – {x}", " ({x})")).format(x=edition)
        return _Name(entity, edition, title, source)

    def _named(self, question: str, domain: Domain, entity: str, edition: str) -> str:
        """Return the question with the document's entity and edition in it, where they are given."""
        values = self._values
        mark = "?" if question.endswith("?") else ""
        text = question.removesuffix("?")
        lowered = text if text.startswith("I ") else text[0].lower() + text[1:]
        if entity:
            suffixed = f"{text} {values.pick(domain.suffixes).replace('{e}', entity)}"
            ways = [suffixed, suffixed, f"{_capital(entity)}: {lowered}"]
            text = values.pick(ways if mark else [*ways, f"{text} {entity}", f"{entity} {lowered}"])
        if edition:
            patterns = ("in {x}", "according to the {x} text") if edition.isdigit() else ("in {x}", "according to {x}")
            text = f"{text}{values.pick((' ', ', '))}{values.pick(patterns).format(x=edition)}"
        return text + mark


def _group(attribute: Attribute) -> str:
    return attribute.kind if attribute.kind in WHOLE_PHRASES else "fact"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _body(texts: Sequence[str], style: str, number: int) -> str:
    if style == "bullets":
        return "\n".join(text if text.startswith("- ") else f"- {text}" for text in texts)
    if style == "clauses":
        return "\n\n".join(f"{number}.{n} {text.removeprefix('- ')}" for n, text in enumerate(texts, 1))
    if style in {"fields", "record", "subtitles"}:
        return "\n".join(texts)
    if style == "paragraphs" or any("\n" in text or text.startswith("- ") for text in texts):
        return "\n\n".join(texts)
    return " ".join(text if without_marks(text)[-1] in ".!?):*`" else f"{text}." for text in texts)
