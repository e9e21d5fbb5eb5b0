// Streamlit's own widgets speak late: a table says up to 200 ms after the hand what was chosen, and where a link was
// clicked by then, that leads back. So where nothing runs and the link led nowhere, it is followed once more. To a
// server that was only slow it says what it has heard already.

const LOOK_MS = 250;
// How many looks in turn find nothing running before the link is followed again; twice as many each time.
const PATIENCE = 2;
const N_AGAIN = 3;
const ARRIVAL_MS = 60_000;

// It outlives the component, which is taken down with its page.
let asked = null;

function forget() {
  clearInterval(asked?.looking);
  asked = null;
  noteLeaving(null);
}

function look() {
  const isQuiet = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning";
  asked.nQuiet = isQuiet ? asked.nQuiet + 1 : 0;
  const { name, at, nQuiet, nAgain } = asked;
  if (performance.now() - at > ARRIVAL_MS) forget();
  else if (nQuiet < PATIENCE * 2 ** nAgain) return;
  else if (isOnPage(name)) forget();
  else if (nAgain < N_AGAIN) followAgain();
}

function followAgain() {
  Object.assign(asked, { nAgain: asked.nAgain + 1, nQuiet: 0, isOurs: true });
  [...document.querySelectorAll(PAGE_LINKS)].find((link) => pageNamed(link) === asked.name)?.click();
  asked.isOurs = false;
}

function ask(event) {
  const link = event.target.closest?.(PAGE_LINKS);
  const isElsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!link || isElsewhere || asked?.isOurs) return;
  forget();
  asked = { name: pageNamed(link), at: performance.now(), nQuiet: 0, nAgain: 0, looking: setInterval(look, LOOK_MS) };
  noteLeaving(asked.name);
}

// Never taken back: of two drawers, as while a page is drawn anew, the earlier one would take it from the later.
function following() {
  document.addEventListener("click", ask, true);
  // Who goes back means it.
  addEventListener("popstate", forget);
}
