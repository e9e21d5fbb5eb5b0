// Streamlit runs the page on which a word of the browser was said: one that comes between a click that leads away and
// the next page's first word leads back, or leaves that page empty. So no component speaks while a page is being left.
// Whither is noted where every component finds it, by the drawer, which every page has.

const PAGE_LINKS = 'a[data-testid^="stPageLink"]';

// As a link has it: the app's first page has no name, wherever the app lies.
const pageNamed = (link) => link.getAttribute("href").split("?")[0];

function isOnPage(name) {
  const last = location.pathname.replace(/\/$/, "").split("/").pop();
  return name ? last === name : ![...document.querySelectorAll(PAGE_LINKS)].some((link) => last && pageNamed(link) === last);
}

function noteLeaving(name) {
  if (name === null) delete document.documentElement.dataset.genrescopeLeaving;
  else document.documentElement.dataset.genrescopeLeaving = name;
}

function isLeaving() {
  const name = document.documentElement.dataset.genrescopeLeaving;
  return name !== undefined && !isOnPage(name);
}
