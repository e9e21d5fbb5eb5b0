// What Python is told. Streamlit answers each word by running the page that the browser believes to be on: one that
// comes between a click that leads away and the next page's first word leads back, or leaves that page empty. So it
// is kept until the page is there, and then there is nobody left to say it.

const ARRIVAL_MS = 60_000;
// By then a click has started its run, or starts none.
const START_MS = 3000;
const AGAIN_MS = 100;

const telling = {
  listenToLeaving() {
    this.clickedAt = -START_MS;
    this.leaving = null;
    this.onLeave = (event) => {
      const link = event.composedPath().find((at) => at instanceof HTMLAnchorElement && at.dataset.testid?.startsWith("stPageLink"));
      if (link) this.leaving = { path: new URL(link.href).pathname, at: performance.now() };
      else if (event.target !== this.root.host) this.clickedAt = performance.now();
    };
    document.addEventListener("click", this.onLeave, true);
  },

  forgetLeaving() {
    clearTimeout(this.telling);
    this.untold = null;
    document.removeEventListener("click", this.onLeave, true);
  },

  // What somebody does is told at once; what the view asks for by itself waits until nothing else is asked.
  tell(name, value, { isAsked = true } = {}) {
    (this.untold ??= new Map()).set(name, { value, isAsked });
    this.tellAll();
  },

  tellAll() {
    clearTimeout(this.telling);
    if (!this.untold?.size) return;
    if (!this.isLeaving()) {
      for (const [name, { value, isAsked }] of [...this.untold]) {
        if (!isAsked && this.isAnythingRunning()) continue;
        this.untold.delete(name);
        this.setStateValue(name, value);
      }
    }
    if (this.untold.size) this.telling = setTimeout(() => this.tellAll(), AGAIN_MS);
  },

  isLeaving() {
    if (!this.leaving) return false;
    const { path, at } = this.leaving;
    if (path === location.pathname || performance.now() - at > ARRIVAL_MS) this.leaving = null;
    return this.leaving !== null;
  },

  isAnythingRunning() {
    const state = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
    const isRunning = state !== undefined && state !== "notRunning";
    if (isRunning) this.clickedAt = -START_MS;
    return isRunning || performance.now() - this.clickedAt < START_MS;
  },
};
