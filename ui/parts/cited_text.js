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
