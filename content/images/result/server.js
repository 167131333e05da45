// Le compte des votes : une page, et un flux d'événements qui la tient à jour.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const { Pool } = require("pg");

const base = new Pool({
  host: process.env.POSTGRES_HOST || "db",
  user: process.env.POSTGRES_USER || "postgres",
  password: process.env.POSTGRES_PASSWORD || "",
  database: process.env.POSTGRES_DB || "postgres",
});
base.on("error", (erreur) => console.error("la base s'est déconnectée :", erreur.message));

const page = fs
  .readFileSync(`${__dirname}/index.html`, "utf8")
  .replace("{{a}}", process.env.OPTION_A || "Chats")
  .replace("{{b}}", process.env.OPTION_B || "Chiens");

async function compte() {
  const { rows } = await base.query("SELECT vote, count(*)::int AS voix FROM votes GROUP BY vote");
  const voix = { a: 0, b: 0 };
  for (const ligne of rows) voix[ligne.vote] = ligne.voix;
  return voix;
}

const repondre = (reponse, code, type, texte) => {
  reponse.writeHead(code, { "content-type": `${type}; charset=utf-8` });
  reponse.end(texte);
};

const serveur = http.createServer(async (requete, reponse) => {
  if (requete.url === "/") return repondre(reponse, 200, "text/html", page);
  if (requete.url === "/votes") {
    try {
      return repondre(reponse, 200, "application/json", JSON.stringify(await compte()));
    } catch (erreur) {
      return repondre(reponse, 503, "application/json", JSON.stringify({ erreur: erreur.message }));
    }
  }
  return repondre(reponse, 404, "text/plain", "inconnu");
});
serveur.listen(80, () => console.log("prêt"));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
