// An answer's text with its source numbers as buttons. Whatever comes from outside is set as textContent, never as HTML.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".text");
  const made = JSON.stringify([data.pieces, data.labels]);
  if (root.made !== made) {
    root.made = made;
    root.replaceChildren();
    for (const piece of data.pieces) append(root, piece, data.labels, setTriggerValue);
  }
  // Only their state changes afterwards: the button that was pressed keeps the focus.
  for (const button of root.querySelectorAll("button")) {
    button.setAttribute("aria-expanded", String(Number(button.textContent) === data.opened));
  }
  if (root.opened !== undefined && root.opened !== data.opened && data.opened) reveal(data.viewer, 30);
  root.opened = data.opened;
}

// Show the top of the source that was opened, once it is drawn: a page's image comes late, and pushes all else about.
function reveal(name, tries) {
  const viewer = document.querySelector("." + name);
  const drawn = viewer && viewer.querySelector("mark") && [...viewer.querySelectorAll("img")].every((i) => i.complete);
  if (!drawn && tries) {
    setTimeout(reveal, 100, name, tries - 1);
  } else if (viewer) {
    requestAnimationFrame(() => {
      const top = viewer.getBoundingClientRect().top;
      if (top < 0 || top > window.innerHeight / 2) viewer.scrollIntoView({ block: "start" });
    });
  }
}

function append(root, piece, labels, setTriggerValue) {
  const text = document.createElement("span");
  text.textContent = piece.text;
  root.append(text);
  if (piece.unsupported) {
    text.className = "unsupported";
    const note = document.createElement("span");
    note.className = "note";
    note.textContent = labels.unsupported;
    root.append(note);
  }
  for (const number of piece.numbers) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = String(number);
    button.setAttribute("aria-label", labels.open + " " + number);
    button.onclick = () => setTriggerValue("pressed", number);
    root.append(button);
  }
}
