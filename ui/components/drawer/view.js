// Streamlit closes its own list of pages on a narrow screen, but not one that is made of page links.

const NARROW = "(max-width: 768px)";

export default function () {
  const sidebar = document.querySelector('[data-testid="stSidebar"]');
  const close = (event) => {
    if (!event.target.closest("a") || !window.matchMedia(NARROW).matches) return;
    sidebar.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  };
  sidebar?.addEventListener("click", close);
  return () => sidebar?.removeEventListener("click", close);
}
