// node tests/web/bench.mjs --quai PATH --data DIR: what a learner waits for, measured in a real
// Chromium against a real `quai local`. Prints a Markdown table of medians; judges nothing.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { Server, freePort } from "./server.mjs";
import { Terminal } from "./terminal.mjs";

const EXERCISE = "/tp/namespaces/changer-de-nom";
const ROUNDS = 15;
const KEYS = 1000;

const { values } = parseArgs({ options: { quai: { type: "string" }, data: { type: "string" } } });
const server = new Server(values.quai, values.data, await freePort());
const profile = mkdtempSync(join(tmpdir(), "quai-bench-"));
let context;
try {
  await server.start();
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.QUAI_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
    viewport: { width: 1366, height: 768 },
  });
  const page = await context.newPage();
  const fresh = [];
  const warm = [];
  for (let i = 0; i < ROUNDS; i++) {
    fresh.push(await prompt(page));
    warm.push(await prompt(page));
    if (i + 1 < ROUNDS) await reset(page);
  }
  const echo = await echoes(page);
  const memory = idle(values.data);
  console.log(`| what | median | p99 or worst |
|---|---|---|
| click to first prompt, new machine (${ROUNDS}) | ${ms(at(fresh, 0.5))} | ${ms(Math.max(...fresh))} |
| click to first prompt, machine running (${ROUNDS}) | ${ms(at(warm, 0.5))} | ${ms(Math.max(...warm))} |
| key to echo through server and keeper (${KEYS}) | ${ms(at(echo, 0.5))} | ${ms(at(echo, 0.99))} |
| idle machine: private memory of its processes | ${mib(memory.private)} | |
| idle machine: charged to its control group, page cache left out | ${mib(memory.charged)} | |`);
} finally {
  await context?.close();
  await server.stop();
  rmSync(profile, { recursive: true, force: true });
}

/** Milliseconds from the click on the exercise to a prompt that can be read. */
async function prompt(page) {
  await page.goto(`${server.url}/cours/namespaces`);
  const link = page.locator(`a[href="${EXERCISE}"]`).first();
  await link.waitFor();
  const began = performance.now();
  await link.click();
  await new Terminal(page).prompt();
  return performance.now() - began;
}

/** « Recommencer »: the next prompt is that of a new machine. */
async function reset(page) {
  const token = await page.evaluate(async (path) => {
    const answer = await fetch(`${path}/recommencer`, { method: "POST" });
    return answer.status;
  }, EXERCISE);
  if (token >= 400) throw new Error(`the reset answered ${token}`);
}

/** Milliseconds from a key sent to the frame that echoes it, in the page's own socket. */
function echoes(page) {
  return page.evaluate(
    async ({ path, keys }) => {
      const socket = new WebSocket(`${location.origin.replace("http", "ws")}${path}/terminal/mesure?cols=80&rows=24`);
      socket.binaryType = "arraybuffer";
      let heard = () => {};
      socket.onmessage = ({ data }) => {
        const frame = new DataView(data);
        if (frame.getUint8(0) > 1) return;
        const head = frame.getUint8(0) === 0 ? 9 : 13;
        const ack = new DataView(new ArrayBuffer(9));
        ack.setUint8(0, 1);
        const length = frame.getUint8(0) === 0 ? BigInt(data.byteLength - head) : 0n;
        ack.setBigUint64(1, frame.getBigUint64(1) + length);
        socket.send(ack.buffer);
        heard();
      };
      await new Promise((resolve) => (socket.onopen = resolve));
      const type = (text) => socket.send(new Uint8Array([0, ...new TextEncoder().encode(text)]));
      const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
      await pause(1000);
      type("stty -icanon; cat >/dev/null\n");
      await pause(1000);
      const times = [];
      for (let i = 0; i < keys; i++) {
        const echoed = new Promise((resolve) => (heard = resolve));
        const began = performance.now();
        type("x");
        await echoed;
        times.push(performance.now() - began);
        await pause(5);
      }
      socket.send(new Uint8Array([3]));
      await pause(200);
      socket.close();
      return times;
    },
    { path: EXERCISE, keys: KEYS },
  );
}

/** Bytes of the newest machine that nothing else shares. */
function idle(data) {
  const folder = join(data, "machines");
  const keeper = readdirSync(folder)
    .map((name) => join(folder, name, "record.json"))
    .filter((record) => existsSync(record))
    .map((record) => JSON.parse(readFileSync(record, "utf8")))
    .sort((a, b) => b.start_time - a.start_time)[0].pid;
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      parents.set(Number(pid), Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/PPid:\s+(\d+)/)[1]));
    } catch {
      // It has just ended.
    }
  }
  const below = (pid) => pid === keeper || (parents.has(pid) && pid > 1 && below(parents.get(pid)));
  let own = 0;
  for (const pid of parents.keys()) {
    if (!below(pid)) continue;
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    for (const [, kib] of rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm)) own += Number(kib) * 1024;
  }
  return { private: own, charged: charged(keeper) };
}

function charged(keeper) {
  const groups = readFileSync(`/proc/${keeper}/cgroup`, "utf8");
  const v1 = groups.match(/:memory:(.+)\/outer/);
  const v2 = groups.match(/^0::(.+)\/outer/m);
  const folder = v1 ? `/sys/fs/cgroup/memory${v1[1]}` : `/sys/fs/cgroup${v2[1]}`;
  const usage = Number(readFileSync(join(folder, v1 ? "memory.usage_in_bytes" : "memory.current"), "utf8"));
  const stat = readFileSync(join(folder, "memory.stat"), "utf8");
  return usage - Number(stat.match(v1 ? /^total_cache (\d+)/m : /^file (\d+)/m)[1]);
}

function at(times, quantile) {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))];
}

function ms(time) {
  return `${time.toFixed(time < 20 ? 1 : 0)} ms`;
}

function mib(bytes) {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
