// Streamlit closes its own list of pages on a narrow screen, but not one that is made of page links. What is closed it
// moves off the screen, and leaves it to be walked through by keyboard.

const NARROW = "(max-width: 768px)";

export default function () {
  const sidebar = document.querySelector('[data-testid="stSidebar"]');
  if (!sidebar) return () => {};
  const close = (event) => {
    if (sidebar.inert || !event.target.closest("a") || !window.matchMedia(NARROW).matches) return;
    sidebar.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  };
  const bar = () => (sidebar.inert = sidebar.dataset.collapsed === "true");
  const watching = new MutationObserver(bar);
  watching.observe(sidebar, { attributeFilter: ["data-collapsed"] });
  bar();
  sidebar.addEventListener("click", close);
  following();
  return () => {
    watching.disconnect();
    sidebar.removeEventListener("click", close);
  };
}
