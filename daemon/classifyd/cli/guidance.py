"""What a person wants to know once the daemon runs."""

from collections.abc import Iterator

from classifyd.settings import Settings
from classifyd.settings.models import BUNDLED, OnnxModel


def guidance(settings: Settings, url: str | None) -> Iterator[str]:
    """Where pictures go in, where results come out, and what the bundled model does not know. `url` is
    where HTTP is served, or None."""
    if settings.inbox.enabled:
        yield f"Drop pictures into {settings.inbox.path}"
    if settings.kafka.enabled and settings.kafka.input.topic:
        yield f"Produce pictures to the Kafka topic {settings.kafka.input.topic}"
    if url is not None:
        here = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        key = "-H 'Authorization: Bearer KEY' " if settings.http.api_key else ""
        yield f"Send pictures: curl {key}-F image=@cat.jpg {here}/classify/{settings.default_model}"
        yield f"See results: classifyd results list, or {here}/results"
    else:
        yield "See results: classifyd results list"
    bundled = sorted(
        name
        for name, model in settings.models.items()
        if isinstance(model, OnnxModel) and model.path == BUNDLED
    )
    if bundled:
        yield (
            f"The bundled model ({', '.join(bundled)}) knows ten classes, such as cat, dog and airplane; "
            "ImageNet's thousand: classifyd models pull resnet50_v2"
        )
