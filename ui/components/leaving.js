// Streamlit runs the page on which a word of the browser was said: one that comes between a click that leads away and
// the next page's first word leads back, or leaves that page empty. So no component speaks while a page is being left.
// Whither is noted where every component finds it, by the drawer, which every page has.

function noteLeaving(path) {
  if (path === null) delete document.documentElement.dataset.genrescopeLeaving;
  else document.documentElement.dataset.genrescopeLeaving = path;
}

function isLeaving() {
  const path = document.documentElement.dataset.genrescopeLeaving;
  return path !== undefined && path !== location.pathname;
}
