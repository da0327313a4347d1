// Brings a question that was just asked into sight, and asks for the page where a script ended that should have drawn it.
const EVERY_MS = 200;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector("div");
  if (Boolean(root.watch) === data.asks) return;
  if (!data.asks) return end(root);
  let looked = 0;
  let quiet = 0;
  root.watch = setInterval(() => {
    if (!root.isConnected) return end(root); // another page was opened
    looked += 1;
    if (looked === 2) reveal();
    const app = document.querySelector('[data-testid="stApp"]');
    quiet = app && app.dataset.testScriptState === "notRunning" ? quiet + 1 : 0;
    if (quiet < 2) return; // between two runs it may be so for a moment
    end(root);
    setTriggerValue("ended", true);
  }, EVERY_MS);
}

function end(root) {
  clearInterval(root.watch);
  root.watch = null;
}

// A chat that is scrolled to its end stays there by itself; from elsewhere the answer would not be seen.
function reveal() {
  const page = document.querySelector(".stMain");
  if (page) page.scrollTo({ top: page.scrollHeight });
}
