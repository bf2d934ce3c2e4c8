"""All parts of a daemon, made from its settings and connected; nothing runs yet."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ulid import ULID

from classifyd.bootstrap.kafka import composer, make_kafka_source, make_relay
from classifyd.bootstrap.models import make_models
from classifyd.core.gate import Limits
from classifyd.core.ports import Health, Results, Service, Source
from classifyd.core.values import Lane, Progress
from classifyd.pipeline.health import Parts
from classifyd.pipeline.housekeeping import Housekeeping
from classifyd.pipeline.model import Model
from classifyd.pipeline.recorder import Recorder
from classifyd.pipeline.relay import Relay
from classifyd.pipeline.tally import Tally
from classifyd.settings import Settings
from classifyd.sources.folder import FolderConfig, FolderSource, ensure_folders
from classifyd.sources.kafka import KafkaSource
from classifyd.store.database import Database


@dataclass(frozen=True, slots=True)
class Interior:
    """What the HTTP API shows and uses."""

    models: Mapping[str, Model]
    results: Results
    health: Health
    limits: Limits
    clock: Callable[[], datetime]
    new_id: Callable[[], str]


Serve = Callable[[Interior], Service]
"""Makes the HTTP service. Raises ConfigurationError when its address is taken."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts by their role; `close` gives back what they hold, after all threads have ended."""

    parts: Parts
    tally: Tally
    database: Database
    recorder: Recorder
    models: Mapping[str, Model]
    folder: FolderSource | None
    kafka: KafkaSource | None
    relay: Relay | None
    http: Service | None
    housekeeping: Housekeeping
    progress: Callable[[], Progress]

    @property
    def sources(self) -> list[Source]:
        return [source for source in (self.folder, self.kafka) if source is not None]

    @property
    def settlers(self) -> list[Service]:
        """The services that carry settlements out: told to stop when everything is settled."""
        mover: list[Service] = [self.folder.mover] if self.folder is not None else []
        return [*self.sources, *mover]

    @property
    def workers(self) -> list[Service]:
        return [worker for model in self.models.values() for worker in (*model.workers, model.watch)]

    @property
    def services(self) -> list[Service]:
        """All services, in the order in which they are started: each finds the ones it needs running."""
        others = [service for service in (self.relay, self.http) if service is not None]
        return [self.recorder, *self.workers, *others, *self.settlers, self.housekeeping]

    def close(self) -> None:
        for model in self.models.values():
            model.close()
        self.database.close()


def assemble(settings: Settings, once: bool, serve: Serve | None) -> Assembly:
    """Makes a daemon's parts. Raises ConfigurationError for whatever forbids a start."""
    with ExitStack() as undo:
        parts, tally = Parts(_now), Tally()
        database = Database.open(settings.database.url, _now)
        undo.callback(database.close)
        recorder = Recorder(
            store=database.store,
            compose=composer(settings.kafka, database.instance),
            part=parts.register("database"),
            tally=tally,
            clock=_now,
            new_id=new_id,
        )
        models = make_models(settings, recorder, parts)
        for model in models.values():
            undo.callback(model.close)
        limits = Limits(settings.limits.max_bytes, settings.limits.max_pixels, settings.limits.max_scans)
        folder = _make_folder_source(settings, models, database, parts, limits, once)
        kafka = make_kafka_source(settings, models, database.instance, parts, limits, _now, once)
        relay = make_relay(settings, database.outbox, recorder, parts)
        http = (
            serve(Interior(models, database.results, parts, limits, _now, new_id))
            if serve is not None
            else None
        )
        progress = _progress(models, folder, kafka, tally)
        housekeeping = Housekeeping(
            intakes=[model.intake for model in models.values()],
            progress=progress,
            tally=tally,
            folders=_measured_folders(settings),
            prune_outbox=recorder.prune_outbox,
            outbox_retention=timedelta(seconds=settings.database.outbox_retention),
            clock=_now,
        )
        undo.pop_all()
    return Assembly(
        parts, tally, database, recorder, models, folder, kafka, relay, http, housekeeping, progress
    )


def new_id() -> str:
    """A ULID above all that this process made before."""
    return str(ULID())


def _now() -> datetime:
    return datetime.now(UTC)


def _make_folder_source(
    settings: Settings,
    models: Mapping[str, Model],
    database: Database,
    parts: Parts,
    limits: Limits,
    once: bool,
) -> FolderSource | None:
    inbox = settings.inbox
    if not inbox.enabled:
        return None
    config = FolderConfig(
        path=inbox.path,
        done=inbox.done,
        failed=inbox.failed,
        recursive=inbox.recursive,
        watch=inbox.watch,
        poll_interval=inbox.poll_interval,
        settle_time=inbox.settle_time,
        incomplete_timeout=inbox.incomplete_timeout,
        rescan_interval=inbox.rescan_interval,
        include=inbox.include,
        ignore=inbox.ignore,
        after=inbox.after,
        create=settings.creates_inbox,
    )
    ensure_folders(config)
    return FolderSource(
        config=config,
        inlet=models[inbox.model].intake.inlet(Lane.BULK),
        ledger=database.ledger,
        instance=database.instance,
        part=parts.register("folder"),
        limits=limits,
        clock=_now,
        once=once,
    )


def _progress(
    models: Mapping[str, Model], folder: FolderSource | None, kafka: KafkaSource | None, tally: Tally
) -> Callable[[], Progress]:
    def progress() -> Progress:
        return Progress(
            waiting=sum(source.waiting for source in (folder, kafka) if source is not None),
            in_flight=sum(model.intake.in_flight for model in models.values()),
            done=tally.done,
            rejected=tally.rejected,
        )

    return progress


def _measured_folders(settings: Settings) -> dict[str, Path]:
    folders = {"database": Path(settings.database.url.removeprefix("sqlite:///")).parent}
    if settings.inbox.enabled:
        folders |= {"inbox": settings.inbox.path, "done": settings.inbox.done}
    return folders
