"use strict";
// Draws the figures and the list of questions of a report. Texts come from questions, documents or models and are
// untrusted: they reach the page through textContent only.
(() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  // ---- figures -------------------------------------------------------------------------------------------------
  const toDark = new Map(Object.values(page.colours));
  const themed = (node) => {
    if (typeof node === "string") return dark.matches ? toDark.get(node) ?? node : node;
    if (Array.isArray(node)) return node.map(themed);
    if (node === null || typeof node !== "object") return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, themed(value)]));
  };
  const draw = () => {
    for (const [key, figure] of Object.entries(page.figures)) {
      const { data, layout } = themed(figure);
      window.Plotly.react(document.getElementById(`plot-${key}`), data, layout, { displayModeBar: false, responsive: true });
    }
  };
  draw();
  dark.addEventListener("change", draw);

  // ---- questions -----------------------------------------------------------------------------------------------
  const source = document.getElementById("questions-data");
  if (!source) return;
  const { rows, texts } = JSON.parse(source.textContent);
  const stages = page.stages;
  const SIZE = 50;
  const field = (name) => document.getElementById(name);
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const number = (value, digits) => (typeof value === "number" ? value.toFixed(digits) : "–");
  const short = (value) => (typeof value === "number" ? String(Number(value.toPrecision(3))) : "–");
  const isRight = (row) => row.verdict ? row.verdict === "right" : row.em >= 1;
  const abstained = (row) => row.abstained === true;
  const stage = (key) => (Object.hasOwn(stages, key) ? stages[key] : key);
  const lowered = new Map();
  const haystack = (row) => {
    if (!lowered.has(row)) lowered.set(row, [row.id, row.question, row.prediction, row.answer ?? "", row.source, ...row.golds].join("\n").toLowerCase());
    return lowered.get(row);
  };

  const counts = new Map();
  for (const row of rows) if (row.loss) counts.set(row.loss, (counts.get(row.loss) ?? 0) + 1);
  for (const key of [...Object.keys(stages).filter((known) => counts.has(known)), ...[...counts.keys()].filter((key) => !Object.hasOwn(stages, key))]) {
    const option = make("option", "", `${stage(key)} (${counts.get(key).toLocaleString("en")})`);
    option.value = key;
    field("stage").append(option);
  }

  const KEEP = {
    all: () => true,
    right: isRight,
    wrong: (row) => !isRight(row),
    abstained,
    impossible: (row) => row.impossible === true,
  };
  const ORDER = {
    dataset: null,
    lowest: (a, b) => a.f1 - b.f1,
    confident: (a, b) => (b.confidence ?? -1) - (a.confidence ?? -1),
    unsure: (a, b) => (a.confidence ?? 2) - (b.confidence ?? 2),
    slowest: (a, b) => (b.seconds ?? 0) - (a.seconds ?? 0),
  };
  let chosen = rows;
  let at = 0;

  const choose = () => {
    const words = field("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const keep = KEEP[field("verdict").value];
    const wanted = field("stage").value;
    chosen = rows.filter((row) => keep(row) && (!wanted || row.loss === wanted) && (!words.length || words.every((word) => haystack(row).includes(word))));
    const order = ORDER[field("order").value];
    if (order) chosen.sort(order);
    at = 0;
    show();
  };

  // The ends of all spans split the text into pieces; each piece is marked, underlined, both or neither.
  const spans = (text, needles) => needles.filter(Boolean).flatMap((needle) => {
    const found = [];
    for (let from = text.indexOf(needle); from >= 0 && found.length < 50; from = text.indexOf(needle, from + needle.length)) found.push([from, from + needle.length]);
    return found;
  });
  const inside = (list, place) => list.some(([start, end]) => start <= place && place < end);
  const highlighted = (text, quotes, golds) => {
    const cited = spans(text, quotes);
    const gold = spans(text, golds);
    const cuts = [...new Set([0, text.length, ...cited.flat(), ...gold.flat()])].sort((a, b) => a - b);
    const parts = make("div", "text");
    for (let index = 0; index + 1 < cuts.length; index += 1) {
      const piece = text.slice(cuts[index], cuts[index + 1]);
      let node = document.createTextNode(piece);
      if (inside(gold, cuts[index])) { const under = make("u", "gold"); under.append(node); node = under; }
      if (inside(cited, cuts[index])) { const mark = make("mark"); mark.append(node); node = mark; }
      parts.append(node);
    }
    return parts;
  };

  const fact = (list, name, value, className) => list.append(make("dt", "", name), make("dd", className ?? "", value));
  const yes = (value) => (value === null ? "unknown" : value ? "yes" : "no");

  const passage = (entry, row) => {
    const [place, rank, score, dense, denseRank, lexical, lexicalRank, shown, relevant] = entry;
    const [name, pageNumber, headings, text] = texts[place];
    const box = make("div", shown ? "passage shown" : "passage");
    const meta = make("div", "meta");
    meta.append(make("b", "", `${rank ?? "–"}. ${shown ? "shown to the generator" : "dropped"}${relevant ? ", relevant" : ""}`));
    const facts = [name];
    if (pageNumber !== null && pageNumber !== undefined) facts.push(`page ${pageNumber}`);
    if (headings) facts.push(headings);
    if (score !== null) facts.push(`score ${short(score)}`);
    if (denseRank !== null || dense !== null) facts.push(`dense rank ${denseRank ?? "–"} (${short(dense)})`);
    if (lexicalRank !== null || lexical !== null) facts.push(`lexical rank ${lexicalRank ?? "–"} (${short(lexical)})`);
    meta.append(` · ${facts.join(" · ")}`);
    const quotes = row.citations.filter(([cited]) => cited === name).map(([, quote]) => quote);
    box.append(meta, highlighted(text, quotes, row.golds));
    return box;
  };

  const body = (row) => {
    const box = make("div", "body");
    const list = make("dl");
    fact(list, "Question", row.question);
    fact(list, "Gold answers", row.golds.length ? row.golds.join("  |  ") : "none: the question is unanswerable", row.golds.length ? "" : "none");
    fact(list, "Prediction", row.prediction || (abstained(row) ? "abstained" : "empty"), row.prediction ? "" : "none");
    if (row.answer !== undefined) fact(list, "Answer as shown", row.answer);
    fact(list, "Scores", `EM ${number(row.em, 0)} · F1 ${number(row.f1, 2)} · confidence ${number(row.confidence, 2)} · ${short(row.seconds)} s`);
    if (row.loss) fact(list, "Lost at", stage(row.loss));
    if (row.source) fact(list, "Source", row.source);
    fact(list, "Id", row.id);
    box.append(list, make("h3", "", "Citations"));
    if (!row.citations.length) box.append(make("p", "why", "The answer cites nothing."));
    for (const [name, quote, contains, overlaps] of row.citations) {
      const cited = make("div", "passage shown");
      const text = make("div", "text");
      text.append(make("mark", "", quote));
      cited.append(make("div", "meta", `${name} · contains a gold answer: ${yes(contains)} · overlaps one: ${yes(overlaps)}`), text);
      box.append(cited);
    }
    box.append(make("h3", "", "Passages"));
    if (!row.passages.length) box.append(make("p", "why", page.shortened ? "Left out of this page: see rows.jsonl." : "The generator got no passages."));
    for (const entry of row.passages) box.append(passage(entry, row));
    return box;
  };

  const line = (row) => {
    const item = make("details", "q");
    const summary = make("summary", "line");
    const verdict = isRight(row) ? "right" : "wrong";
    summary.append(
      make("span", `verdict ${verdict}`, isRight(row) ? "✓ right" : "✗ wrong"),
      make("span", "cell question", row.question),
      make("span", row.prediction ? "cell predicted" : "cell predicted none", row.prediction || (abstained(row) ? "abstained" : "empty")),
      make("span", row.golds.length ? "cell golds" : "cell golds none", row.golds.length ? row.golds.join(" | ") : "unanswerable"),
      make("span", "n f1", number(row.f1, 2)),
      make("span", "n extra", number(row.confidence, 2)),
      make("span", "n extra", number(row.seconds, 2)),
    );
    item.append(summary);
    item.addEventListener("toggle", () => {
      if (item.open && item.childElementCount === 1) item.append(body(row));
    });
    return item;
  };

  const show = () => {
    const pages = Math.max(1, Math.ceil(chosen.length / SIZE));
    field("list").replaceChildren(...chosen.slice(at * SIZE, (at + 1) * SIZE).map(line));
    field("count").textContent = `${chosen.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} questions`;
    field("where").textContent = `Page ${(at + 1).toLocaleString("en")} of ${pages.toLocaleString("en")}`;
    field("previous").disabled = at === 0;
    field("next").disabled = at + 1 >= pages;
  };
  const turn = (by) => {
    at += by;
    show();
    field("questions").scrollIntoView();
  };

  let pause = 0;
  field("search").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(choose, 120);
  });
  for (const name of ["verdict", "stage", "order"]) field(name).addEventListener("change", choose);
  field("previous").addEventListener("click", () => turn(-1));
  field("next").addEventListener("click", () => turn(1));
  choose();
})();
