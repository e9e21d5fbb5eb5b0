// Streamlit takes a component down and sets it up again on the same elements, as where the theme changes. What lives on
// them lasts: set up a second time it would answer each click twice, and forget what it was doing. It is closed once it
// is clear that nobody sets it up again.

const lasting = new WeakMap();
const LEAVE_MS = 400;

function lastingOn(root, make) {
  const kept = lasting.get(root);
  if (kept && root.contains(kept.mark)) {
    clearTimeout(kept.leaving);
    return kept.living;
  }
  kept?.living.close();
  const made = { living: make(), mark: root.querySelector("button") };
  lasting.set(root, made);
  return made.living;
}

function leave(root) {
  const kept = lasting.get(root);
  kept.living.leave?.();
  kept.leaving = setTimeout(() => {
    kept.living.close();
    if (lasting.get(root) === kept) lasting.delete(root);
  }, LEAVE_MS);
}
