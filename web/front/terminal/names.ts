// Which terminals of an exercise this page shows.
//
// A reload finds the same shells. A second window of the same exercise gets a shell of its own:
// a name is held through a web lock for as long as the page that shows it lives.

const KNOWN = 16;

export class Names {
  #exercise: string;
  #released = new Map<string, () => void>();

  constructor(exercise: string) {
    this.#exercise = exercise;
  }

  /** The names this page begins with. */
  async first(): Promise<string[]> {
    const mine = read(sessionStorage, this.#key());
    const held: string[] = [];
    for (const name of mine) if (await this.#hold(name, 1000)) held.push(name);
    if (held.length === 0) {
      for (const name of read(localStorage, this.#key())) {
        if (await this.#hold(name, 0)) held.push(name);
      }
    }
    if (held.length === 0) {
      const name = await this.add();
      return name ? [name] : [];
    }
    this.#save();
    return held;
  }

  /** Takes the first free name; `null` when there are too many terminals. */
  async add(): Promise<string | null> {
    for (let number = 1; number <= KNOWN; number++) {
      const name = String(number);
      if (!this.#released.has(name) && (await this.#hold(name, 0))) {
        this.#save();
        return name;
      }
    }
    return null;
  }

  /** The name this page showed last. */
  get shown(): string | null {
    return read(sessionStorage, `${this.#key()}.shown`)[0] ?? null;
  }

  set shown(name: string) {
    write(sessionStorage, `${this.#key()}.shown`, [name]);
  }

  /** Gives a name back: its terminal is closed. */
  remove(name: string): void {
    this.#released.get(name)?.();
    this.#released.delete(name);
    const others = read(localStorage, this.#key()).filter((known) => known !== name);
    write(localStorage, this.#key(), others);
    write(sessionStorage, this.#key(), [...this.#released.keys()]);
  }

  #key(): string {
    return `quai.terminals.${this.#exercise}`;
  }

  #save(): void {
    const mine = [...this.#released.keys()];
    write(sessionStorage, this.#key(), mine);
    const all = new Set([...read(localStorage, this.#key()), ...mine]);
    write(localStorage, this.#key(), [...all]);
  }

  /** Whether the name is ours now; a page that is being reloaded may take `patience` ms to let go. */
  #hold(name: string, patience: number): Promise<boolean> {
    if (!navigator.locks) {
      this.#released.set(name, () => {});
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const given = new AbortController();
      const timer = setTimeout(() => given.abort(), patience || 50);
      const keep = (lock: Lock | null) => {
        clearTimeout(timer);
        if (!lock) return resolve(false);
        resolve(true);
        return new Promise<void>((release) => this.#released.set(name, release));
      };
      const id = `${this.#key()}.${name}`;
      const options = patience > 0 ? { signal: given.signal } : { ifAvailable: true };
      navigator.locks.request(id, options, keep).catch(() => resolve(false));
    });
  }
}

function read(storage: Storage, key: string): string[] {
  try {
    const names: unknown = JSON.parse(storage.getItem(key) ?? "[]");
    const plain = (name: unknown) => typeof name === "string" && /^[\w-]{1,32}$/.test(name);
    return Array.isArray(names) ? names.filter(plain).slice(0, KNOWN) : [];
  } catch {
    return [];
  }
}

function write(storage: Storage, key: string, names: string[]): void {
  try {
    storage.setItem(key, JSON.stringify(names));
  } catch {
    // A browser that forbids storage still has its terminals, until the page is left.
  }
}
