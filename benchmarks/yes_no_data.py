"""Made yes/no questions with a sentence and the verdict that follows, to fit and test rag/evidence/yes_no.py.

Patterns and words are in yes_no.yaml. Every fourth entry of each list is held out: ``made(held_out=True)`` uses only
held-out words, with a held-out pattern for the question or the sentence; the others use none. A question about another
act, another thing or other people than the sentence has the verdict "unknown".
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Pair", "made"]

FORMS = Path(__file__).with_name("yes_no.yaml")
_TRUE = {
    ("allowed", "allowed"): "yes", ("allowed", "forbidden"): "no", ("allowed", "optional"): "yes",
    ("required", "required"): "yes", ("required", "optional"): "no", ("required", "forbidden"): "no",
    ("required", "allowed"): "unknown", ("forbidden", "forbidden"): "yes", ("forbidden", "allowed"): "no",
    ("forbidden", "required"): "no", ("optional", "optional"): "yes", ("optional", "required"): "no",
}  # fmt: skip
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, ">": operator.gt, "=": operator.eq, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, a sentence under a heading, and whether the sentence answers yes, no or neither."""

    question: str
    sentence: str
    verdict: str
    context: str = ""
    family: str = ""


def made(count: int, *, held_out: bool, seed: int = 0) -> list[Pair]:
    """Return ``count`` different pairs, as many of each family as possible."""
    maker = _Maker(held_out, random.Random(seed))
    families = list(maker.families())
    pairs: dict[tuple[str, str], Pair] = {}
    for turn in range(20 * count):
        pair = maker.finished(families[turn % len(families)]())
        pairs.setdefault((pair.question, pair.sentence), pair)
        if len(pairs) == count:
            break
    return list(pairs.values())


class _Maker:
    def __init__(self, held_out: bool, chance: random.Random) -> None:
        self.forms: dict[str, Any] = yaml.safe_load(FORMS.read_text(encoding="utf-8"))
        self.held_out = held_out
        self.chance = chance

    def families(self) -> Iterator[Callable[[], Pair]]:
        yield from (self.modal, self.modal, self.modal, self.only, self.excepted, self.conditional, self.needed)
        yield from (self.fact, self.fact, self.past, self.contrast, self.state, self.number, self.number, self.date)
        yield from (self.table, self.lead, self.other_fact, self.other_act, self.other_act, self.hedged, self.label)
        yield from (self.possible, self.other_number)

    def finished(self, pair: Pair) -> Pair:
        question, sentence = (text[:1].upper() + text[1:] for text in (pair.question, pair.sentence))
        return Pair(question, sentence, pair.verdict, pair.context, pair.family)

    def word(self, words: Sequence[Any], *others: Any) -> Any:
        """Return an entry of one side of a list, none of the others."""
        free = [w for n, w in enumerate(words) if (n % 4 == 3) == self.held_out and w not in others]
        return self.chance.choice(free)

    def form(self, forms: Sequence[str], *, held: bool) -> str:
        chosen = [form for n, form in enumerate(forms) if (n % 4 == 3) == held]
        return self.chance.choice(chosen or forms)

    def two(self, questions: Sequence[str], sentences: Sequence[str]) -> tuple[str, str]:
        """Return a question's and a sentence's pattern; for the test at least one of them is held out."""
        first, second = self.chance.choice([(True, True), (True, False), (False, True)])
        if not self.held_out:
            first = second = False
        return self.form(questions, held=first), self.form(sentences, held=second)

    def values(self) -> dict[str, str]:
        base, participle, gerund, what = self.word(self.forms["acts"])
        who = self.word(self.forms["who"])
        return {
            "act": f"{base} {what}", "acted": participle, "acting": f"{gerund} {what}", "object": what, "who": who,
            "other": self.word(self.forms["who"], who), "thing": self.word(self.forms["things"]),
            "when": self.word(self.forms["conditions"]),
        }  # fmt: skip

    def with_tail(self, question: str) -> str:
        tail = self.chance.choice(self.forms["modal"]["harmless"]) if self.chance.random() < 0.25 else ""
        return f"{question.rstrip('?')}{tail}?"

    def modal(self) -> Pair:
        asked, said = self.chance.choice([*_TRUE])
        modal = self.forms["modal"]
        question, sentence = self.two(modal["questions"][asked], modal["sentences"][said])
        values = self.values()
        verdict = _TRUE[asked, said]
        if self.chance.random() < 0.3 and "{who}" in question and "{who}" in sentence:
            return Pair(
                question.format(**{**values, "who": values["other"]}),
                sentence.format(**values),
                "unknown",
                family="actor",
            )
        return Pair(self.with_tail(question.format(**values)), sentence.format(**values), verdict, family="modal")

    def other_act(self) -> Pair:
        asked, said = self.chance.choice([*_TRUE])
        modal = self.forms["modal"]
        question, sentence = self.two(modal["questions"][asked], modal["sentences"][said])
        values, others = self.values(), self.values()
        while others["act"] == values["act"]:
            others = self.values()
        act = {name: others[name] for name in ("act", "acted", "acting", "object")}
        if self.chance.random() < 0.5:  # the same verb with another object
            verb = values["act"].removesuffix(values["object"])
            gerund = values["acting"].removesuffix(values["object"])
            act = {
                "act": verb + others["object"], "acted": values["acted"], "acting": gerund + others["object"],
                "object": others["object"],
            }  # fmt: skip
        return Pair(question.format(**{**values, **act}), sentence.format(**values), "unknown", family="other act")

    def only(self) -> Pair:
        values = self.values()
        questions = [q for q in self.forms["modal"]["questions"]["allowed"] if "{who}" in q]
        question, sentence = self.two(questions, self.forms["modal"]["sentences"]["only"])
        same = self.chance.random() < 0.5
        asked = values if same else {**values, "who": values["other"]}
        return Pair(question.format(**asked), sentence.format(**values), "yes" if same else "no", family="only")

    def excepted(self) -> Pair:
        values = self.values()
        questions = [q for q in self.forms["modal"]["questions"]["allowed"] if "{who}" in q]
        question, sentence = self.two(questions, self.forms["modal"]["sentences"]["except"])
        same = self.chance.random() < 0.5 and "{who}" in sentence
        asked = values if same else {**values, "who": values["other"]}
        return Pair(question.format(**asked), sentence.format(**values), "yes" if same else "no", family="except")

    def conditional(self) -> Pair:
        question, sentence = self.two(
            self.forms["modal"]["questions"]["allowed"], self.forms["modal"]["sentences"]["conditional"]
        )
        values = self.values()
        return Pair(question.format(**values), sentence.format(**values), "unknown", family="conditional")

    def hedged(self) -> Pair:
        kind = self.chance.choice(("allowed", "required"))
        question, sentence = self.two(
            self.forms["modal"]["questions"][kind], self.forms["modal"]["sentences"]["hedged"]
        )
        values = self.values()
        return Pair(question.format(**values), sentence.format(**values), "unknown", family="hedged")

    def needed(self) -> Pair:
        kind = self.chance.choice(("with", "with_not"))
        asks = self.chance.choice(("without", "need", "allowed"))
        modal = self.forms["modal"]
        questions = modal["questions"]["allowed"] if asks == "allowed" else modal["sentences"][asks]
        question, sentence = self.two(questions, modal["sentences"][kind])
        values = self.values()
        verdict = "yes" if (kind == "with") == (asks == "need") else "no"
        if asks == "allowed":
            verdict = "unknown" if kind == "with" else "yes"
        values["thing"] = values["thing"].removeprefix("a ") if "No {thing}" in sentence else values["thing"]
        return Pair(question.format(**values), sentence.format(**values), verdict, family=f"{kind}, {asks}")

    def _row(self) -> dict[str, str]:
        subject, base, verb, past, participle, objects = self.word(self.forms["rows"])
        what, other = self.chance.sample(objects, 2)
        return {
            "subject": subject, "base": base, "verb": verb, "past": past, "participle": participle, "what": what,
            "else": other, "bare": what.removeprefix("a ").removeprefix("the "),
        }  # fmt: skip

    def _fact(self, true: bool, past: bool, *, swap: bool = False) -> Pair:
        facts, before = self.forms["facts"], "past_" if past else ""
        question, sentence = self.two(facts[f"{before}questions"], facts[f"{before}{'affirmed' if true else 'denied'}"])
        values = self._row()
        asked = {**values, "what": values["else"]} if swap else values
        said = {**values, "else": "other things"} if swap else values
        verdict = "unknown" if swap else "yes" if true else "no"
        family = "other object" if swap else "past" if past else "fact"
        return Pair(self.with_tail(question.format(**asked)), sentence.format(**said), verdict, family=family)

    def fact(self) -> Pair:
        return self._fact(self.chance.random() < 0.5, past=False)

    def past(self) -> Pair:
        if self.chance.random() < 0.2:
            facts, values = self.forms["facts"], self._row()
            question, sentence = self.two(facts["past_questions"], facts["future"])
            return Pair(question.format(**values), sentence.format(**values), "unknown", family="future")
        return self._fact(self.chance.random() < 0.5, past=True)

    def other_fact(self) -> Pair:
        return self._fact(self.chance.random() < 0.7, past=self.chance.random() < 0.5, swap=True)

    def possible(self) -> Pair:
        facts, values = self.forms["facts"], self._row()
        question, sentence = self.two(facts[self.chance.choice(("questions", "past_questions"))], facts["possible"])
        return Pair(question.format(**values), sentence.format(**values), "unknown", family="possible")

    def label(self) -> Pair:
        labels = self.forms["labels"]
        name, side = self.word(labels["names"]), self.chance.choice(("sentences", "denied"))
        place = self.chance.choice([n for n in range(4) if (n == 3) == self.held_out])
        said = self.chance.randint(2, 60)
        asked = said if self.chance.random() < 0.4 else self.chance.randint(61, 99)
        verdict = "unknown" if asked != said else "yes" if side == "sentences" else "no"
        question, sentence = labels["questions"][place], labels[side][place]
        return Pair(question.format(name=name, n=asked), sentence.format(name=name, n=said), verdict, family="label")

    def other_number(self) -> Pair:
        numbers = self.forms["numbers"]
        what, unit, low, high = self.word(numbers["quantities"])
        other = self.word(numbers["quantities"], [what, unit, low, high])
        asks = self.chance.choice([*numbers["questions"]])
        question, sentence = self.two(numbers["questions"][asks], numbers["sentences"]["="])
        asked, said = self.chance.randint(low, high), self.chance.randint(low, high)
        return Pair(
            question.format(what=what, n=f"{asked:,}", unit=unit),
            sentence.format(what=other[0], n=f"{said:,}", unit=self.chance.choice((unit, other[1]))), "unknown",
            family="other number",
        )  # fmt: skip

    def contrast(self) -> Pair:
        facts, values = self.forms["facts"], self._row()
        question, sentence = self.two(facts["questions"], facts["contrast"])
        denied = self.chance.random() < 0.5 or "{what}" not in sentence
        asked = {**values, "what": values["else"]} if denied else values
        return Pair(question.format(**asked), sentence.format(**values), "no" if denied else "yes", family="contrast")

    def state(self) -> Pair:
        states = self.forms["states"]
        pair = list(self.word(states["adjectives"]))
        self.chance.shuffle(pair)
        denied, opposite = self.chance.random() < 0.4, self.chance.random() < 0.5
        question, sentence = self.two(states["questions"], states["denied" if denied else "sentences"])
        thing = self.word(states["things"])
        verdict = "yes" if denied == opposite else "no"
        if self.chance.random() < 0.15:
            other = self.word(states["things"], thing)
            return Pair(
                question.format(thing=other, adj=pair[0]), sentence.format(thing=thing, adj=pair[0]), "unknown",
                family="other thing",
            )  # fmt: skip
        return Pair(
            question.format(thing=thing, adj=pair[0]), sentence.format(thing=thing, adj=pair[opposite]), verdict,
            family="state",
        )  # fmt: skip

    def number(self) -> Pair:
        numbers = self.forms["numbers"]
        what, unit, low, high = self.word(numbers["quantities"])
        asks, says = self.chance.choice([*numbers["questions"]]), self.chance.choice("= = <= >=".split())  # noqa: SIM905
        question, sentence = self.two(numbers["questions"][asks], numbers["sentences"][says])
        said = self.chance.randint(low, high)
        asked = said if self.chance.random() < 0.3 else self.chance.randint(low, high)
        verdict = _number_verdict(asks, asked, says, said)
        return Pair(
            question.format(what=what, n=f"{asked:,}", unit=unit), sentence.format(what=what, n=f"{said:,}", unit=unit),
            verdict, family="number",
        )  # fmt: skip

    def date(self) -> Pair:
        numbers = self.forms["numbers"]
        asks = self.chance.choice("<>=")
        question, sentence = self.two(numbers["date_questions"][asks], numbers["dated"])
        what = self.word(numbers["events"])
        said = (self.chance.randint(0, 11), self.chance.randint(1, 28))
        asked = said if self.chance.random() < 0.3 else (self.chance.randint(0, 11), self.chance.randint(1, 28))
        true = _COMPARE[asks](said[0] * 31 + said[1], asked[0] * 31 + asked[1])
        asked_date, said_date = (f"{day} {_MONTHS[month]}" for month, day in (asked, said))
        return Pair(
            question.format(what=what, date=asked_date), sentence.format(what=what, date=f"{said_date} 2026"),
            "yes" if true else "no", family="date",
        )  # fmt: skip

    def table(self) -> Pair:
        tables = self.forms["tables"]
        name = self.word(tables["names"])
        column, other = (lambda first: (first, self.word(tables["columns"], first)))(self.word(tables["columns"]))
        verdict, opposite = self.chance.sample(["yes", "no"], 2)
        cells = [f"{column}: {self.word([*tables[verdict] * 4])}", f"{other}: {self.word([*tables[opposite] * 4])}"]
        self.chance.shuffle(cells)
        cells.insert(0, f"Name: {name}")
        cells.append(f"{self.word([*tables['other']] * 4)}: {self.chance.randint(2, 90)}")
        third = self.word(tables["columns"], column, other)
        absent = self.chance.random() < 0.2
        question = self.form(tables["questions"], held=self.held_out)
        question = question.format(name=name, column=(third if absent else column).lower())
        return Pair(question, "; ".join(cells), "unknown" if absent else verdict, family="table")

    def lead(self) -> Pair:
        values, other = self.values(), self.values()
        sentence, verdict = self.word([*self.forms["lead"]] * 2)
        heading, question = self.two(
            self.forms["modal"]["questions"]["allowed"], self.forms["modal"]["questions"]["allowed"]
        )
        text = sentence.format(rest=self.word([*self.forms["rests"]] * 2))
        if self.chance.random() < 0.3 and other["object"] != values["object"]:
            return Pair(
                question.format(**other), text, "unknown", f"Questions > {heading.format(**values)}", "lead, other"
            )
        return Pair(question.format(**values), text, verdict, f"Questions > {heading.format(**values)}", "lead")


def _number_verdict(asks: str, asked: float, says: str, said: float) -> str:
    """Return the verdict by trying every amount that the sentence leaves open."""
    tried = [said] if says == "=" else [said + step for step in (0, 1, 1e6)] if says == ">=" else [said, said - 1, -1e6]
    tried += [asked + step for step in (-1, 0, 1) if _COMPARE[says](asked + step, said)]
    outcomes = {_COMPARE[asks](amount, asked) for amount in tried}
    return "unknown" if len(outcomes) == 2 else "yes" if outcomes.pop() else "no"
