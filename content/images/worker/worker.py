"""Prend les votes dans Redis, un par un, et tient le compte dans PostgreSQL."""

import json
import os
import signal
import sys
import time

import psycopg2
import redis

TABLE = "CREATE TABLE IF NOT EXISTS votes (electeur text PRIMARY KEY, vote text NOT NULL)"
VOTER = """INSERT INTO votes (electeur, vote) VALUES (%s, %s)
           ON CONFLICT (electeur) DO UPDATE SET vote = excluded.vote"""


def base():
    """Se connecte à la base, qui démarre peut-être encore."""
    while True:
        try:
            connexion = psycopg2.connect(
                host=os.environ.get("POSTGRES_HOST", "db"),
                user=os.environ.get("POSTGRES_USER", "postgres"),
                password=os.environ.get("POSTGRES_PASSWORD", ""),
                dbname=os.environ.get("POSTGRES_DB", "postgres"),
            )
            connexion.autocommit = True
            connexion.cursor().execute(TABLE)
            return connexion
        except psycopg2.OperationalError as erreur:
            print("la base ne répond pas encore :", str(erreur).strip(), flush=True)
            time.sleep(1)


def main():
    """La boucle : un vote qui n'a pas pu être écrit retourne dans la file."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    file_des_votes = redis.Redis(host=os.environ.get("REDIS_HOST", "redis"))
    connexion = base()
    print("prêt", flush=True)
    while True:
        try:
            pris = file_des_votes.blpop("votes", timeout=5)
        except redis.exceptions.ConnectionError as erreur:
            print("la file ne répond pas :", erreur, flush=True)
            time.sleep(1)
            continue
        if pris is None:
            continue
        vote = json.loads(pris[1])
        try:
            connexion.cursor().execute(VOTER, (vote["electeur"], vote["vote"]))
            print("vote compté :", vote["vote"], flush=True)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            file_des_votes.lpush("votes", pris[1])
            connexion = base()


main()
