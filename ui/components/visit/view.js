// The tab remembers by which name the server knows its visit. When the server answers under another one (a refresh, a
// laptop that slept, a restart), the old name goes back to it: what is still held under it is brought back.

const KEPT = "genrescope.visit";

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

function keep(visit) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(visit));
  } catch {
    // A browser that keeps nothing has nothing brought back.
  }
}

export default function ({ data, setTriggerValue }) {
  const { id, holds, isAnswered } = JSON.parse(data.json);
  const before = kept();
  const isStrange = before && before.id !== id && before.holds > 0;
  if (isStrange && !isAnswered) setTriggerValue("former", before);
  else keep({ id, holds });

  const app = document.querySelector("[data-testid=stApp]");
  const isDown = () => app.dataset.testConnectionState !== "CONNECTED";
  let wasDown = isDown();
  // Told at each change: a server that was started again at once is away for less than any time between two looks.
  const look = new MutationObserver(() => {
    // Connected again: a page that looks alive must not drop what it shows at the next click.
    if (wasDown && !isDown()) setTriggerValue("former", kept() ?? { id, holds });
    wasDown = isDown();
  });
  look.observe(app, { attributes: true, attributeFilter: ["data-test-connection-state"] });
  return () => look.disconnect();
}
