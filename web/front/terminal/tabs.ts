// The terminals of an exercise side by side: one tab each, a button for one more.

import { element, say } from "../sentences";
import { Names } from "./names";
import { type Surroundings, View } from "./view";

/** The terminals of one machine; an exercise may have two machines. */
type Room = { host: string | null; names: Names };

const READER = "quai.terminal.reader";

export class Tabs implements Surroundings {
  #place: HTMLElement;
  #rooms: Room[];
  #views: View[] = [];
  #where = new Map<View, Room>();
  #tabs = new Map<View, HTMLButtonElement>();
  #sentences = new Map<View, string>();
  #active: View | null = null;
  #list = element("div", { class: "term-tabs", role: "tablist" });
  #status = element("p", { class: "term-status", role: "status" });
  #reader = element("button", { type: "button", class: "term-tool" });
  #panels = element("div", { class: "term-panels" });

  constructor(place: HTMLElement, exercise: string, hosts: string[]) {
    this.#place = place;
    this.#rooms = hosts.map((host) => ({ host, names: new Names(`${exercise}@${host}`) }));
    if (hosts.length === 0) this.#rooms = [{ host: null, names: new Names(exercise) }];
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
    const shown = this.#rooms[0]?.names.shown;
    for (const room of this.#rooms) {
      for (const name of await room.names.first()) this.#open(room, name);
    }
    const first = this.#views.find((view) => this.#label(view) === shown) ?? this.#views[0];
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

  /** One more terminal, on the machine whose terminal is shown. */
  async #more(room = (this.#active && this.#where.get(this.#active)) ?? this.#rooms[0]): Promise<void> {
    const name = await room?.names.add();
    if (!room || !name) {
      this.#status.textContent = say("terminal.too-many");
      return;
    }
    this.#show(this.#open(room, name));
    this.#active?.focus();
  }

  #label(view: View): string {
    const host = this.#where.get(view)?.host;
    return host ? `${host}-${view.name}` : view.name;
  }

  #open(room: Room, name: string): View {
    const { host } = room;
    const id = host ? `terminal-${host}-${name}` : `terminal-${name}`;
    const words = host ? say("terminal.tab-on", { host, name }) : say("terminal.tab", { name });
    const panel = element("div", {
      class: "term-panel",
      id,
      role: "tabpanel",
      "aria-label": words,
    });
    panel.hidden = this.#active !== null;
    this.#panels.append(panel);

    const tab = element("button", { type: "button", role: "tab", "aria-controls": id });
    tab.title = say("terminal.leave");
    tab.append(element("span", {}, words));
    const cross = element("span", { class: "term-close", "aria-hidden": "true" }, "×");
    cross.title = say("terminal.close");
    tab.append(cross);
    this.#list.append(tab);

    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const base = `${this.#place.dataset["href"]}${host ? `/hote/${host}` : ""}`;
    const address = `${scheme}//${location.host}${base}/terminal/${name}`;
    const view = new View(name, address, panel, this, readerMode());
    this.#where.set(view, room);
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
    const first = this.#rooms[0];
    if (first) first.names.shown = this.#label(view);
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
    const room = this.#where.get(view);
    room?.names.remove(view.name);
    this.#where.delete(view);
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
    } else void this.#more(room);
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
