// What is heard: one sound at a time, or one of several versions of it at the same moment.

const ARRIVED_SECONDS = 0.01;
const MOST_ATTEMPTS = 4;
// Versions that are called equally long differ by less.
const SHORTER_SECONDS = 0.05;
const FAILED_MS = 500;
const NO_OUTPUT = "Nothing is heard: the browser has no sound output. The cursor runs all the same.";

const sounding = {
  // Before the sound is there, and once it is gone, its own clock says 0; so it does where it could not go there yet.
  now() {
    if (this.data?.url && this.audio.readyState > 0 && !this.isBound && !this.isBeyond()) this.still = this.audio.currentTime;
    return this.still;
  },

  // Goes to a moment; it is the position from now on, even if the sound comes later.
  goTo(seconds) {
    this.still = seconds;
    if (!this.data.url) return;
    this.isBound = true;
    this.attempts = 0;
    this.audio.currentTime = seconds;
    this.arrive();
  },

  // A browser that cannot seek yet forgets where it was sent: it is sent again once it can.
  arrive() {
    const { audio } = this;
    if (!this.isBound || audio.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const target = Math.min(this.still, audio.duration || this.still);
    const isThere = Math.abs(audio.currentTime - target) <= ARRIVED_SECONDS;
    this.attempts += 1;
    // One that cannot seek at all is not asked for ever.
    this.isBound = !isThere && this.attempts <= MOST_ATTEMPTS;
    if (this.isBound) audio.currentTime = target;
  },

  // Whether the moment lies after the end of the version that is heard: that one stands still there, and is silent.
  isBeyond() {
    return this.isShorter() && this.still > this.audio.duration + SHORTER_SECONDS;
  },

  isShorter() {
    return this.data?.versions.length > 1 && this.audio.duration < this.data.seconds - SHORTER_SECONDS;
  },

  // The shorter of two goes round from its own end: silence until the other ends would be taken for a fault.
  endWords() {
    if (!this.data.url) return "";
    const words = () => `${this.data.versions[this.chosen].name} ends at ${clock(this.audio.duration)}`;
    if (this.isWaiting || this.isBeyond()) return `${words()}.`;
    const [start, end] = this.loopRange();
    const goesRound = this.isLooping() && this.isShorter() && start < this.audio.duration && this.audio.duration < end - SHORTER_SECONDS;
    return goesRound ? `${words()}, and goes round from there.` : "";
  },

  isPlaying() {
    return !this.audio.paused && !this.audio.ended;
  },

  isLooping() {
    return this.find(".loop").getAttribute("aria-pressed") === "true";
  },

  hear(audio) {
    for (const event of ["loadeddata", "canplay", "seeked"]) audio.addEventListener(event, () => this.arrive());
    for (const event of ["play", "pause", "seeked", "loadedmetadata"]) audio.addEventListener(event, () => this.state());
    audio.addEventListener("ended", () => this.ended());
    audio.addEventListener("error", () => this.failed(audio));
  },

  // A browser without a sound output calls that an error, too, and yet runs through the sound.
  failed(audio) {
    const at = audio.currentTime;
    setTimeout(() => {
      if (audio !== this.audio || !this.data?.url) return;
      this.say(audio.currentTime > at ? NO_OUTPUT : "The browser cannot play this sound; the picture still holds.");
    }, FAILED_MS);
  },

  // Takes the place of what is heard, at the same moment, without a gap: the old one plays until the new one can.
  switchTo(url) {
    const next = this.audio.cloneNode();
    const token = (this.switching = {});
    const { playbackRate } = this.audio;
    const change = () => {
      next.oncanplay = next.onseeked = next.onerror = null;
      if (this.switching !== token) return;
      const before = this.audio;
      const wasPlaying = this.isPlaying() || this.isWaiting;
      this.still = this.now();
      this.hear(next);
      before.pause();
      before.replaceWith(next);
      this.audio = next;
      Object.assign(next, { preservesPitch: true, defaultPlaybackRate: playbackRate, playbackRate, volume: before.volume });
      // It went on while the new one was sought; and a shorter one cannot go there.
      Object.assign(this, { isBound: true, attempts: 0 });
      this.arrive();
      if (wasPlaying) this.play();
      before.removeAttribute("src");
      this.state();
    };
    next.oncanplay = () => {
      next.oncanplay = null;
      next.onseeked = change;
      next.currentTime = this.now();
    };
    next.onerror = () => {
      if (this.switching === token) change();
    };
    next.src = url;
    next.load();
  },

  // The versions of one sound, each a button away; A is the first, B the second.
  offer(versions) {
    this.chosen = Math.min(this.chosen ?? 0, Math.max(0, versions.length - 1));
    const box = this.find(".versions");
    box.hidden = versions.length < 2;
    box.replaceChildren(
      ...versions.map(({ name }, index) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = name;
        button.title = `Hear ${name}${index < 2 ? ` (${"AB"[index]})` : ""}`;
        button.setAttribute("aria-pressed", String(index === this.chosen));
        button.addEventListener("click", () => this.choose(index));
        return button;
      }),
    );
  },

  choose(index) {
    const version = this.data.versions[index];
    if (!version || index === this.chosen) return;
    this.chosen = index;
    this.offer(this.data.versions);
    this.switchTo(version.url);
  },

  seek(seconds) {
    this.goTo(clamp(seconds, 0, this.data.seconds));
    if (this.isWaiting) this.play();
    this.follow();
    this.place();
    this.tellMoment();
  },

  // What is shown around the cursor is asked for where the cursor leaves it.
  tellMoment() {
    const { span, canSelect } = this.data;
    const now = this.now();
    const isInside = !span || (now >= span[0] - 0.1 && now <= span[1] + 0.1);
    if (canSelect || isInside || Math.abs(now - (this.told ?? -9)) < 2) return;
    this.told = now;
    this.tell("moment", Number(now.toFixed(1)));
  },

  toggle() {
    if (!this.data?.url) return;
    if (!this.audio.paused) {
      this.audio.pause();
      return;
    }
    if (this.audio.ended && !this.isBeyond()) this.goTo(this.window[0]);
    this.play();
  },

  // A version that has ended would begin anew: it waits until the moment or the version is another.
  play() {
    this.isWaiting = this.isBeyond();
    if (this.isWaiting) this.state();
    else this.audio.play().catch(() => this.say("The browser did not start the sound. Press play again."));
  },

  // Once a frame while it plays; one such loop, however often the sound was sought.
  tick() {
    this.place();
    this.isTicking = this.isPlaying();
    if (!this.isTicking) return;
    const [start, end] = this.loopRange();
    const isOver = this.now() >= end || (this.region && this.now() < start - 0.05);
    if (this.isLooping() && end < this.data.seconds && isOver) this.goTo(start);
    else if (!this.isLooping() && !this.pointers.size) this.follow();
    this.tellMoment();
    requestAnimationFrame(() => this.tick());
  },

  loopRange() {
    return this.region ? [this.region.start, this.region.end] : this.window;
  },

  // Turns the page when the cursor leaves what is shown.
  follow() {
    const [start, end] = this.window;
    const now = this.now();
    if (now >= start - 0.001 && now <= end + 0.001) return;
    this.zoomTo(now, now + (end - start));
  },

  ended() {
    const isBeyond = this.isBeyond();
    if (this.isLooping() && !isBeyond) this.goTo(this.loopRange()[0]);
    if (this.isLooping() || isBeyond) this.play();
    // Another version may go on from here.
    else this.isWaiting = this.isShorter();
    this.state();
  },

  state() {
    const playing = this.isPlaying();
    this.find(".icon").setAttribute("d", playing ? PAUSE : PLAY);
    this.find(".play").setAttribute("aria-label", playing ? "Pause" : "Play");
    if (playing && !this.isTicking) {
      this.isTicking = true;
      requestAnimationFrame(() => this.tick());
    }
    this.place();
  },

  toggleLoop() {
    const button = this.find(".loop");
    button.setAttribute("aria-pressed", String(!this.isLooping()));
  },

  // Where only the speed that is set has room, a click on it sets the next one.
  chooseRate(button) {
    const buttons = [...this.root.querySelectorAll(".rate")];
    const isAlone = buttons.filter((each) => getComputedStyle(each).display !== "none").length === 1;
    const next = buttons[(buttons.indexOf(button) + 1) % buttons.length];
    this.setRate(Number((isAlone ? next : button).dataset.rate));
    if (isAlone) next.focus();
  },

  setVolume(volume) {
    this.audio.volume = volume;
    this.find(".volume").value = volume;
  },

  setRate(rate) {
    this.audio.preservesPitch = true;
    this.audio.defaultPlaybackRate = this.audio.playbackRate = rate;
    for (const each of this.root.querySelectorAll(".rate")) each.setAttribute("aria-pressed", String(Number(each.dataset.rate) === rate));
  },
};
