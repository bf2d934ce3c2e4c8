"""What one writes without classifyd: a loop that reads, asks the model server and records nothing.

    python -m verification.bench.straight files URL FOLDER
    python -m verification.bench.straight records URL SERVERS TOPIC OUTPUT GROUP COUNT
    python -m verification.bench.straight embedded MODEL FOLDER

Prints the pictures per second.
"""

import io
import sys
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson
import requests
from kafka import KafkaConsumer, KafkaProducer
from PIL import Image

from classifyd.engines.card import read_card

BATCH = 32


def files(url: str, folder: str) -> float:
    """All files below the folder, in batches of 32."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    started = time.monotonic()
    with requests.Session() as session:
        for start in range(0, len(paths), BATCH):
            _ask(session, url, [path.read_bytes() for path in paths[start : start + BATCH]])
    return len(paths) / (time.monotonic() - started)


def records(url: str, servers: str, topic: str, output: str, group: str, count: str) -> float:
    """The first `count` records of the topic: poll, ask, produce, commit."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=BATCH,
    )
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=0)
    started, left = 0.0, int(count)
    with requests.Session() as session:
        while left > 0:
            polled = [one for found in consumer.poll(1000).values() for one in found]
            if not polled:
                continue
            started = started or time.monotonic()
            predictions = _ask(session, url, [one.value for one in polled])
            sent = [
                producer.send(output, orjson.dumps({"classes": prediction["classes"]}), key=one.key)
                for one, prediction in zip(polled, predictions, strict=True)
            ]
            for future in sent:
                future.get(timeout=30)
            consumer.commit()
            left -= len(polled)
    elapsed = time.monotonic() - started
    consumer.close()
    producer.close()
    return int(count) / elapsed


def embedded(model: str, folder: str) -> float:
    """All files below the folder through ONNX Runtime, decoded whole by Pillow, in batches of 32: once as it
    comes, when its threads spin between their tasks, and once without that. The faster counts: spinning pays
    where nothing else needs the cores."""
    return max(_embedded(model, folder, spinning) for spinning in ("1", "0"))


def _embedded(model: str, folder: str, spinning: str) -> float:
    card = read_card(Path(model))
    assert card.preprocessing is not None, "the bundled model has its preprocessing in its card"
    wanted = card.preprocessing
    height, width = wanted.size
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    session = onnxruntime.InferenceSession(
        Path(model, card.model), options, providers=["CPUExecutionProvider"]
    )
    [given] = session.get_inputs()
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    started = time.monotonic()
    for start in range(0, len(paths), BATCH):
        decoded = []
        for path in paths[start : start + BATCH]:
            with Image.open(io.BytesIO(path.read_bytes())) as picture:
                decoded.append(np.asarray(picture.convert("RGB").resize((width, height), Image.BILINEAR)))
        tensor = (np.stack(decoded).astype(np.float32) - np.float32(wanted.mean)) / np.float32(wanted.std)
        session.run(None, {given.name: tensor})[0].argmax(axis=1)
    return len(paths) / (time.monotonic() - started)


def _ask(session: requests.Session, url: str, pictures: Sequence[bytes]) -> list[dict[str, Any]]:
    instances = [{"b64": b64encode(picture).decode()} for picture in pictures]
    answer = session.post(f"{url}/v1/models/resnet:predict", data=orjson.dumps({"instances": instances}))
    answer.raise_for_status()
    predictions: list[dict[str, Any]] = orjson.loads(answer.content)["predictions"]
    return predictions


if __name__ == "__main__":
    print({"files": files, "records": records, "embedded": embedded}[sys.argv[1]](*sys.argv[2:]))
