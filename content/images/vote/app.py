"""Une page, deux choix : chaque vote part dans une file de Redis."""

import json
import os
import secrets
import socket

from flask import Flask, make_response, render_template, request
from redis import Redis

CHOIX = {"a": os.environ.get("OPTION_A", "Chats"), "b": os.environ.get("OPTION_B", "Chiens")}
app = Flask(__name__)
file_des_votes = Redis(host=os.environ.get("REDIS_HOST", "redis"), socket_timeout=5)


@app.route("/", methods=["GET", "POST"])
def page():
    """Montre les choix et enregistre celui qui est envoyé."""
    electeur = request.cookies.get("electeur") or secrets.token_hex(8)
    vote = request.form.get("vote")
    if vote is not None and vote not in CHOIX:
        return "vote inconnu", 400
    if vote:
        file_des_votes.rpush("votes", json.dumps({"electeur": electeur, "vote": vote}))
    reponse = make_response(render_template("index.html", choix=CHOIX, vote=vote, hote=socket.gethostname()))
    reponse.set_cookie("electeur", electeur, httponly=True, samesite="Lax")
    return reponse
