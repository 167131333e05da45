// The terminals of an exercise side by side: one tab each, a button for one more.

import { element, say } from "../sentences";
import { Names } from "./names";
import { type Surroundings, View } from "./view";

const READER = "quai.terminal.reader";

export class Tabs implements Surroundings {
  #place: HTMLElement;
  #names: Names;
  #views: View[] = [];
  #tabs = new Map<View, HTMLButtonElement>();
  #sentences = new Map<View, string>();
  #active: View | null = null;
  #list = element("div", { class: "term-tabs", role: "tablist" });
  #status = element("p", { class: "term-status", role: "status" });
  #reader = element("button", { type: "button", class: "term-tool" });
  #panels = element("div", { class: "term-panels" });

  constructor(place: HTMLElement, exercise: string) {
    this.#place = place;
    this.#names = new Names(exercise);
    this.#list.setAttribute("aria-label", say("terminal.tabs"));
    const more = element("button", { type: "button", class: "term-tool" }, "+");
    more.title = say("terminal.new");
    more.setAttribute("aria-label", say("terminal.new"));
    more.addEventListener("click", () => void this.#more());
    this.#reader.textContent = say("terminal.reader");
    this.#reader.setAttribute("aria-pressed", String(readerMode()));
    this.#reader.addEventListener("click", () => this.#toggleReader());
    const hint = element("span", { class: "term-hint" }, say("terminal.leave"));
    const bar = element("div", { class: "term-bar" });
    bar.append(this.#list, more, this.#status, hint, this.#reader);
    place.append(bar, this.#panels);
    this.#list.addEventListener("keydown", (event) => this.#arrow(event));
  }

  async start(): Promise<void> {
    const shown = this.#names.shown;
    for (const name of await this.#names.first()) this.#open(name);
    const first = this.#views.find((view) => view.name === shown) ?? this.#views[0];
    if (first) this.#show(first);
  }

  /** Runs a command in the terminal that is shown. */
  run(command: string): void {
    this.#active?.run(command);
  }

  status(view: View, sentence: string): void {
    this.#sentences.set(view, sentence);
    if (view === this.#active || !this.#active) this.#status.textContent = sentence;
  }

  leave(view: View): void {
    this.#tabs.get(view)?.focus();
  }

  closed(view: View): void {
    this.#forget(view);
    view.dispose();
  }

  async #more(): Promise<void> {
    const name = await this.#names.add();
    if (!name) {
      this.#status.textContent = say("terminal.too-many");
      return;
    }
    this.#show(this.#open(name));
    this.#active?.focus();
  }

  #open(name: string): View {
    const id = `terminal-${name}`;
    const panel = element("div", {
      class: "term-panel",
      id,
      role: "tabpanel",
      "aria-label": say("terminal.tab", { name }),
    });
    panel.hidden = this.#active !== null;
    this.#panels.append(panel);

    const tab = element("button", { type: "button", role: "tab", "aria-controls": id });
    tab.title = say("terminal.leave");
    tab.append(element("span", {}, say("terminal.tab", { name })));
    const cross = element("span", { class: "term-close", "aria-hidden": "true" }, "×");
    cross.title = say("terminal.close");
    tab.append(cross);
    this.#list.append(tab);

    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const address = `${scheme}//${location.host}${this.#place.dataset["href"]}/${name}`;
    const view = new View(name, address, panel, this, readerMode());
    tab.addEventListener("click", (event) => {
      if (event.target === cross) this.#close(view);
      else {
        this.#show(view);
        view.focus();
      }
    });
    tab.addEventListener("keydown", (event) => {
      if (event.key === "Delete") this.#close(view);
    });
    this.#views.push(view);
    this.#tabs.set(view, tab);
    this.#show(this.#active ?? view);
    return view;
  }

  #show(view: View): void {
    this.#active = view;
    this.#names.shown = view.name;
    for (const [other, tab] of this.#tabs) {
      const shown = other === view;
      other.panel.hidden = !shown;
      tab.setAttribute("aria-selected", String(shown));
      tab.tabIndex = shown ? 0 : -1;
    }
    this.#status.textContent = this.#sentences.get(view) ?? "";
    view.refit();
  }

  #close(view: View): void {
    view.close();
    this.#forget(view);
  }

  #forget(view: View): void {
    this.#names.remove(view.name);
    this.#tabs.get(view)?.remove();
    this.#tabs.delete(view);
    this.#sentences.delete(view);
    this.#views = this.#views.filter((other) => other !== view);
    if (this.#active !== view) return;
    this.#active = null;
    const next = this.#views.at(-1);
    if (next) {
      this.#show(next);
      this.#tabs.get(next)?.focus();
    } else void this.#more();
  }

  #arrow(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.#active) return;
    const place = this.#views.indexOf(this.#active) + step;
    const next = this.#views.at(place % this.#views.length);
    if (!next) return;
    event.preventDefault();
    this.#show(next);
    this.#tabs.get(next)?.focus();
  }

  #toggleReader(): void {
    const on = !readerMode();
    localStorage.setItem(READER, on ? "on" : "off");
    this.#reader.setAttribute("aria-pressed", String(on));
    for (const view of this.#views) view.readerMode(on);
  }
}

function readerMode(): boolean {
  return localStorage.getItem(READER) === "on";
}
