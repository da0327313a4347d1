// An answer's text with its source numbers as buttons. Whatever comes from outside is set as textContent, never as HTML.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".text");
  const made = JSON.stringify([data.pieces, data.blocks, data.labels]);
  if (root.made !== made) {
    root.made = made;
    root.replaceChildren();
    root.classList.toggle("markdown", data.blocks !== null);
    if (data.blocks) build(root, data.blocks, data.labels, setTriggerValue);
    else for (const piece of data.pieces) append(root, piece, data.labels, setTriggerValue);
  }
  // Only their state changes afterwards: the button that was pressed keeps the focus.
  for (const button of root.querySelectorAll("button")) {
    button.setAttribute("aria-expanded", String(Number(button.textContent) === data.opened));
  }
  if (root.opened !== undefined && root.opened !== data.opened && data.opened) reveal(data.viewer);
  root.opened = data.opened;
}

// Keep the top of the source that was opened in sight, below the page's header, while it is drawn: a page's image comes
// late and pushes all else about, and Streamlit follows a chat's end. Not longer than four seconds, and not against the
// user.
function reveal(name) {
  const look = () => {
    const viewer = document.querySelector("." + name);
    if (!viewer) return;
    const header = document.querySelector('[data-testid="stHeader"]')?.offsetHeight ?? 0;
    const top = viewer.getBoundingClientRect().top;
    viewer.style.scrollMarginTop = header + "px";
    if (top < header - 1 || top > window.innerHeight / 2) viewer.scrollIntoView({ block: "start" });
  };
  const watch = setInterval(look, 200);
  const stop = () => clearInterval(watch);
  setTimeout(stop, 4000);
  for (const act of ["wheel", "keydown", "pointerdown"]) addEventListener(act, stop, { once: true, passive: true });
}

function append(root, piece, labels, setTriggerValue) {
  const text = document.createElement(piece.strong ? "strong" : "span");
  text.textContent = piece.text;
  root.append(text);
  if (piece.instead) appendInstead(root, piece.instead, labels);
  appendNumbers(root, piece.numbers, labels, setTriggerValue);
}

// The elements that a language model's Markdown is made of, and no others.
const TAGS = new Set(("p h1 h2 h3 h4 h5 h6 ul ol li blockquote strong em s code pre br hr table thead tbody tr th td").split(" "));

function build(root, nodes, labels, setTriggerValue) {
  for (const node of nodes) {
    if (typeof node === "string") root.append(document.createTextNode(node));
    else if (node.note) {
      if (node.note.instead) appendInstead(root, node.note.instead, labels);
      appendNumbers(root, node.note.numbers, labels, setTriggerValue);
    } else if (TAGS.has(node.tag)) {
      const element = document.createElement(node.tag);
      if (Number.isInteger(node.start)) element.start = node.start;
      if (["left", "center", "right"].includes(node.align)) element.className = node.align;
      build(element, node.children, labels, setTriggerValue);
      if (node.tag === "table") {
        const frame = document.createElement("div"); // a wide table scrolls, not the page
        frame.className = "table";
        frame.tabIndex = 0;
        frame.append(element);
        root.append(frame);
      } else root.append(element);
    }
  }
}

function appendInstead(root, instead, labels) {
  const note = document.createElement("span");
  note.className = "note";
  note.textContent = labels.contradicted.replace("{text}", () => instead);
  root.append(note);
}

function appendNumbers(root, numbers, labels, setTriggerValue) {
  for (const number of numbers) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = String(number);
    button.setAttribute("aria-label", labels.open + " " + number);
    button.onclick = () => setTriggerValue("pressed", number);
    root.append(button);
  }
}
