"""Yes, no or neither: what follows from a sentence for a question."""

from __future__ import annotations

from itertools import product

import pytest

from benchmarks.yes_no import written
from benchmarks.yes_no_data import made
from rag.evidence.claims import leading_word
from rag.evidence.clauses import clauses_of
from rag.evidence.comparing import agreement
from rag.evidence.modality import VERDICTS, Force, force_of, inner, outer
from rag.evidence.poles import relation
from rag.evidence.vocabulary import words_of
from rag.evidence.yes_no import LEAST, NAMES, decide, features_of

FORCES: tuple[Force, ...] = ("states", "denies", "allowed", "required", "optional", "forbidden")
SURE = 8.0  # a high margin of the extractive model


def verdict(question: str, sentence: str, context: str = "") -> str:
    return decide(question, sentence, context, margin=SURE).verdict


@pytest.mark.parametrize(
    ("question", "sentence", "expected"),
    [
        ("Can I park here?", "Parking is forbidden.", "no"),
        ("Is parking forbidden?", "Parking is forbidden.", "yes"),
        ("Must visitors sign in?", "Visitors need not sign in.", "no"),
        ("May visitors sign in?", "Visitors must not sign in.", "no"),
        ("Do I have to wear a helmet?", "Wearing a helmet is recommended, but not compulsory.", "no"),
        ("Can I row without a life jacket?", "Nobody may row without a life jacket.", "no"),
        ("Do I need a key card to enter?", "You can only enter with a key card.", "yes"),
        ("Can guests use the sauna?", "Only members may use the sauna.", "no"),
        ("Can members use the sauna?", "Only members may use the sauna.", "yes"),
        ("Can Ardo cancel?", "The customer, but not Ardo, may cancel.", "no"),
        ("Can the customer cancel?", "The customer, but not Ardo, may cancel.", "yes"),
        ("Does the policy cover theft?", "The policy covers not only fire but also theft.", "yes"),
        ("Is the deposit more than 2,000 euros?", "The deposit is 1,620 euros.", "no"),
        ("Is the deposit below 2,000 euros?", "The deposit is 1,620 euros.", "yes"),
        ("Does the term start before 1 March?", "The term starts on 9 March 2026.", "no"),
        ("Can a loan be renewed three times?", "A loan can be renewed twice.", "no"),
        ("Was the budget approved?", "The budget was accepted with seven votes.", "yes"),
        ("Was the budget approved?", "The budget was rejected.", "no"),
        ("Does room 3.11 have a projector?", "Room: 3.11; Seats: 12; Projector: no; Lift: yes", "no"),
    ],
)
def test_what_follows_from_a_sentence(question: str, sentence: str, expected: str) -> None:
    assert features_of(question, sentence).sign == (1 if expected == "yes" else -1)
    assert verdict(question, sentence) in (expected, "unknown")


def test_only_a_probable_verdict_is_given() -> None:
    question, sentence = "May visitors park in the yard?", "Visitors may not park in the yard."
    sure = decide(question, sentence, margin=SURE)
    unsure = decide("May the van of the bakery park in the yard overnight?", sentence, margin=-SURE)
    assert (sure.verdict, unsure.verdict) == ("no", "unknown")
    assert sure.probability >= LEAST > unsure.probability


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("May the chief engineer open valve 7?", "Nobody except the chief engineer may open valve 7."),
        ("Is the crane safe?", "Olsen claimed that the crane is safe, which the auditors denied."),
        ("Was the contract signed?", "The contract was almost signed in May."),
        ("Was the ship repaired?", "The ship was to be repaired on 3 May."),
        ("Is the bridge open?", "Rumour has it that the bridge is open."),
        ("Is it not allowed to work from home?", "Working from home is not allowed."),
        ("Are flights of 800 km reimbursed?", "Flights shorter than 600 km are not reimbursed."),
        ("May I work remotely from the EU?", "Remote work from outside the EU is not allowed."),
        ("Did Anna approve the report of Ben?", "Ben approved the report of Anna."),
        ("Does the tenant pay the landlord?", "The landlord pays the tenant."),
        ("Is there a vegan menu?", "A printer is on the second floor."),
        ("Can I use the sauna?", "Only members may use the sauna."),
        ("May visitors swim?", "Visitors may swim if the trainer agrees."),
        ("Does bus 14 stop at the hospital?", "Bus 12 does not stop at the hospital."),
        ("Has the bakery opened?", "The bakery will open in autumn."),
        ("Is it red or blue?", "It is red."),
        ("What is allowed?", "Parking is allowed."),
        ("Kann ich hier parken?", "Parken ist nicht erlaubt."),
        ("Do students pay less?", "Each student pays 96 euros."),
        ("", "Parking is forbidden."),
        ("Is parking allowed?", ""),
    ],
)
def test_in_doubt_nothing_is_decided(question: str, sentence: str) -> None:
    assert verdict(question, sentence) == "unknown"


def test_a_yes_counts_under_a_heading_that_asks_the_same() -> None:
    sentence = "Yes, from the age of eight."
    assert verdict("Can children swim alone?", sentence, "Pool > May children swim alone?") == "yes"
    assert verdict("Can dogs use the lift?", sentence, "Pool > May children swim alone?") == "unknown"


def test_no_before_a_noun_is_no_answer() -> None:
    context = "Hall > May visitors bring dogs?"
    question, lead = "May visitors bring dogs?", NAMES.index("lead")
    assert features_of(question, "No, visitors leave them at home.", context).values[lead] == 1
    assert features_of(question, "No dogs of visitors are in the yard.", context).values[lead] == 0
    assert [leading_word(text) for text in ("No, never.", "No they do not.", "No dogs.", "Yes", "Not yet")] == [
        "no",
        "no",
        "",
        "yes",
        "",
    ]


@pytest.mark.parametrize(
    ("asked", "said", "expected"),
    [
        ("changed", "unchanged", -1),
        ("paid", "unpaid", -1),
        ("telephone", "phone", 1),
        ("vaccination", "vaccinated", 1),
        ("formal", "informal", -1),
        ("correct", "incorrect", 0),
        ("connected", "disconnected", 0),
        ("approved", "rejected", -1),
        ("approved", "accepted", 1),
    ],
)
def test_words_say_the_same_or_the_opposite(asked: str, said: str, expected: int) -> None:
    (one,), (other,) = words_of(asked), words_of(said)
    assert relation(one, other) == relation(other, one) == expected


def test_a_price_that_remains_unchanged_has_not_changed() -> None:
    assert verdict("Has the price changed?", "The price remains unchanged.") != "yes"


def test_the_marked_clause_decides_between_equals() -> None:
    sentence = "The doctor discusses the result in person; we do not give results by telephone."
    marked = "we do not give results by telephone"
    question = "Will the doctor tell me my result on the phone?"
    assert decide(question, sentence, marked=marked, margin=SURE).verdict == "no"


def test_the_surer_the_model_the_likelier_the_verdict() -> None:
    low, high = (decide("Can I park here?", "Parking is forbidden.", margin=m).probability for m in (-5.0, 5.0))
    assert 0 < low < high < 1


@pytest.mark.parametrize("force", FORCES)
def test_two_negations_cancel_out(force: Force) -> None:
    assert outer(outer(force)) == inner(inner(force)) == force


@pytest.mark.parametrize("force", FORCES)
def test_a_force_answers_itself_yes_and_its_negation_no(force: Force) -> None:
    assert VERDICTS[force, force] == 1
    assert VERDICTS[force, outer(force)] == -1
    assert set(VERDICTS) == set(product(FORCES, FORCES))


@pytest.mark.parametrize(
    ("words", "force"),
    [
        ("visitors must not park", "forbidden"), ("visitors need not park", "optional"),
        ("visitors may park", "allowed"), ("no candles may be lit", "forbidden"),
        ("trips need no approval", "optional"),
        ("the shop is open", "states"), ("the shop is not open", "denies"), ("it is not forbidden", "allowed"),
    ],
)  # fmt: skip
def test_forces(words: str, force: str) -> None:
    assert force_of(words.split()) == force


def test_a_sentence_has_clauses_exceptions_and_conditions() -> None:
    (clause,) = clauses_of("The customer, but not Ardo, may cancel if the price rises.")
    assert clause.excepted == words_of("Ardo")
    assert clause.condition == words_of("price rises")
    assert not clause.unless
    assert [len(c.words) for c in clauses_of("It is open; it is closed on Sunday.")] == [3, 5]


@pytest.mark.parametrize(
    ("question", "sentence", "sign"),
    [
        ("more than 8 characters", "at least 12 characters", 1),
        ("more than 20 characters", "at least 12 characters", 0),
        ("a file of 30 MB", "limited to 25 MB", -1),
        ("within a month", "within 14 days", 1),
        ("on the first day", "from the fourth day", -1),
        ("in 2023", "on 14 November 2023", 1),
        ("before 12:00", "at 10:40", 1),
        ("less than half an hour", "a red door", 0),
    ],
)
def test_numbers_are_compared_as_ranges(question: str, sentence: str, sign: int) -> None:
    assert agreement(question, sentence).sign == sign


def test_the_same_number_of_another_thing_is_no_answer() -> None:
    found = agreement("Does bus 14 stop here?", "Bus 12 goes to the hospital.")
    assert (found.compared, found.labels) == (0, 1)


def test_relations_of_words() -> None:
    def stem(word: str) -> str:
        return next(iter(words_of(word)))

    assert relation(stem("approved"), stem("accepted")) == 1
    assert relation(stem("approved"), stem("rejected")) == -1
    assert relation(stem("opened"), stem("closed")) == -1
    assert relation(stem("lift"), stem("dog")) == 0


def test_made_questions_are_reproducible_and_the_held_out_ones_use_other_words() -> None:
    train, held_out = made(300, held_out=False), made(300, held_out=True)
    assert train == made(300, held_out=False)
    assert len({(pair.question, pair.sentence) for pair in train}) == 300
    assert {pair.verdict for pair in train} == {"yes", "no", "unknown"}
    assert not {pair.sentence for pair in train} & {pair.sentence for pair in held_out}


def test_few_verdicts_on_written_pairs_are_wrong() -> None:
    said = wrong = 0
    for pair in (*written("dev"), *written("test")):
        found = decide(pair.question, pair.sentence, pair.context, margin=3.0)
        said += found.verdict != "unknown"
        wrong += found.verdict not in ("unknown", pair.verdict.rstrip("?"))
    assert said > 150
    assert wrong <= 0.1 * said


def test_every_feature_is_finite_whatever_the_text() -> None:
    for question, sentence in [("Is it?", "?"), ("May I " + "go " * 50, "No. " * 50), ("Is 1 2?", "a: b; c: 0")]:
        values = features_of(question, sentence).values
        assert len(values) in (0, len(NAMES))
        assert all(abs(value) < 100 for value in values)
