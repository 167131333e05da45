// An exercise on two machines, in a course and on a server of its own.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, freePort } from "./server.mjs";
import { Terminal } from "./terminal.mjs";

const TP = readFileSync(new URL("../platform/two-machines.md", import.meta.url));

export async function an_exercise_on_two_machines_shows_both(world) {
  const course = mkdtempSync(join(tmpdir(), "quai-cours-"));
  // It is read by an ordinary user; the data lie on the disk of the others'.
  chmodSync(course, 0o755);
  const data = mkdtempSync(join(world.data, "deux-"));
  chmodSync(data, 0o755);
  mkdirSync(join(course, "01-reseaux/10-deux"), { recursive: true });
  writeFileSync(join(course, "01-reseaux/index.md"), "---\ntitle: Réseaux\n---\n");
  writeFileSync(join(course, "01-reseaux/10-deux/tp.md"), TP);
  symlinkSync(join(world.data, "store"), join(data, "store"));
  const options = ["--content", course];
  const server = new Server(world.quai, data, await freePort(), options);
  const page = await world.context.newPage();
  try {
    await server.start();
    await page.goto(`${server.url}/tp/reseaux/deux`);
    await plays(page, new Terminal(page), world.capture);
  } finally {
    await page.close();
    await server.down();
    for (const folder of [course, data]) rmSync(folder, { recursive: true, force: true });
  }
}

async function plays(page, terminal, capture) {
  const tabs = page.getByRole("tab");
  await terminal.prompt();
  assert.deepEqual(await tabs.allInnerTexts(), ["un · 1×", "deux · 1×"]);
  await tabs.nth(1).click();
  await terminal.see(/root@deux/);
  await terminal.run("clear; touch dit; (while :; do echo bonjour | nc -l -N 9000; done &)");
  await page.locator('#check-dit[data-state="pass"]').waitFor({ timeout: 10_000 });
  assert.equal(await page.locator("#headline").getAttribute("data-state"), "fail");

  await tabs.nth(0).click();
  await terminal.see(/root@un/);
  assert.equal(await terminal.run("clear; nc -d -w 5 deux 9000 >vu"), 0);
  await page.locator('#headline[data-state="pass"]').waitFor({ timeout: 10_000 });
  assert.equal(await page.locator("#passed").textContent(), "2");
  // Ports of both, each said with its machine.
  const link = page.locator('#published a[data-port="9000"]');
  await link.waitFor();
  assert.match(await link.innerText(), /9000 de deux/);
  if (capture) await page.screenshot({ path: capture.replace(/\.png$/, "-deux.png") });

  await page.reload();
  await terminal.prompt();
  assert.deepEqual(await tabs.allInnerTexts(), ["un · 1×", "deux · 1×"]);
  assert.ok(await page.locator("#solved-mark").isVisible());
}
