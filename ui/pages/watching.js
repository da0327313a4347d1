// Brings a question that was just asked into sight, and asks for the page where a script ended that has not drawn it.
const EVERY_MS = 200;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector("div");
  if (data.asks && !root.asks) {
    setTimeout(reveal, 2 * EVERY_MS);
    root.asked = false;
  }
  root.asks = data.asks;
  root.watch ??= setInterval(() => look(root, () => setTriggerValue("ended", true)), EVERY_MS);
}

function look(root, ask) {
  if (!root.isConnected) { // another page was opened
    clearInterval(root.watch);
    root.watch = null;
    return;
  }
  const app = document.querySelector('[data-testid="stApp"]');
  const ended = app && app.dataset.testScriptState === "notRunning";
  root.quiet = ended ? (root.quiet ?? 0) + 1 : 0;
  if (root.quiet < 2) return; // between two runs it may be so for a moment
  if (isWhole()) root.asked = false;
  else if (!root.asked) {
    root.asked = true; // a page that cannot be drawn is not asked for again and again
    ask();
  }
}

// The chats are drawn last, the button for a new one first of them; the one that stops an answer is gone with the next run.
function isWhole() {
  return document.querySelector(".st-key-new_chat") && !document.querySelector(".st-key-stop");
}

// A chat that is scrolled to its end stays there by itself; from elsewhere the answer would not be seen.
function reveal() {
  const page = document.querySelector(".stMain");
  if (page) page.scrollTo({ top: page.scrollHeight });
}
