const button = document.querySelector("button.unfold");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", open);
    button.textContent = open ? "Hide all code" : "Show all code";
    document.querySelectorAll("details.code").forEach((fold) => { fold.open = open; });
  });
}
const here = document.querySelector("nav.stages [aria-current]");
if (here) here.closest(".bar").scrollLeft = here.offsetLeft - 24;
