// What Python is told. Each word has the page run; while it is being left none is said, and once the next one is there
// nobody is left to say it.

// By then a click has started its run, or starts none.
const START_MS = 3000;
const AGAIN_MS = 100;

const telling = {
  listenToClicks() {
    this.clickedAt = -START_MS;
    this.onClick = (event) => {
      if (event.target !== this.root.host) this.clickedAt = performance.now();
    };
    document.addEventListener("click", this.onClick, true);
  },

  forgetClicks() {
    clearTimeout(this.telling);
    this.untold = null;
    document.removeEventListener("click", this.onClick, true);
  },

  // What somebody does is told at once; what the view asks for by itself waits until nothing else is asked.
  tell(name, value, { isAsked = true } = {}) {
    (this.untold ??= new Map()).set(name, { value, isAsked });
    this.tellAll();
  },

  tellAll() {
    clearTimeout(this.telling);
    if (!this.untold?.size) return;
    if (!isLeaving()) {
      for (const [name, { value, isAsked }] of [...this.untold]) {
        if (!isAsked && this.isAnythingRunning()) continue;
        this.untold.delete(name);
        this.setStateValue(name, value);
      }
    }
    if (this.untold.size) this.telling = setTimeout(() => this.tellAll(), AGAIN_MS);
  },

  isAnythingRunning() {
    const state = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
    const isRunning = state !== undefined && state !== "notRunning";
    if (isRunning) this.clickedAt = -START_MS;
    return isRunning || performance.now() - this.clickedAt < START_MS;
  },
};
