// The cases, in the order in which a learner would meet them. They share one browser and one
// server: what one leaves, the next finds.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Terminal } from "./terminal.mjs";
import { an_exercise_on_two_machines_shows_both } from "./two-machines.mjs";

const EXERCISE = "/tp/prise-en-main/mon-premier-conteneur";

/** The page of the first exercise, opened once; faults of its scripts end the case that looks. */
async function exercise(world) {
  if (!world.page) {
    world.page = await world.context.newPage();
    world.faults = watch(world.page);
    await world.page.goto(world.server.url + EXERCISE);
    world.terminal = new Terminal(world.page);
  }
  if (world.failed) {
    // What the last case left may hold this terminal: the next one begins in another.
    world.failed = false;
    await world.server.start();
    await world.page.keyboard.press("Escape");
    await world.page.locator(".term-tabs + .term-tool").click();
  }
  await world.terminal.prompt();
  return world;
}

function watch(page) {
  const faults = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    const offline = /WebSocket connection|ERR_CONNECTION_REFUSED|Failed to load resource/;
    if (message.type() === "error" && !offline.test(message.text())) faults.push(message.text());
  });
  return faults;
}

async function a_page_leads_from_home_to_a_prompt(world) {
  const home = await world.context.newPage();
  const faults = watch(home);
  await home.goto(world.server.url);
  await home.locator('a[href="/cours/prise-en-main"]').first().click();
  await home.locator(`a[href="${EXERCISE}"]`).first().click();
  const began = Date.now();
  world.page = home;
  world.faults = faults;
  world.terminal = new Terminal(home);
  await world.terminal.prompt();
  console.log(`# from the click to the first prompt: ${Date.now() - began} ms`);
  assert.deepEqual(faults, []);
}

async function the_solution_turns_the_checks_green(world) {
  const { page, terminal } = await exercise(world);
  if ((await page.locator('#check-termine[data-state="pass"]').count()) > 0) await reset(world);
  assert.equal(await terminal.run("docker run hello-world"), 0);
  await page.locator('#check-termine[data-state="pass"]').waitFor({ timeout: 10_000 });
  assert.equal(await terminal.run("clear; docker run hello-world | head -4"), 0);
  await page.locator('#check-seconde[data-state="pass"]').waitFor({ timeout: 10_000 });

  await terminal.run(`docker ps -a`);
  await terminal.run(`docker ps -aq | tail -1 | xargs docker inspect --format 'n''om={{.Name}}.'`);
  const [, name] = await terminal.see(/nom=\/?(\w+)\./);
  await page.locator(".question input").fill(name);
  await page.locator(".question button").click();
  await page.locator('.question[data-state="pass"]').waitFor({ timeout: 10_000 });
  await page.locator('#headline[data-state="pass"]').waitFor({ timeout: 10_000 });
  assert.equal(await page.locator("#passed").textContent(), "3");
  if (world.capture) await photograph(world);
}

/** The picture of the README: what a learner would have typed. */
async function photograph({ page, terminal, capture }) {
  await terminal.run("clear");
  await terminal.type("clear; docker run --rm hello-world\n");
  await terminal.see(/fonctionne/);
  await terminal.type("docker ps -a --format 'table {{.Image}}\\t{{.Status}}\\t{{.Names}}'\n");
  await terminal.see(/Exited[\s\S]*# *$/);
  await page.screenshot({ path: capture });
}

/** The machine starts again, as the button promises. */
async function reset({ page, terminal }) {
  await page.locator("#reset").click();
  await page.locator('#reset-dialog button[value="reset"]').click();
  await page.locator('.term-panel:not([hidden])[data-link="offline"]').waitFor({ timeout: 20_000 });
  await page.locator('.term-panel:not([hidden])[data-link="online"]').waitFor({ timeout: 20_000 });
  await terminal.prompt();
}

async function a_reload_finds_the_same_shell_and_the_same_progress(world) {
  const { page, terminal } = await exercise(world);
  await terminal.run("clear; cd /var/log; export AVANT=oui");
  const pid = await terminal.pid();
  const before = await terminal.rows();
  await page.reload();
  await terminal.see(/coquille\d+=/);
  assert.deepEqual(await terminal.rows(), before, "the screen is drawn again");
  assert.equal(await terminal.pid(), pid);
  await terminal.type(`echo "$AVANT"-ici-"$PWD"\n`);
  await terminal.see(/oui-ici-\/var\/log/);
  assert.equal(await page.locator("#passed").textContent(), "3");
}

async function an_editor_survives_kill_9_of_the_server(world) {
  const { page, terminal, server } = await exercise(world);
  await terminal.run("clear; cd");
  const pid = await terminal.pid();
  const letter = `lettre-${process.pid}.txt`;
  await terminal.type(`vi ${letter}\n`);
  await terminal.see(/lettre-\d+\.txt/);
  await terminal.see(/^~$/m);
  await terminal.type("iChère machine,\nje t’écris depuis un éditeur.");
  await terminal.see(/un éditeur\./);
  const before = await terminal.rows();

  await server.kill();
  await page.locator('.term-panel:not([hidden])[data-link="offline"]').waitFor({ timeout: 10_000 });
  await server.start();
  await page.locator('.term-panel:not([hidden])[data-link="online"]').waitFor({ timeout: 20_000 });
  assert.deepEqual(await terminal.rows(), before, "the page that stayed shows the same");

  await server.kill();
  await server.start();
  await page.reload();
  await terminal.see(/un éditeur\./);
  assert.deepEqual(await terminal.rows(), before, "a new page draws the same");

  await terminal.type(" Fin.");
  await terminal.see(/un éditeur\. Fin\./);
  await page.keyboard.press("Escape");
  await terminal.type(":wq\n");
  await terminal.see(new RegExp(`coquille\\d+=${pid}`));
  assert.equal(await terminal.run(`grep -c Fin. ${letter}`), 0);
  assert.equal(await terminal.pid(), pid);
}

async function a_flood_neither_freezes_the_page_nor_delays_ctrl_c(world) {
  const { page, terminal } = await exercise(world);
  for (const flood of ["yes inonde", "cat /dev/urandom"]) {
    await terminal.type(`${flood}\n`);
    await page.waitForTimeout(2000);
    const began = Date.now();
    await page.keyboard.press("Control+c");
    await terminal.type("\nstty sane; printf '\\033c'; echo calme-$((40+2))\n");
    await terminal.see(/calme-42/, 5000);
    const took = Date.now() - began;
    console.log(`# ${flood}: quiet ${took} ms after Ctrl-C`);
    assert.ok(took < 2000, `${took} ms`);
  }
  const heap = await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0);
  assert.ok(heap < 200 * 1024 * 1024, `the page holds ${heap} bytes`);
}

async function two_windows_have_each_their_shell(world) {
  const { page, terminal, context } = await exercise(world);
  const pid = await terminal.pid();
  const second = await context.newPage();
  await second.goto(page.url());
  const other = new Terminal(second);
  await other.prompt();
  assert.notEqual(await other.pid(), pid);
  await other.run("touch /root/partage");
  assert.equal(await terminal.run("ls /root/partage"), 0, "the machine is the same");
  await second.close();
}

async function one_more_terminal_is_a_click_away(world) {
  const { page, terminal } = await exercise(world);
  const pid = await terminal.pid();
  const tabs = page.getByRole("tab");
  const before = await tabs.count();
  await page.locator(".term-tabs + .term-tool").click();
  await tabs.nth(before).waitFor();
  await terminal.prompt();
  assert.equal(await tabs.count(), before + 1);
  assert.notEqual(await terminal.pid(), pid);
  await tabs.last().locator(".term-close").click();
  assert.equal(await tabs.count(), before);
  await terminal.see(new RegExp(`coquille\\d+=${pid}`));
}

async function exit_gives_another_prompt(world) {
  const { page, terminal } = await exercise(world);
  const pid = await terminal.pid();
  await terminal.type("clear; exit\n");
  await page.waitForTimeout(1000);
  await terminal.prompt();
  assert.notEqual(await terminal.pid(), pid);
}

async function a_command_block_runs_only_when_clicked(world) {
  const { page, terminal } = await exercise(world);
  await terminal.run("clear");
  const block = page.locator(".command", { hasText: "docker images" }).first();
  assert.doesNotMatch(await terminal.text(), /REPOSITORY/);
  await block.locator("button").first().click();
  await terminal.see(/REPOSITORY/);
}

async function the_keyboard_can_leave_the_terminal(world) {
  const { page, terminal } = await exercise(world);
  await terminal.focus();
  await page.keyboard.press("Control+Shift+ArrowUp");
  const role = await page.evaluate(() => document.activeElement?.getAttribute("role"));
  assert.equal(role, "tab");
}

async function copy_and_paste_work_and_several_lines_are_asked_about(world) {
  const { page, terminal } = await exercise(world);
  await terminal.run("clear");
  await page.evaluate(() => navigator.clipboard.writeText("echo un-collage-$((1+1))\u001b[201~"));
  await terminal.focus();
  await page.keyboard.press("Control+Shift+v");
  await terminal.see(/echo un-collage/);
  await page.keyboard.press("Enter");
  await terminal.see(/un-collage-2/);

  await terminal.type("cat > /dev/null\n");
  await page.waitForTimeout(300);
  await page.evaluate(() => navigator.clipboard.writeText("ligne 1\nligne 2\n"));
  await page.keyboard.press("Control+Shift+v");
  const dialog = page.locator("dialog.paste-dialog");
  await dialog.waitFor();
  assert.match(await dialog.innerText(), /2 lignes/);
  await page.keyboard.press("Escape");
  assert.doesNotMatch(await terminal.text(), /ligne 1/);
  await terminal.focus();
  await page.keyboard.press("Control+c");
}

async function what_a_program_prints_cannot_act_on_the_page(world) {
  const { page, terminal } = await exercise(world);
  await page.evaluate(() => navigator.clipboard.writeText("intact"));
  const title = await page.title();
  await terminal.run(String.raw`printf '\033]52;c;cGlyYXRl\007\033]0;PIRATE\007\033[6n\033[c\033[21t\033P$q"p\033\\'`);
  await page.waitForTimeout(300);
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "intact");
  assert.equal(await page.title(), title);
  await page.keyboard.press("Control+c");
}

async function a_keystroke_is_echoed_at_once(world) {
  const { page, terminal } = await exercise(world);
  await terminal.run("clear");
  await terminal.focus();
  const times = await page.evaluate(async () => {
    const area = document.querySelector(".term-panel:not([hidden]) .xterm-helper-textarea");
    const rows = document.querySelector(".term-panel:not([hidden]) .xterm-rows");
    const took = [];
    for (let i = 0; i < 100; i++) {
      const began = performance.now();
      const drawn = new Promise((resolve) => {
        const observer = new MutationObserver(() => {
          observer.disconnect();
          resolve();
        });
        observer.observe(rows, { childList: true, subtree: true, characterData: true });
      });
      area.dispatchEvent(new InputEvent("input", { data: "x", inputType: "insertText", composed: true }));
      await Promise.race([drawn, new Promise((resolve) => setTimeout(resolve, 500))]);
      took.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return took.sort((a, b) => a - b);
  });
  console.log(`# key to pixels: median ${times[50].toFixed(1)} ms, p99 ${times[98].toFixed(1)} ms`);
  await page.keyboard.press("Control+c");
  assert.ok(times[50] < 100, `${times[50]} ms`);
}

async function a_shell_out_of_memory_is_followed_by_another(world) {
  const { page, terminal } = await exercise(world);
  const pid = await terminal.pid();
  await terminal.type("clear; printf -v trop '%1500000000s' x\n");
  // Whatever the new shell's number is, it is told by a shell.
  for (let tries = 0; ; tries++) {
    await page.waitForTimeout(1000);
    const now = await terminal.pid().catch(() => pid);
    if (now !== pid) break;
    assert.ok(tries < 5, "the shell is still the same");
  }
}

async function a_machine_that_is_switched_off_comes_back_in_the_same_page(world) {
  const { page, terminal } = await exercise(world);
  await terminal.run("clear; touch /root/reste");
  await terminal.type("poweroff\n");
  await page.locator('.term-panel:not([hidden])[data-link="offline"]').waitFor({ timeout: 20_000 });
  await page.locator('.term-panel:not([hidden])[data-link="online"]').waitFor({ timeout: 20_000 });
  await terminal.prompt();
  assert.equal(await terminal.run("ls /root/reste"), 0, "files stay");
}

async function a_reset_gives_a_new_machine_in_the_same_page(world) {
  const { terminal } = await exercise(world);
  await terminal.run("touch /root/trace");
  const began = Date.now();
  await reset(world);
  console.log(`# from "Recommencer" to the prompt: ${Date.now() - began} ms`);
  assert.notEqual(await terminal.run("ls /root/trace"), 0, "the file is gone");
}

async function a_published_server_opens_on_its_own_origin(world) {
  const { page, terminal, context, server } = await exercise(world);
  await terminal.run("clear; mkdir -p /srv/www; echo '<h1>Servi par un conteneur</h1>' >/srv/www/index.html");
  const link = page.locator('#published a[data-port="8000"]');
  assert.equal(await link.count(), 0);
  await terminal.run("docker run -d --name web -p 8000:80 -v /srv/www:/www busybox httpd -f -h /www");
  await link.waitFor({ timeout: 10_000 });
  const tab = await follow(context, link);
  await tab.getByRole("heading", { name: "Servi par un conteneur" }).waitFor();
  const { host } = new URL(tab.url());
  assert.match(host, new RegExp(`^m-[0-9a-f]{12}-8000\\.localhost:${server.port}$`));
  if (world.capture) {
    await page.screenshot({ path: world.capture.replace(/\.png$/, "-ouvrir.png") });
    await tab.screenshot({ path: world.capture.replace(/\.png$/, "-publie.png") });
  }

  // The page of a learner's container has nothing of the platform: no cookie, no window, no answer.
  assert.deepEqual(await tab.evaluate(attack, { platform: server.url, tp: EXERCISE }), {
    cookie: "",
    opener: null,
    read: "refused",
    reset: "refused",
    socket: "refused",
  });
  // Whoever has the address alone is told, in French, where it is opened.
  await context.clearCookies({ domain: host.split(":")[0] });
  await tab.reload();
  await tab.getByText("s’ouvre depuis la page du TP").waitFor();
  await tab.close();

  const again = await follow(context, link);
  await again.getByRole("heading", { name: "Servi par un conteneur" }).waitFor();
  await terminal.run("clear; docker rm -f web");
  await link.waitFor({ state: "detached", timeout: 10_000 });
  await again.reload();
  await again.getByText("Rien n’écoute sur le port 8000").waitFor();
  if (world.capture) await again.screenshot({ path: world.capture.replace(/\.png$/, "-absent.png") });
  await again.close();
}

async function a_published_websocket_answers(world) {
  const { page, terminal, context } = await exercise(world);
  const program = readFileSync(new URL("../platform/echo.pl", import.meta.url)).toString("base64");
  // Pasted: as keys it would take minutes.
  await terminal.run("clear");
  const line = `echo ${program} | base64 -d >/root/echo.pl; clear`;
  await page.evaluate((text) => navigator.clipboard.writeText(text), line);
  await terminal.focus();
  await page.keyboard.press("Control+Shift+v");
  await terminal.see(/base64 -d/);
  await page.keyboard.press("Enter");
  await terminal.run("setsid -f perl /root/echo.pl 9001 </dev/null >/dev/null 2>&1");
  const link = page.locator('#published a[data-port="9001"]');
  await link.waitFor({ timeout: 10_000 });
  const tab = await follow(context, link);
  const answer = await tab.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://${location.host}/`);
        socket.onopen = () => socket.send("bonjour");
        socket.onmessage = (event) => resolve(event.data);
        socket.onerror = () => reject(new Error("no websocket"));
      }),
  );
  assert.equal(answer, "bonjour");
  await tab.close();
  await terminal.run("clear; pkill -f /root/echo.pl");
  await link.waitFor({ state: "detached", timeout: 10_000 });
}

/** The tab that a link opens, loaded. */
async function follow(context, link) {
  const [tab] = await Promise.all([context.waitForEvent("page"), link.click()]);
  await tab.waitForLoadState();
  return tab;
}

/** What a learner's page tries against the platform; runs in that page. */
async function attack({ platform, tp }) {
  const tried = async (work) => {
    try {
      return await work();
    } catch {
      return "refused";
    }
  };
  const credentials = "include";
  return {
    cookie: document.cookie,
    opener: window.opener,
    read: await tried(async () => (await fetch(platform + tp, { credentials })).status),
    reset: await tried(async () => {
      const answer = await fetch(`${platform}${tp}/recommencer`, { method: "POST", credentials });
      return answer.status;
    }),
    socket: await tried(
      () =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(`${platform.replace("http", "ws")}${tp}/terminal/1`);
          socket.onopen = () => resolve("open");
          socket.onerror = reject;
        }),
    ),
  };
}

async function no_script_failed_and_no_policy_was_broken(world) {
  await exercise(world);
  assert.deepEqual(world.faults, []);
}

export const cases = [
  a_page_leads_from_home_to_a_prompt,
  the_solution_turns_the_checks_green,
  a_reload_finds_the_same_shell_and_the_same_progress,
  an_editor_survives_kill_9_of_the_server,
  a_flood_neither_freezes_the_page_nor_delays_ctrl_c,
  two_windows_have_each_their_shell,
  one_more_terminal_is_a_click_away,
  exit_gives_another_prompt,
  a_command_block_runs_only_when_clicked,
  the_keyboard_can_leave_the_terminal,
  copy_and_paste_work_and_several_lines_are_asked_about,
  what_a_program_prints_cannot_act_on_the_page,
  a_keystroke_is_echoed_at_once,
  a_shell_out_of_memory_is_followed_by_another,
  a_machine_that_is_switched_off_comes_back_in_the_same_page,
  a_reset_gives_a_new_machine_in_the_same_page,
  a_published_server_opens_on_its_own_origin,
  a_published_websocket_answers,
  an_exercise_on_two_machines_shows_both,
  no_script_failed_and_no_policy_was_broken,
];
