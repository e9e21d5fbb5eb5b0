// A browser leaves the focus nowhere when the button that has it goes, and the next Tab begins at the top of the page.

export default function ({ data, parentElement }) {
  const { isDone, field } = JSON.parse(data.json);
  const mark = parentElement.querySelector("span");
  const isNew = isDone && mark.dataset.isDone === "false";
  mark.dataset.isDone = isDone;
  if (!isNew) return;
  if (field) {
    document.querySelector(`[data-testid="stMain"] input[aria-label="${CSS.escape(field)}"]`)?.focus();
    return;
  }
  const box = (parentElement.host ?? parentElement).closest("details");
  const focused = document.activeElement;
  // Whoever went elsewhere meanwhile stays there.
  if (box && (focused === document.body || box.contains(focused))) box.querySelector("summary").focus();
}
