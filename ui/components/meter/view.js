// A level meter that asks for the microphone only when its button is pressed, and lets go of it
// after a minute. Nothing is recorded: the samples are measured and forgotten.

const LOWEST_DB = -60;
const QUIET_DB = -30;
const LOUD_DB = -1;
const MAX_SECONDS = 60;
const DENIED = "No microphone: allow it in the browser’s address bar, or plug one in.";
const NO_ACCESS = "This browser gives no microphone here. Open the page as localhost or over https.";
const ASLEEP = "The level cannot be measured here: the browser has no sound output. Recording works all the same.";

class Meter {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.find(".check").onclick = () => (this.context ? this.stop("") : this.start());
    this.warn();
  }

  // Said before anybody presses a button that cannot work: the recorder's own words are cut off.
  async warn() {
    if (!navigator.mediaDevices?.getUserMedia) {
      this.stop(NO_ACCESS);
      return;
    }
    try {
      const permission = await navigator.permissions.query({ name: "microphone" });
      const tell = () => {
        if (this.context) return;
        this.stop(permission.state === "denied" ? DENIED : "");
      };
      permission.onchange = tell;
      tell();
    } catch {
      // Some browsers cannot be asked.
    }
  }

  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      this.stop(NO_ACCESS);
      return;
    }
    try {
      // The browser's speech filters would bend music, and its gain control the very level.
      const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: raw });
    } catch {
      this.stop(DENIED);
      return;
    }
    this.context = new AudioContext();
    this.analyser = new AnalyserNode(this.context, { fftSize: 4096 });
    this.context.createMediaStreamSource(this.stream).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
    this.started = performance.now();
    this.peak = LOWEST_DB;
    this.loudest = LOWEST_DB;
    this.find(".track").hidden = false;
    this.find(".check").textContent = "Stop checking";
    this.find(".check").setAttribute("aria-pressed", "true");
    this.measure();
  }

  measure() {
    if (!this.context) return;
    const seconds = (performance.now() - this.started) / 1000;
    if (seconds > MAX_SECONDS) {
      this.stop("");
      return;
    }
    this.analyser.getFloatTimeDomainData(this.samples);
    const amplitude = this.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const level = Math.max(LOWEST_DB, 20 * Math.log10(amplitude || 1e-6));
    this.peak = Math.max(level, this.peak - 0.4);
    this.loudest = Math.max(level, this.loudest - 0.02);
    const place = (decibels) => `${(100 * (decibels - LOWEST_DB)) / -LOWEST_DB}%`;
    this.find(".fill").style.width = place(level);
    this.find(".peak").style.left = `calc(${place(this.peak)} - 2px)`;
    this.find(".track").setAttribute("aria-valuenow", String(Math.round(level)));
    if (seconds > 0.3) this.judge();
    requestAnimationFrame(() => this.measure());
  }

  judge() {
    let words = "Good level.";
    // Without a sound output its clock stands still, and silence is all that it gives.
    if (this.context.state !== "running") words = ASLEEP;
    else if (this.loudest > LOUD_DB) words = "Too loud: it clips. Turn it down or move away.";
    else if (this.loudest < LOWEST_DB + 5) words = "Nothing is heard. Is this the right microphone?";
    else if (this.loudest < QUIET_DB) words = "Quiet. Move closer if you can.";
    const text = this.find(".words");
    if (text.textContent !== words) text.textContent = words;
  }

  close() {
    this.stop("");
  }

  stop(words) {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.stream = this.context = null;
    this.find(".track").hidden = true;
    this.find(".check").textContent = "Check the level";
    this.find(".check").setAttribute("aria-pressed", "false");
    this.find(".words").textContent = words;
  }
}

export default function ({ parentElement }) {
  lastingOn(parentElement, () => new Meter(parentElement));
  return () => leave(parentElement);
}
