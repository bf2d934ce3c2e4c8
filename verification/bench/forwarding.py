"""The app that one writes without classifyd: Flask forwards each picture to the model server.

python -m verification.bench.forwarding URL
"""

import logging
import sys
from base64 import b64encode
from wsgiref.types import WSGIApplication

import requests
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server


def forwarding(url: str) -> WSGIApplication:
    """An app that asks the model server at `url` for each picture."""
    app = Flask(__name__)

    @app.post("/classify/resnet")
    def classify() -> Response:
        picture = b64encode(request.files["image"].read()).decode()
        answer = requests.post(
            f"{url}/v1/models/resnet:predict", json={"instances": [{"b64": picture}]}, timeout=30
        )
        return jsonify(classes=answer.json()["predictions"][0]["classes"])

    return app


def main() -> None:
    """Serves until it is killed; prints its address first."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request would slow it down
    server = make_server("127.0.0.1", 0, forwarding(sys.argv[1]), threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
