// node tests/web/run.mjs --quai PATH --data DIR [--capture FILE]
//
// What a learner does in a real Chromium against a real `quai local`: one line per case, then
// `N passed, N failed, N skipped`. Chromium's profile is new and is removed at the end.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { cases } from "./cases.mjs";
import { Server, freePort } from "./server.mjs";

const CHROMIUM = process.env.QUAI_CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const { values } = parseArgs({
  options: {
    quai: { type: "string" },
    data: { type: "string" },
    capture: { type: "string" },
    only: { type: "string" },
  },
});

function skip(reason) {
  console.log(`SKIP browser: ${reason}`);
  console.log("0 passed, 0 failed, 1 skipped");
  process.exit(0);
}

if (!values.quai || !values.data) {
  console.error("usage: run.mjs --quai PATH --data DIR [--capture FILE] [--only WORD]");
  process.exit(2);
}
if (!existsSync(CHROMIUM)) skip(`${CHROMIUM} is not installed (script/setup test)`);
if (process.getuid() !== 0) skip("`quai local` is started as root");

const server = new Server(values.quai, values.data, await freePort());
const profile = mkdtempSync(join(tmpdir(), "quai-chromium-"));
let passed = 0;
let failed = 0;
let skipped = 0;
let context;
try {
  await server.start();
  context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: FLAGS,
    viewport: { width: 1366, height: 768 },
    locale: "fr-FR",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const world = { server, context, capture: values.capture, quai: values.quai, data: values.data };
  for (const test of cases) {
    const name = test.name;
    if (world.hopeless) {
      skipped++;
      continue;
    }
    if (values.only && !name.includes(values.only)) continue;
    const began = Date.now();
    try {
      await test(world);
      passed++;
      console.log(`ok ${name.replaceAll("_", " ")} (${Date.now() - began} ms)`);
    } catch (error) {
      failed++;
      world.failed = true;
      if (test === cases[0]) world.hopeless = true;
      const lines = String(error.stack).split("\n").filter((line) => line.trim()).slice(0, 30);
      console.log(`not ok ${name.replaceAll("_", " ")}\n  ${lines.join("\n  ")}`);
    }
  }
} catch (error) {
  failed++;
  console.log(`not ok the server and the browser start\n  ${error.stack}`);
} finally {
  await context?.close();
  await server.stop();
  rmSync(profile, { recursive: true, force: true });
}
if (failed > 0) {
  const said = server.log.trim().split("\n").slice(-40);
  console.log(`# the server said:\n#   ${said.join("\n#   ")}`);
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
