// The check list and the questions, as the last messages say they are.

import { element, say } from "../sentences";
import type { Item, Message, Round, Why } from "./live";

export class List {
  #count = document.getElementById("passed");
  #headline = document.getElementById("headline");
  #link = document.getElementById("link-state");
  #region = document.getElementById("live");
  #verify = document.getElementById("verify");
  #rows = new Map<string, HTMLElement>();
  #said = "";
  #settled = false;
  #rounds: (Round | undefined)[];
  #first: string | null = null;
  #solved = false;

  /** `machines` watchers say each what is theirs. */
  constructor(page: HTMLElement, machines: number) {
    this.#rounds = Array.from({ length: machines });
    for (const row of page.querySelectorAll<HTMLElement>("[data-check], [data-question]")) {
      this.#rows.set(row.dataset["check"] ?? row.dataset["question"] ?? "", row);
    }
    fold();
    // What is shown while the page loads is not news.
    setTimeout(() => (this.#settled = true), 1500);
  }

  onVerify(verify: () => void): void {
    this.#verify?.addEventListener("click", () => {
      verify();
      this.announce("checks.verifying");
    });
  }

  onAnswer(answer: (id: string, value: string) => void): void {
    for (const [id, row] of this.#rows) {
      if (!(row instanceof HTMLFormElement)) continue;
      row.addEventListener("submit", (event) => {
        event.preventDefault();
        const value = String(new FormData(row).get("value") ?? "").trim();
        if (value === "") return;
        why(row, [{ line: say("checks.sent") }]);
        answer(id, value);
      });
    }
  }

  take(message: Exclude<Message, { kind: "machine" | "ports" }>, machine: number): void {
    if (message.kind === "item") this.#item(message);
    else if (message.kind === "round") {
      this.#rounds[machine] = message;
      this.#round(this.#whole());
    } else {
      this.#rounds.fill(undefined);
      this.#reset();
    }
  }

  /** Age of the last contact, or nothing when all is well. */
  link(seconds: number | null): void {
    if (!this.#link) return;
    this.#link.hidden = seconds === null;
    this.#link.textContent = seconds === null ? "" : say("checks.offline", { seconds });
  }

  /** Says a sentence in the one live region of the page. */
  announce(key: string, values: Record<string, string | number> = {}): void {
    const sentence = say(key, values);
    if (!this.#region || sentence === this.#said) return;
    this.#said = sentence;
    this.#region.textContent = sentence;
  }

  #item(item: Item): void {
    const row = this.#rows.get(item.id);
    if (!row) return;
    const before = row.dataset["state"];
    row.dataset["state"] = item.state;
    const state = row.querySelector(".check-state");
    if (state) state.textContent = say(`state.${item.state}`);
    const answered = row instanceof HTMLFormElement && item.state === "pass";
    why(row, answered ? [{ line: say("checks.right") }] : item.why);
    if (item.state === "pass" && before !== "pass" && this.#settled) {
      row.classList.add("just-passed");
      setTimeout(() => row.classList.remove("just-passed"), 1500);
      this.announce("checks.passed", { text: textOf(row) });
    }
    if (item.id === this.#first) this.#head();
    this.#recount();
  }

  /** What all watchers say together. */
  #whole(): Round {
    const solved = this.#rounds.every((round) => round?.solved);
    const headlines = this.#rounds.map((round) => round?.headline ?? null);
    return { kind: "round", solved, headline: headlines.find((first) => first !== null) ?? null };
  }

  #round(round: Round): void {
    const mark = document.getElementById("solved-mark");
    if (round.solved && mark) mark.hidden = false;
    if (round.solved && this.#settled) this.announce("checks.solved");
    this.#first = round.solved ? null : round.headline;
    this.#solved = round.solved;
    this.#head();
  }

  /** The first item that is not green, with its reasons: they are not repeated in its row. */
  #head(): void {
    for (const [id, row] of this.#rows) row.classList.toggle("is-headline", id === this.#first);
    if (!this.#headline) return;
    const row = this.#first === null ? undefined : this.#rows.get(this.#first);
    this.#headline.hidden = !this.#solved && !row;
    this.#headline.dataset["state"] = this.#solved ? "pass" : (row?.dataset["state"] ?? "pending");
    if (this.#solved) {
      this.#headline.textContent = say("checks.solved");
      return;
    }
    const reasons = row?.querySelector(".check-why, .question-why");
    const copies = [...(reasons?.childNodes ?? [])].map((node) => node.cloneNode(true));
    const title = element("strong", {}, row ? `${textOf(row)}\n` : "");
    this.#headline.replaceChildren(title, ...copies);
  }

  #reset(): void {
    for (const row of this.#rows.values()) {
      row.dataset["state"] = "pending";
      if (row instanceof HTMLFormElement) {
        for (const field of row.querySelectorAll("input")) {
          if (field.type === "radio") field.checked = false;
          else field.value = "";
        }
      }
      why(row, []);
    }
    this.#first = null;
    this.#solved = false;
    this.#head();
    this.#recount();
  }

  #recount(): void {
    const rows = [...this.#rows.values()];
    const passed = rows.filter((row) => row.dataset["state"] === "pass").length;
    if (this.#count) this.#count.textContent = String(passed);
  }
}

function textOf(row: HTMLElement): string {
  const words = row.querySelector(".check-text, label, legend");
  return words?.firstChild?.textContent?.trim() ?? words?.textContent?.trim() ?? "";
}

function why(row: HTMLElement, reasons: Why[]): void {
  const place = row.querySelector<HTMLElement>(".check-why, .question-why");
  if (!place) return;
  place.replaceChildren();
  place.hidden = reasons.length === 0;
  for (const reason of reasons) {
    if (reason.explain) place.append(element("span", { class: "why-explain" }, `${reason.explain}\n`));
    const line = element("span", { class: "why-line" }, `${reason.line}\n`);
    if (reason.source) line.title = reason.source;
    place.append(line);
  }
}

function fold(): void {
  const button = document.getElementById("fold");
  const body = document.getElementById("checks-body");
  if (!button || !body) return;
  button.addEventListener("click", () => {
    body.hidden = !body.hidden;
    button.setAttribute("aria-expanded", String(!body.hidden));
  });
}
