// A browser leaves the focus nowhere when the button that has it goes, and the next Tab begins at the top of the page.

export default function ({ data, parentElement }) {
  const { done, field, scrolls } = JSON.parse(data.json);
  const mark = parentElement.querySelector("span");
  const before = mark.dataset.done;
  mark.dataset.done = done;
  // What is there when the page is come to is no news.
  if (!done || before === undefined || before === done) return;
  const here = parentElement.host ?? parentElement;
  if (scrolls) {
    const place = here.closest('[data-testid="stElementContainer"]') ?? here;
    // What is in sight stays where it is.
    if (place.getBoundingClientRect().top > 0.6 * innerHeight) place.scrollIntoView({ block: "center" });
    return;
  }
  if (field) {
    document.querySelector(`[data-testid="stMain"] input[aria-label="${CSS.escape(field)}"]`)?.focus();
    return;
  }
  const box = here.closest("details");
  const focused = document.activeElement;
  // Whoever went elsewhere meanwhile stays there.
  if (box && (focused === document.body || box.contains(focused))) box.querySelector("summary").focus();
}
