// `quai local` as a test starts, kills and starts it again.
import { spawn } from "node:child_process";
import { createServer } from "node:net";

const PATIENCE = 60_000;

export class Server {
  #quai;
  #data;
  #options;
  #child = null;
  log = "";

  constructor(quai, data, port, options = []) {
    this.#quai = quai;
    this.#data = data;
    this.#options = options;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Starts it, unless it runs, and waits until it says its address. */
  async start() {
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) return;
    const words = ["local", "--port", String(this.port), "--data", this.#data, "--no-open", ...this.#options];
    const child = spawn(this.#quai, words, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`quai local is not ready:\n${this.log}`)), PATIENCE);
      const hear = (bytes) => {
        this.log += bytes;
        if (String(bytes).includes(this.url)) {
          clearTimeout(late);
          resolve();
        }
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.on("error", reject);
      child.on("exit", (code) => {
        clearTimeout(late);
        reject(new Error(`quai local ended with ${code}:\n${this.log}`));
      });
    });
  }

  /** Ends it as a power cut would. */
  kill() {
    return this.#end("SIGKILL");
  }

  /** Ends it as Ctrl-C would. */
  stop() {
    return this.#end("SIGINT");
  }

  /** Ends it, its machines too. */
  async down() {
    await this.stop();
    const down = spawn(this.#quai, ["down", "--data", this.#data], { stdio: "ignore" });
    await new Promise((resolve) => down.once("exit", resolve));
  }

  #end(signal) {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      child.once("exit", resolve);
      child.kill(signal);
    });
  }
}

/** A port that nobody listens on at this moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
