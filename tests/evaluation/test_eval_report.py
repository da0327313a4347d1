"""The report files: complete, explicit about missing parts, and safe for untrusted texts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from report_samples import manifest, passage, point, row

import eval as evaluation
from eval.errors import EvalError
from eval.losses import STAGES, em_lost
from eval.report import report_json, run_markdown, sweep_markdown, write_report, write_sweep_report
from eval.report_html import render_run, render_sweep
from eval.report_questions import json_for_html, pack_rows
from eval.runs import RunData

PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</SCRIPT ><svg onload=alert(1)>",
    "<!--<script>",
    "--><img src=x onerror=alert(1)>",
    "<!-- <script> --> </script>",
    "\u2028alert(1)\u2029",
    "javascript:alert(1)",
    "<a href='javascript:alert(1)'>x</a>",
    '<img src="https://evil.example/x.png">',
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "<iframe src=https://evil.example></iframe>",
    '<link rel=stylesheet href="//evil.example/x.css">',
    "<style>@import url(//evil.example);</style>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<form action=https://evil.example><input type=submit>",
    "<object data=https://evil.example></object>",
    "<embed src=https://evil.example>",
    "<video poster=https://evil.example/x.png>",
    "<math><mtext><img src=x onerror=alert(1)></math>",
    "]]><script>alert(1)</script>",
    "\\u003cscript\\u003ealert(1)",
    "${alert(1)} {{7*7}} `alert(1)`",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\x00<scr\x00ipt>\x08\x1b[31m",
    "\ud800 lone \udfff",
    "\u202eright to left\u202c",
    "a | b\nc | d\r\ne",
    "__proto__",
    "%{x}<extra></extra><br><b>",
]


def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def block(html: str, name: str) -> Any:
    found = soup(html).find("script", id=name)
    assert found is not None and found.get("type") == "application/json"
    return json.loads(found.string or "")


def hostile(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Put a text into every field that holds texts."""
    cited = {"source": text, "start": 0, "end": 1, "quote": text, "contains_gold": True, "overlaps_gold": False}
    rows = [
        row(0, id=text, question=text, answers=[text], source=text, prediction=text, text=text + "!", loss=text, em=0.0,
            citations=[cited], passages=[passage(0, text, source=text, headings=[text], page=text)]),
    ]  # fmt: skip
    run = manifest(rows, name=text, mode=text, seed=text, git_commit=text, config_digest=text, created=text)
    run |= {"models": {text: text}, "packages": {text: text}, "hardware": {"cpu": text, "gpu": text}}
    run |= {"dataset": {"name": text, "version": text, "sha256": text, "questions": 3, "asked": 1}}
    run |= {"losses": {text: 1}, "official": {text: 1.0}, "index": {"generation": text, "chunks": text}}
    run["metrics"] |= {text: {"mean": 1.0, "low": 0.5, "high": 2.0, "n": 1}}
    run["throughput"] = {"questions_per_s": 1.0, "tokens_per_s": None, "table": [{"precision": text, "batch": text}]}
    return run, rows


def assert_inert(html: str, scripts: int) -> None:
    page = soup(html)
    assert len(page.find_all("script")) == scripts
    for tag in page.find_all(True):
        for name, value in tag.attrs.items():
            assert not name.startswith("on"), f"{tag.name} has {name}={value}"
            assert name not in {"src", "href", "action", "formaction", "data", "poster", "srcset", "background"}, (
                tag.name
            )
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "noscript"}
    allowed |= {"h1", "h2", "p", "dl", "dt", "dd", "div", "span", "figure", "figcaption", "table", "thead", "tbody"}
    allowed |= {"tr", "th", "td", "mark", "u", "label", "input", "select", "option", "button", "script"}
    assert {tag.name for tag in page.find_all(True)} <= allowed
    assert [tag.get("http-equiv") for tag in page.find_all("meta") if tag.get("http-equiv")] == [
        "Content-Security-Policy"
    ]
    style = page.find("style")
    assert style is not None and "url(" not in style.text and "@import" not in style.text


@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_texts_neither_run_nor_fetch_and_arrive_unchanged(text: str) -> None:
    run, rows = hostile(text)
    html = render_run(run, rows)
    assert_inert(html, scripts=4)
    data = block(html, "questions-data")
    (packed,) = data["rows"]
    assert packed["question"] == packed["prediction"] == packed["id"] == text and packed["golds"] == [text]
    assert packed["citations"][0][:2] == [text, text] and data["texts"] == [[text, text, text, text]]
    raw = html[html.index('id="questions-data">') :].split("</script>", 1)[0]
    assert not set("<>&\u2028\u2029") & set(raw.removeprefix('id="questions-data">'))


@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_texts_in_a_sweep(text: str) -> None:
    points = [point(0, name=text, run=text, settings={text: text}), point(1, settings={text: "other"})]
    assert_inert(render_sweep(text, points), scripts=3)
    assert_markdown_inert(sweep_markdown(text, points))


def assert_markdown_inert(text: str) -> None:
    assert not re.search(r"(?<!\\)!?\[[^\]\\]*\]\(", text), "a link or an image"
    assert "<" not in text and ">" not in text
    widths: list[int] = []
    for line in text.split("\n"):
        cells = len(re.findall(r"(?<!\\)\|", line))
        if line.startswith("| "):
            widths.append(cells)
            assert widths[0] == cells, f"another number of cells: {line}"
        else:
            widths = []


@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_texts_in_markdown_stay_in_their_cell(text: str) -> None:
    assert_markdown_inert(run_markdown(*hostile(text)))


def test_markdown_escapes_pipes_and_line_breaks() -> None:
    text = run_markdown(manifest([row(0)], models={"a|b": "one\ntwo | three"}), [row(0)])
    assert r"| Model: a\|b | one two \| three |" in text


def test_markdown_has_the_settings_and_the_figures() -> None:
    rows = [row(0), row(1), row(2, right=False), row(3, right=False, loss="phrased_differently")]
    text = run_markdown(manifest(rows), rows)
    for expected in (
        "# town-open", "4 of 10,570", "| Seed | 7 |", "0123456789abcdef", "Some CPU, 2 cores, 23.5 GiB", "c0ffee",
        "| F1 (%) | 62.5 | 60.5 – 64.5 | 4 |", "| exact | 33.333333333333336 |", "| Generator wrong | 1 | 25.0 |",
        "| Right, phrased differently | 1 | 25.0 |", "| Total | 2 | 50.0 |", "mostly measures its phrasing",
        "| AUROC of the confidence (0–1) | – |", "4 questions drawn with seed 7", "| float32 | 8 | 2.00 | 64.0 | – |",
    ):  # fmt: skip
        assert expected in text, expected


def test_losses_add_up_even_if_a_wrong_answer_has_no_stage() -> None:
    rows = [row(0), row(1, right=False), row(2, right=False, loss=None), row(3)]
    lost = em_lost(rows)
    assert [stage for stage, *_ in lost] == [*STAGES, "unclassed"]
    assert sum(points for *_, points in lost) == 50.0
    assert em_lost([]) == em_lost([row(0, em=None)]) == []


def test_report_json_has_values_and_no_texts() -> None:
    rows = [row(0), row(1, right=False, retrieval=None)]
    found = json.loads(report_json(manifest(rows), rows))
    assert found["manifest"]["name"] == "town-open"
    assert found["values"]["id"] == ["q0", "q1"] and found["values"]["f1"] == [1.0, 0.5]
    assert found["values"]["recall@5"] == [1.0, None] and "grounded" not in found["values"]
    assert found["latency_s"]["p50"] == pytest.approx(0.15)
    assert "Question 0" not in report_json(manifest(rows), rows)


def test_html_has_plotly_once_and_every_figure() -> None:
    rows = [row(0), row(1, right=False)]
    html = render_run(manifest(rows), rows)
    assert html.count("plotly.js v") == 1
    page = block(html, "page")
    assert set(page["figures"]) == {"metrics", "losses", "retrieval", "abstention", "latency"}
    assert all(soup(html).find(id=f"plot-{key}") for key in page["figures"])
    assert page["stages"]["reader_wrong"] == "Generator wrong"


def test_policy_forbids_requests_and_names_the_two_scripts() -> None:
    html = render_run(manifest([row(0)]), [row(0)])
    meta = soup(html).find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert meta is not None
    policy = str(meta["content"])
    assert policy.startswith("default-src 'none';") and "unsafe-eval" not in policy and "http" not in policy
    scripts = [str(tag.string) for tag in soup(html).find_all("script") if not tag.get("type")]
    assert len(scripts) == 2
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert "innerHTML" not in scripts[1] and "insertAdjacentHTML" not in scripts[1] and "fetch(" not in scripts[1]


def test_every_template_is_packaged() -> None:
    root = Path(evaluation.__file__).parent
    tree = tomllib.loads((root.parent / "pyproject.toml").read_text(encoding="utf-8"))
    packaged = {path for pattern in tree["tool"]["setuptools"]["package-data"]["eval"] for path in root.glob(pattern)}
    assert {path.name for path in packaged} >= {"page.html.j2", "report.css", "report.js"}
    assert set((root / "templates").iterdir()) <= packaged


def missing() -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    bare = row(0, retrieval=None, citations=[], passages=[], answers=[], prediction="", text="", source=None)
    bare |= {"timings": None, "abstained": True, "impossible": True, "cited_contains": None}
    no_parts = manifest([bare], abstention=None, throughput=None, index=None, official=None, metrics={}, losses=None)
    nothing: dict[str, Any] = {"name": None, "dataset": None, "metrics": None, "hardware": None, "models": None}
    none_at_all = manifest([], metrics={"em": None, "recall@5": {"mean": None}}, abstention={"risk_coverage": None})
    null_lists = row(0, passages=None, citations=None, answers=None)
    return {
        "bare": (no_parts, [bare]),
        "empty manifest": ({}, [row(0, right=False)]),
        "nulls": (nothing, [null_lists]),
        "no rows": (none_at_all, []),
        "gold": (manifest([row(0)], mode="gold", metrics={"em": {"mean": 100.0}}), [row(0, retrieval=None)]),
        "closed-book": (manifest([row(0)], mode="closed-book", metrics={}), [row(0, passages=[])]),
        "all right": (manifest([row(0), row(1)]), [row(0), row(1)]),
    }


@pytest.mark.parametrize("name", missing())
def test_missing_parts_are_explained(name: str, tmp_path: Path) -> None:
    run, rows = missing()[name]
    write_report(tmp_path / "run", RunData(run, rows))
    html = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert_inert(html, scripts=4)
    page = block(html, "page")
    for key in ("metrics", "losses", "retrieval", "abstention", "latency"):
        section = soup(html).find("section", id=key)
        assert section is not None
        if key not in page["figures"]:
            assert len(section.find_all("p")) >= 1 and section.find(class_="plot") is None
    assert len(block(html, "questions-data")["rows"]) == len(rows)
    assert "None" not in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")


def test_explanations_of_missing_parts() -> None:
    run, rows = missing()["gold"]
    assert "gold mode does not search" in run_markdown(run, rows)
    run, rows = missing()["bare"]
    assert "The questions name no source".lower() in run_markdown(run, rows).lower()
    assert "no figures about unanswerable questions" in run_markdown(run, rows)
    run, rows = missing()["all right"]
    assert "No point was lost" in run_markdown(run, rows)


def test_write_report_is_repeatable(tmp_path: Path) -> None:
    rows = [row(0), row(1, right=False)]
    write_report(tmp_path, RunData(manifest(rows), rows))
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(first) == {"report.md", "report.json", "report.html"}
    write_report(tmp_path, RunData(manifest(rows), rows))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_is_an_error_and_writes_nothing(value: float, tmp_path: Path) -> None:
    rows = [row(0, f1=value)]
    with pytest.raises(EvalError, match="holds a value"):
        write_report(tmp_path / "run", RunData(manifest(rows), rows))
    run = manifest([row(0)])
    run["metrics"]["em"]["mean"] = value
    with pytest.raises(EvalError, match="holds a value"):
        write_report(tmp_path / "run", RunData(run, [row(0)]))
    with pytest.raises(EvalError, match="holds a value"):
        write_sweep_report(tmp_path / "run", [point(0, p95_latency_s=value)])
    assert not (tmp_path / "run").exists()


def test_passages_are_stored_once() -> None:
    result = pack_rows([row(number) for number in range(50)])
    packed = json.loads(result.json)
    assert len(packed["texts"]) == 2 and result.shortened is False
    assert [entry[0] for entry in packed["rows"][49]["passages"]] == [0, 1]
    assert packed["rows"][0]["passages"][0] == [0, 1, 1.5, 0.5, 1, 3.25, None, 1, 1]


def test_shortening_preserves_questions_shown_passages_and_the_quote() -> None:
    quote = "lies by a river"
    long = "x" * 4000 + quote + "y" * 4000
    passages = [passage(9, long, source="Town/000.md", shown=False, relevant=False, rank=1)]
    passages += [passage(number, "z" * 3000, shown=False, relevant=False) for number in range(1, 20)]
    passages += [passage(0, long, rank=21)]
    result = pack_rows([row(number, passages=passages) for number in range(40)], budget=40_000)
    packed = json.loads(result.json)
    assert result.shortened is True and len(packed["rows"]) == 40 and len(result.json.encode()) <= 40_000
    for line in packed["rows"]:
        assert any(entry[7] == 1 for entry in line["passages"])
    assert any(quote in text for *_, text in packed["texts"])


def test_json_for_html_round_trips() -> None:
    value = {"a": PAYLOADS, "b": [None, True, 1.5, "é日本語"]}
    text = json_for_html(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029\ud800") & set(text) and "日本語" in text
    text.encode("utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_for_html(float("nan"))


@pytest.mark.slow
@pytest.mark.parametrize("unique", [False, True])
def test_a_whole_development_set_fits(unique: bool, tmp_path: Path) -> None:
    words = "the town lies by a river in the east and has “walls” & gates " * 16
    rows = []
    for number in range(10_570):
        tail = f"{number}" if unique else ""
        passages = [passage(k, f"{k} {words}{tail}") for k in range(10)]
        rows.append(row(number, right=number % 3 == 0, passages=passages))
    begin = time.perf_counter()
    write_report(tmp_path, RunData(manifest(rows), rows))
    assert time.perf_counter() - begin < 30, "it takes a few seconds on an idle machine"
    assert (tmp_path / "report.html").stat().st_size < 40_000_000
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = block(html, "questions-data")
    assert len(found["rows"]) == 10_570 and block(html, "page")["shortened"] is unique
    assert all(line["passages"] for line in found["rows"])


def test_sweep_report_files(tmp_path: Path) -> None:
    write_sweep_report(tmp_path / "prompts", [point(0), point(1)])
    text = (tmp_path / "prompts" / "sweep.md").read_text(encoding="utf-8")
    assert text.index("| p1 |") < text.index("| p0 |"), "best F1 first"
    assert "| p0 | 3 | chat | 20.0 | 30.0 | 28.0 – 32.0 | 0.500 | 300 | yes | runs/p0 |" in text
    assert "The same for all points: seed = 0." in text
    html = (tmp_path / "prompts" / "sweep.html").read_text(encoding="utf-8")
    assert set(block(html, "page")["figures"]) == {"scatter", "parallel"}
    assert_inert(html, scripts=3)
    with pytest.raises(EvalError, match="no finished point"):
        write_sweep_report(tmp_path, [])
