// Hints appear with time, counted from the first visit; opening one is the learner's choice.

import { say } from "../sentences";

export function hints(exercise: string): void {
  const all = [...document.querySelectorAll<HTMLDetailsElement>(".hint")];
  if (all.length === 0) return;
  const begun = since(`quai.begun.${exercise}`);
  const wait = document.getElementById("hint-wait");
  const look = () => {
    const elapsed = (Date.now() - begun) / 1000;
    let next = Infinity;
    for (const hint of all) {
      const after = Number(hint.dataset["after"] ?? 0);
      hint.hidden = elapsed < after;
      if (hint.hidden) next = Math.min(next, after - elapsed);
    }
    if (wait) {
      wait.hidden = next === Infinity;
      if (next !== Infinity) wait.textContent = say("hints.next", { minutes: Math.ceil(next / 60) });
    }
    if (next === Infinity) clearInterval(timer);
  };
  const timer = setInterval(look, 1000);
  look();
}

function since(key: string): number {
  const now = Date.now();
  try {
    const stored = Number(localStorage.getItem(key));
    if (stored > 0 && stored <= now) return stored;
    localStorage.setItem(key, String(now));
  } catch {
    // Without storage the count begins with the page.
  }
  return now;
}
