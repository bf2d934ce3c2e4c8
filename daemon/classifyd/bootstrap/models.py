"""The models at work, each with its intake."""

from classifyd.bootstrap.engines import make_classifier
from classifyd.core.batching import Batcher
from classifyd.core.credits import Credits
from classifyd.core.values import Delivery, Lane, Outcome
from classifyd.pipeline.health import Parts
from classifyd.pipeline.intake import Intake
from classifyd.pipeline.model import Model
from classifyd.pipeline.recorder import Recorder
from classifyd.settings import ModelSettings, Settings, TfServingModel

EMBEDDED_REFRESH = 60.0


def make_models(settings: Settings, recorder: Recorder, parts: Parts) -> dict[str, Model]:
    """Every configured model. Raises ConfigurationError when one's files do not fit together."""
    return {name: _make_model(name, settings, recorder, parts) for name in settings.models}


def _make_model(name: str, settings: Settings, recorder: Recorder, parts: Parts) -> Model:
    model = settings.models[name]

    def record(delivery: Delivery, outcome: Outcome) -> None:
        recorder.submit(delivery, outcome, name)

    return Model(
        classifier=make_classifier(name, model),
        engine=model.engine,
        intake=Intake(
            model=name,
            batcher=Batcher(model.max_batch, model.max_batch_bytes),
            lane_credits={
                lane: Credits(settings.intake.max_items, settings.intake.max_bytes) for lane in Lane
            },
            refused=record,
        ),
        record=record,
        part=parts.register(f"model:{name}"),
        concurrency=model.concurrency,
        max_batch=model.max_batch,
        refresh=_refresh(model),
    )


def _refresh(model: ModelSettings) -> float:
    return model.version_refresh if isinstance(model, TfServingModel) else EMBEDDED_REFRESH
