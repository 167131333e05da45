// Where the learner's machines stand, in the bar.

import { say } from "../sentences";
import type { Machine } from "./live";

/** The one that most needs to be seen comes first. */
const WORST = ["failed", "stopped", "starting", "absent", "ready"];

export class Machines {
  #last = new Map<string | null, Machine>();

  show(host: string | null, message: Machine): void {
    this.#last.set(host, message);
    const rank = ([, machine]: [string | null, Machine]) => WORST.indexOf(machine.state);
    const [worst] = [...this.#last].sort((a, b) => rank(a) - rank(b));
    const place = document.getElementById("machine-state");
    const words = place?.querySelector(".words");
    if (!worst || !place || !words) return;
    const [name, { state, text, why }] = worst;
    place.dataset["state"] = state;
    words.textContent = name && state !== "ready" ? say("machine.of", { host: name, text }) : text;
    place.title = why ?? "";
  }
}
