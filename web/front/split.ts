// The line between statement and terminals: dragged, or moved with the arrow keys.

const KEY = "quai.split";
const LEAST = 25;
const MOST = 75;

/** Makes `splitter` move; the width of what it controls is the page's `--split`. */
export function split(splitter: HTMLElement): void {
  const whole = splitter.parentElement;
  if (!whole) return;

  const move = (percent: number) => {
    const kept = Math.min(MOST, Math.max(LEAST, percent));
    whole.style.setProperty("--split", `${kept}%`);
    splitter.setAttribute("aria-valuenow", String(Math.round(kept)));
    return kept;
  };
  const keep = (percent: number) => localStorage.setItem(KEY, move(percent).toFixed(1));
  const now = () => Number(splitter.getAttribute("aria-valuenow"));

  const stored = Number(localStorage.getItem(KEY));
  if (stored) move(stored);

  splitter.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    splitter.setPointerCapture(event.pointerId);
    splitter.classList.add("dragged");
  });
  splitter.addEventListener("pointermove", (event) => {
    if (!splitter.hasPointerCapture(event.pointerId)) return;
    const box = whole.getBoundingClientRect();
    keep(((event.clientX - box.left) / box.width) * 100);
  });
  splitter.addEventListener("lostpointercapture", () => splitter.classList.remove("dragged"));
  splitter.addEventListener("keydown", (event) => {
    const steps: Record<string, number> = {
      ArrowLeft: now() - 2,
      ArrowRight: now() + 2,
      Home: LEAST,
      End: MOST,
    };
    const target = steps[event.key];
    if (target === undefined) return;
    event.preventDefault();
    keep(target);
  });
}
