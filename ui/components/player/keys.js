// Keys, anywhere on the page where no field has the focus; and what is remembered of a view while the tab lives.

// Where letters are typed.
const TYPING = "input:not([type=checkbox]):not([type=radio]):not([type=button]):not([type=range]), textarea, select, [contenteditable=true], [role=gridcell][aria-readonly=false]";
// Where space is the control’s own, and where it is so unless it was clicked.
const CHECKED = "input:not([type=range]):not([type=button]), [role=option], [role=menuitem], [role=checkbox], [role=switch]";
const PRESSED = "button, a, summary, [type=button], [role=button], [role=tab], [role=radio], [data-testid=stDataFrame] *";
// Where arrows are.
const MOVED = "[type=radio], [type=range], [role=radio], [role=tab], [role=option], [role=menuitem], [role=slider], [role=listbox], [role=combobox], [role=dialog] *, [data-testid=stDataFrame] *";

// Whether a pointer was used last; Tab alone leads on by keyboard, and then space presses what it leads to.
let isClicked = false;
document.addEventListener("pointerdown", () => (isClicked = true), true);
document.addEventListener("keydown", ({ key }) => (isClicked &&= key !== "Tab"), true);

// The view that was touched last has the keys.
let active = null;

const keyboard = {
  ownsKeys() {
    return active === this && this.root.host.isConnected;
  },

  takeKeys() {
    active = this;
  },

  listenToKeys() {
    if (!active?.root.host.isConnected) this.takeKeys();
    this.root.addEventListener("pointerdown", () => this.takeKeys());
    this.root.addEventListener("focusin", () => this.takeKeys());
    this.onKey = (event) => this.key(event);
    this.onHide = () => this.remember();
    this.onKeyFirst = (event) => this.keyFirst(event);
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("keydown", this.onKeyFirst, true);
    window.addEventListener("pagehide", this.onHide);
  },

  forgetKeys() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("keydown", this.onKeyFirst, true);
    window.removeEventListener("pagehide", this.onHide);
    if (active === this) active = null;
  },

  // A table and a row of choices would keep the space to themselves.
  keyFirst(event) {
    if (event.key === " " && isClicked) this.key(event);
  },

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !this.data) return;
    if (!active?.root.host.isConnected) this.takeKeys();
    if (!this.ownsKeys()) return;
    const target = event.composedPath()[0];
    const at = target instanceof Element ? target : document.body;
    if (at.matches(TYPING)) return;
    const onSlider = at === this.slider;
    const isMoved = !onSlider && at.matches(MOVED);
    const isPressed = !onSlider && (at.closest(CHECKED) || (!isClicked && at.closest(PRESSED)));
    const step = event.shiftKey ? 10 : 1;
    const move = (seconds) => (isMoved ? null : () => this.seek(this.now() + seconds));
    const onSliderOnly = (seconds) => (onSlider ? () => this.seek(this.now() + seconds) : null);
    const acts = {
      ArrowLeft: move(-step),
      ArrowRight: move(step),
      ArrowDown: onSliderOnly(-step),
      ArrowUp: onSliderOnly(step),
      PageDown: onSliderOnly(-10),
      PageUp: onSliderOnly(10),
      Home: onSlider ? () => this.seek(0) : null,
      End: onSlider ? () => this.seek(this.data.seconds) : null,
      " ": isPressed ? null : () => this.toggle(),
      "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      0: () => this.zoomTo(0, this.data.seconds),
      l: () => this.toggleLoop(),
      i: () => this.mark("start"),
      o: () => this.mark("end"),
      a: () => this.choose(0),
      b: () => this.choose(1),
      "?": () => this.toggleHelp(),
      Escape: this.region ? () => this.dropRegion() : null,
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  },

  toggleHelp() {
    const help = this.find(".help");
    help.hidden = !help.hidden;
    this.find(".keys").setAttribute("aria-expanded", String(!help.hidden));
  },

  // ---- coming back ------------------------------------------------------------------------

  remember() {
    // A view whose place another one has taken knows nothing new.
    if (!this.data || (living.get(this.data.key) ?? this) !== this) return;
    const { window, region, audio } = this;
    const kept = { at: this.now(), window, region, loop: this.isLooping(), rate: audio.playbackRate };
    try {
      sessionStorage.setItem(`genrescope.${this.data.key}`, JSON.stringify(kept));
      // One for all sounds, as on any player.
      sessionStorage.setItem("genrescope.volume", String(this.audio.volume));
    } catch {
      // A browser that keeps nothing still plays.
    }
  },

  recall(data) {
    let kept = null;
    let volume = 1;
    try {
      kept = JSON.parse(sessionStorage.getItem(`genrescope.${data.key}`));
      volume = Number(sessionStorage.getItem("genrescope.volume") ?? 1);
    } catch {
      // As above.
    }
    const [start, end] = kept?.window ?? [0, data.seconds];
    const isWindow = 0 <= start && start < end && end <= data.seconds + 0.001;
    this.window = isWindow ? [start, end] : [0, data.seconds];
    this.goTo(clamp(kept?.at ?? 0, 0, data.seconds));
    this.find(".loop").setAttribute("aria-pressed", String(Boolean(kept?.loop)));
    this.setRate(kept?.rate ?? 1);
    this.setVolume(volume >= 0 && volume <= 1 ? volume : 1);
    if (data.canSelect && !data.region && !data.span) this.recallRegion(kept?.region, data);
  },

  // A page that was loaded anew has not heard of it.
  recallRegion(region, { seconds }) {
    if (!region || !(0 <= region.start && region.start < region.end && region.end <= seconds + 0.001)) return;
    this.find(".select").setAttribute("aria-pressed", "true");
    this.setRegion(region);
    this.tell("region", region, { isAsked: false });
  },
};
