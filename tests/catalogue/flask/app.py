import os

from flask import Flask

app = Flask(__name__)


@app.route("/")
def page():
    return f"bonjour de {os.getuid()}"
