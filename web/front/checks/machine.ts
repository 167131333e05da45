// Where the learner's machine stands, in the bar.

import type { Machine } from "./live";

export function machine(message: Machine): void {
  const place = document.getElementById("machine-state");
  const words = place?.querySelector(".words");
  if (!place || !words) return;
  place.dataset["state"] = message.state;
  words.textContent = message.text;
  place.title = message.why ?? "";
}
