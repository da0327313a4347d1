"""Configuration: layers, origins, strictness, and a digest that sees every value."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from rag.config import Config, load_config, preset_names
from rag.errors import UsageError

DEFAULTS = {key: value for key, value, _ in load_config("test").rows()}


def origins(name: str, *assignments: str) -> dict[str, str]:
    return {key: origin for key, _, origin in load_config(name, assignments).rows()}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write a YAML file and return its path as text."""

    def _write(name: str, text: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return _write


# Presets ----------------------------------------------------------------------------------------------------


def test_the_presets_are_the_four_that_the_design_names() -> None:
    assert preset_names() == ["cluster", "cpu", "gpu", "test"]
    assert load_config() == load_config("cpu")


@pytest.mark.parametrize("name", ["cluster", "cpu", "gpu", "test"])
def test_every_preset_loads_and_every_key_in_it_is_used(name: str) -> None:
    resolved = load_config(name)
    written = yaml.safe_load(files("configs").joinpath(f"{name}.yaml").read_text(encoding="utf-8"))

    def leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for key, value in tree.items():
            flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        return flat

    values = {key: value for key, value, _ in resolved.rows()}
    for key, value in leaves(written).items():
        assert values[key] == value
        assert resolved.origins[key] == f"preset {name}"


def test_every_value_says_where_it_came_from(write: Any) -> None:
    file = write("mine.yaml", "extends: gpu\nretrieval:\n  k: 3\n")
    found = origins(file, "prompt.max_tokens=9")
    assert found["retrieval.k"] == f"file {file}"
    assert found["generator.model"] == "preset gpu"
    assert found["prompt.max_tokens"] == "--set"
    assert found["chunking.size"] == "default"


def test_a_later_layer_wins(write: Any) -> None:
    file = write("mine.yaml", "extends: gpu\nretrieval:\n  k: 3\n")
    assert load_config("gpu").config.retrieval.k == 8
    assert load_config(file).config.retrieval.k == 3
    assert load_config(file, ["retrieval.k=4", "retrieval.k=5"]).config.retrieval.k == 5


# --set ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("retrieval.k=8", 8),
        ("retrieval.k = 8", 8),
        ("retrieval.dense_weight=0.25", 0.25),
        ("retrieval.dense_weight=1", 1.0),
        ("prompt.temperature=1e-1", 0.1),
        ("chunking.embed_headings=false", False),
        ("embedding.revision=null", None),
        ("embedding.model=BAAI/bge-small-en-v1.5", "BAAI/bge-small-en-v1.5"),
        ("embedding.device=cuda:0,cuda:1", "cuda:0,cuda:1"),
        ("generator.openai.base_url=http://host:8000/v1?a=b", "http://host:8000/v1?a=b"),
        ("index.languages=[english, german]", ["english", "german"]),
        ("index.dense.gpu='off'", "off"),
        ("index.dense.gpu=off", "off"),
        ("embedding.query_prefix='query: '", "query: "),
        ("embedding.query_prefix=query: ", "query: "),
        ("embedding.query_prefix=", ""),
        ("embedding.revision=12345678", "12345678"),
    ],
)
def test_set_takes_the_value_as_its_key_needs_it(assignment: str, value: object) -> None:
    rows = {key: found for key, found, _ in load_config("test", [assignment]).rows()}
    assert rows[assignment.partition("=")[0].strip()] == value


@pytest.mark.parametrize("text", ["retrieval.k", "=8", " =8", ""])
def test_set_without_key_and_value_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="key=value"):
        load_config("test", [text])


@pytest.mark.parametrize(
    "assignment",
    [
        "retrieval.k=many", "retrieval.k=2.5", "retrieval.k=0", "retrieval.k=1001", "retrieval.k=true",
        "retrieval.k=[1]", "retrieval.fusion=magic", "retrieval.dense_weight=.nan", "chunking.size=8",
        "chunking.embed_headings=perhaps", "embedding.batch_size=null", "index.dense.sq_bits=5",
        "index.languages=english", "index.languages=[klingon]", "citations.min_support=0",
        "prompt.temperature=.inf", "prompt.temperature=.nan", "generator.openai.timeout_s=.inf",
        "retrieval.k=2001-13-45", "retrieval.k=2001-12-24", "retrieval.k=" + "[" * 600,
        "index.languages=&l [*l]", "retrieval.k=&k {a: *k}", "retrieval.k=" + "9" * 5000,
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused_by_name(assignment: str) -> None:
    key = assignment.partition("=")[0]
    with pytest.raises(UsageError) as caught:
        load_config("test", [assignment])
    assert key in caught.value.message
    assert "--set" in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("retrieval.kk", "retrieval.k"),
        ("retreival.k", "retrieval.k"),
        ("context_tokens", "prompt.context_tokens"),
        ("generator.max_model_len", "generator.vllm.max_model_len"),
        ("chunk.size", "chunking.size"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(key: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config("test", [f"{key}=1"])
    assert key in caught.value.message
    assert caught.value.remedy == f"did you mean {hint}?"


def test_a_key_like_no_other_points_to_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        load_config("test", ["zzz=1"])
    assert "rag config show" in caught.value.remedy


def test_a_group_is_no_key() -> None:
    with pytest.raises(UsageError, match="'retrieval'"):
        load_config("test", ["retrieval=5"])


# Files ------------------------------------------------------------------------------------------------------


def test_an_unknown_key_in_a_file_names_the_file(write: Any) -> None:
    file = write("mine.yaml", "retrieval:\n  top_k: 3\n")
    with pytest.raises(UsageError, match=r"retrieval\.top_k.*mine\.yaml"):
        load_config(file)


def test_a_file_may_extend_a_file(write: Any) -> None:
    base = write("base.yml", "extends: test\nretrieval:\n  k: 3\n  rrf_k: 10\n")
    config = load_config(write("mine.yaml", f"extends: {base}\nretrieval:\n  k: 4\n")).config
    assert (config.retrieval.k, config.retrieval.rrf_k, config.generator.type) == (4, 10, "fake")


def test_extends_is_relative_to_the_file_that_says_it(write: Any) -> None:
    write("base.yaml", "retrieval:\n  k: 3\n")
    assert load_config(write("mine.yaml", "extends: base.yaml\n")).config.retrieval.k == 3


def test_a_circle_is_refused(write: Any, tmp_path: Path) -> None:
    other = write("b.yaml", f"extends: {tmp_path / 'a.yaml'}\n")
    with pytest.raises(UsageError, match="circle"):
        load_config(write("a.yaml", f"extends: {other}\n"))


@pytest.mark.parametrize("spelling", ["./a.yaml", "../{}/a.yaml", "{}/../a.yaml", "link.yaml"])
def test_a_circle_is_seen_however_the_path_is_spelt(write: Any, tmp_path: Path, spelling: str) -> None:
    (tmp_path / tmp_path.name).mkdir()
    (tmp_path / "link.yaml").symlink_to(tmp_path / "a.yaml")
    file = write("a.yaml", f"extends: {spelling.format(tmp_path.name)}\n")
    with pytest.raises(UsageError, match="circle") as caught:
        load_config(file)
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize("name", ["nowhere.yaml", "a-preset-that-is-not"])
def test_a_missing_configuration_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        load_config(name)


def test_extending_what_is_missing_is_refused(write: Any) -> None:
    with pytest.raises(UsageError, match="no preset 'gone'"):
        load_config(write("mine.yaml", "extends: gone\n"))


BOMB = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 28))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: [unclosed", "not valid YAML"),
        ("- retrieval\n- k\n", "holds a list"),
        ("just words", "holds a str"),
        (b"\xff\xfe\x00", "cannot be read"),
        ("retrieval:\n  k: 2001-13-45\n", "not valid YAML: month must be in"),
        ("a: " + "[" * 600, "nested too deeply"),
        ("a: " + "{b: " * 3000 + "1" + "}" * 3000, "nested too deeply"),
        ("a: &a\n  b: *a\n", r"\*a: aliases are not allowed"),
        (BOMB, r"\*a0: aliases are not allowed"),
        ("# " + "x" * 2**20, "has more than 1 MiB"),
        ('extends: "x\\0.yaml"\n', "is not a possible path"),
        (f"extends: {'x' * 5000}.yaml\n", "cannot be read: File name too long"),
        ('extends: "\\ud800.yaml"\n', "is not a possible path"),
    ],
    ids=[
        "not valid YAML",
        "a list",
        "a word",
        "not UTF-8",
        "no date",
        "lists",
        "groups",
        "anchor",
        "bomb",
        "large",
        "null",
        "long",
        "surrogate",
    ],
)
def test_a_file_that_is_no_tree_of_keys_is_refused(write: Any, content: str | bytes, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load_config(write("mine.yaml", content))


def test_settings_from_python_are_a_layer_of_values() -> None:
    resolved = load_config("test", {"retrieval.k": 3, "retrieval": {"rrf_k": 5}, "reader.model": Path("x/y")})
    assert (resolved.config.retrieval.k, resolved.config.retrieval.rrf_k) == (3, 5)
    assert resolved.config.reader.model == str(Path("x/y"))
    assert resolved.origins["retrieval.k"] == resolved.origins["retrieval.rrf_k"] == "settings"


@pytest.mark.parametrize("text", ["a\x7fb", "a\x85b", "a\u2028b", "off", "12", "null", '"quoted"', " a: b "])
def test_a_text_from_python_stays_as_it_is(text: str) -> None:
    assert load_config("test", {"embedding.query_prefix": text}).config.embedding.query_prefix == text


def test_settings_may_be_one_text() -> None:
    assert load_config("test", "retrieval.k=8").config.retrieval.k == 8


def test_a_configuration_may_be_a_path(write: Any) -> None:
    assert load_config(Path(write("mine.yaml", "retrieval: {k: 3}\n"))).config.retrieval.k == 3


_ITSELF: dict[str, object] = {}
_ITSELF["retrieval"] = _ITSELF


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retrieval.k": {1}}, "a set has no order"),
        ({"index.lexical.languages": frozenset(["english"])}, "a set has no order"),
        ({"embedding.query_prefix": "\ud800"}, "embedding.query_prefix = .* valid"),
        ({"retrieval.k": object()}, "valid integer"),
        ({"generator.type": []}, "generator.type"),
        ({5: 8}, "no configuration key '5'"),
        (_ITSELF, "within themselves"),
        ([("retrieval.k", 8)], "is not a text"),
        (b"retrieval.k=8", "is not a text"),
        (None, "the settings are None"),
        (5, "the settings are 5"),
    ],
)
def test_settings_of_another_type_are_refused_in_a_sentence(settings: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_config("test", settings)


def test_a_configuration_of_another_type_is_refused() -> None:
    with pytest.raises(UsageError, match="the configuration is 5"):
        load_config(5)  # type: ignore[arg-type]


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UsageError, match="not a regular file"):
        load_config(str(tmp_path / "pipe.yaml"))


def test_an_alias_in_an_assignment_is_text_for_the_validation() -> None:
    with pytest.raises(UsageError, match=r"retrieval.k = '\[&a 1, \*a\]'"):
        load_config("test", ["retrieval.k=[&a 1, *a]"])


@pytest.mark.parametrize("content", ["", "# only a comment\n", "retrieval: {}\n", "retrieval:\n  # k: 3\n"])
def test_an_empty_file_or_group_changes_nothing(write: Any, content: str) -> None:
    assert load_config(write("mine.yaml", content)).config == Config()


# The tree ---------------------------------------------------------------------------------------------------


def test_the_tree_is_frozen() -> None:
    config = load_config("test").config
    with pytest.raises(ValidationError, match="frozen"):
        config.retrieval.k = 9  # type: ignore[misc]


OTHER: dict[str, str] = {
    "parsing.ocr": "off",
    "embedding.dtype": "float16", "embedding.engine": "torch",
    "embedding.latin_only": "true", "retrieval.min_relevance": "0.2",
    "index.dense.type": "hnsw", "index.dense.sq_bits": "4",
    "index.dense.gpu": "replicate", "index.languages": "[english]", "retrieval.fusion": "rrf",
    "retrieval.rerank": "reader", "retrieval.collapse_duplicates": "near",
    "generator.writer": "openai", "reader.engine": "torch",
    "answers.min_confidence": "0.5", "answers.question_kinds": "off",
    "generator.type": "openai", "generator.vllm.dtype": "float32", "generator.vllm.memory_share": "0.5",
    "generator.vllm.enforce_eager": "true", "generator.openai.context_length": "512", "prompt.form": "chat",
    "prompt.template": "{passages} {question}", "prompt.max_tokens": "9",
}  # fmt: skip


def another(key: str) -> str:
    value = DEFAULTS[key]
    if key in OTHER:
        return OTHER[key]
    if isinstance(value, bool):
        return str(not value).lower()
    if isinstance(value, int):
        return str(value + 1)
    if isinstance(value, float):
        return str(value / 2 + 0.1)
    return "other"


@pytest.mark.parametrize("key", DEFAULTS)
def test_the_digest_changes_with_every_value(key: str) -> None:
    base, changed = load_config("test").config, load_config("test", [f"{key}={another(key)}"]).config
    assert changed != base
    assert changed.digest() != base.digest()


def test_the_digest_is_that_of_the_values_not_of_their_origin(write: Any) -> None:
    same = load_config(write("mine.yaml", "extends: test\nretrieval:\n  k: 5\n"), ["chunking.size=200"])
    assert same.config.digest() == load_config("test").config.digest()
    assert len(same.config.digest()) == 16
