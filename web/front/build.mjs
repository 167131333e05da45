// Bundles the scripts and style sheets of the pages into dist/, which the executable embeds.
import { existsSync, rmSync } from "node:fs";
import { build } from "esbuild";

const entries = ["page.ts", "checks.ts", "terminal.ts", "style.css"];

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: entries.filter((entry) => existsSync(entry)),
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "eof",
  logLevel: "info",
});
