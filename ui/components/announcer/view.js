// A live region has to be on the page before it speaks, and to outlive what it speaks of: it hangs on the body.

const ID = "genrescope-announcer";
const UNSEEN = "position:fixed;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";

export default function ({ data }) {
  const { words } = JSON.parse(data.json);
  let region = document.getElementById(ID);
  if (!region) {
    region = document.createElement("div");
    Object.assign(region, { id: ID, style: UNSEEN });
    region.setAttribute("role", "status");
    region.setAttribute("aria-live", "polite");
    document.body.append(region);
  }
  if (region.textContent === words) return;
  // What is there when a region appears is not read.
  setTimeout(() => (region.textContent = words), 100);
}
