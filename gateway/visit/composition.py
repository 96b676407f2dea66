"""Builds visits: what the fork server loads once, and what each visit's process is given.

``prepare_visits``, ``list_readable`` and ``require_room`` run in the fork server with one thread; ``compose_visit``
inside the visit's own process.
"""

import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
from fastapi import FastAPI

from gateway.capture.whisper import WhisperTranscriber
from gateway.consent.rules import ConsentRules, read_rules
from gateway.consent.wording import Wording, read_wordings
from gateway.ehr.client import FhirClient
from gateway.ehr.site import EhrSite, read_sites
from gateway.errors import ConfigurationError, ModelError
from gateway.models.catalogue import Kind
from gateway.models.installed import InstalledModel, find_installed
from gateway.models.memory import Need, Running, find_shortage, read_available, require_room_for_visit
from gateway.models.slots import ComputeSlots
from gateway.note.draft import ModelDrafter
from gateway.note.drafter import Drafter
from gateway.note.formats import NoteFormat, read_formats
from gateway.note.late import LateDrafter
from gateway.note.llama import LlamaTextModel
from gateway.note.outline import OutlineDrafter
from gateway.note.prompt import PromptSet, read_prompts
from gateway.note.risk import RiskRules, read_risk_rules
from gateway.note.textmodel import Bound
from gateway.note.weights import Weights, load_weights
from gateway.retention import Retention, read_retention
from gateway.settings import Settings
from gateway.visit.api import create_visit_app
from gateway.visit.confinement import list_code, list_gpu_devices
from gateway.visit.door import SocketDoor
from gateway.visit.process import TRIAL_SECONDS, VisitRoom, try_confined
from gateway.visit.stage import Tools
from gateway.visit.workflow import Visit

DOOR_SECONDS = 5.0
WINDOW_ROOM, PLAN_ROOM = 2048, 4096  # tokens: a window is at most some 700, the plan is asked of what fits


@dataclass(frozen=True, slots=True)
class Shared:
    """What all visits share, read once: the site's files and the text model's weights (copy-on-write).

    With layers on a GPU ``weights`` is the model whose weights each visit loads for itself.
    """

    sites: Mapping[str, EhrSite]
    consent_rules: Mapping[str, ConsentRules]
    wordings: Mapping[str, Wording]
    risk_rules: RiskRules
    formats: Mapping[str, NoteFormat]
    prompts: PromptSet
    weights: Weights | InstalledModel | None
    speech: InstalledModel | None
    retention: Retention
    needs: tuple[Need, ...] = ()


def prepare_visits(settings: Settings) -> Shared:
    """Read every file that a visit needs and load the text model's weights; starts no thread.

    Raises:
        ConfigurationError: a file is wrong.
        ModelError: a model's file is damaged, or there is too little memory for it and one visit, or no GPU.
    """
    config, layers = settings.config_dir, settings.gpu_layers
    speech, text = find_installed(settings, Kind.SPEECH), _find_text_model(settings)
    if layers and text is None:
        file = config / "gateway.toml"
        raise ConfigurationError(file, "gpu_layers", "there is no text model to compute; pull one, or set 0")
    needs = tuple(
        model.need.in_each_visit() if layers and model is text else model.need for model in (speech, text) if model
    )
    shared = Shared(
        sites=read_sites(config / "ehrs"),
        consent_rules=read_rules(config / "consent"),
        wordings=read_wordings(config / "consent"),
        risk_rules=read_risk_rules(config / "risk"),
        formats=_read_formats(settings),
        prompts=read_prompts(),
        weights=_load_text_model(text, needs, layers) if text else None,
        speech=speech,
        retention=read_retention(config),
        needs=needs,
    )
    for site in shared.sites.values():
        if site.consent_rules not in shared.consent_rules:
            raise ConfigurationError(
                config / "ehrs" / f"{site.id}.toml",
                "consent_rules",
                f"there is no config/consent/{site.consent_rules}.toml",
            )
    return shared


def require_room(shared: object | None, running: Iterable[Running]) -> None:
    """Ask, before a visit is forked, whether it fits beside those that run and may still take their models' share.

    Raises:
        ModelError: it does not; the sentence is for the clinician who opens it.
    """
    assert isinstance(shared, Shared)
    require_room_for_visit(read_available(), shared.needs, running)


def list_readable(shared: object | None) -> tuple[Path, ...]:
    """The program's code, the speech model, and the text model where it is not loaded by then; no key, no setting."""
    assert isinstance(shared, Shared)
    text = (shared.weights.path,) if isinstance(shared.weights, InstalledModel) else ()
    if shared.speech is None:
        return (*list_code(), *text)
    folder = shared.speech.path
    return (*list_code(), *text, folder, *(file.resolve() for file in folder.iterdir() if file.is_symlink()))


def compose_visit(room: VisitRoom) -> FastAPI:
    """One visit's app, with everything it needs and its only way out: the broker's socket."""
    shared = room.shared
    assert isinstance(shared, Shared)
    site = shared.sites[room.site_id]
    # The broker adds the token and knows the EHR; this client's host is a name for the socket's other end.
    http = httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(room.ehr_socket), verify=False),  # a Unix socket: no CAs to load
        base_url="http://front",
        timeout=httpx.Timeout(DOOR_SECONDS, read=site.timeout_seconds + DOOR_SECONDS),
    )
    threads = room.settings.model_threads
    tools = Tools(
        site=site,
        consent_rules=shared.consent_rules[site.consent_rules],
        wordings=shared.wordings,
        risk_rules=shared.risk_rules,
        formats=shared.formats,
        fhir=FhirClient(http, ehr_base=site.issuer, timeout_seconds=site.timeout_seconds + 1),
        door=SocketDoor(http),
        drafter=_make_drafter(shared, threads, room.settings.gpu_layers),
        tidier=OutlineDrafter(shared.prompts),
        transcriber=WhisperTranscriber(shared.speech, threads) if shared.speech else None,
        slots=ComputeSlots(room.slots) if room.slots else None,
        sound_seconds=shared.retention.sound_minutes * 60,
        now=lambda: datetime.now(UTC),
        new_id=lambda: str(uuid.uuid4()),
        leave=room.leave,
    )
    return create_visit_app(Visit(tools))


def _read_formats(settings: Settings) -> dict[str, NoteFormat]:
    """Every format of the site, the one that a visit begins with first."""
    formats = read_formats(settings.config_dir / "formats")
    first = settings.default_format
    if first not in formats:
        file = settings.config_dir / "gateway.toml"
        raise ConfigurationError(file, "default_format", f"there is no config/formats/{first}.toml")
    return {first: formats.pop(first), **formats}


def _find_text_model(settings: Settings) -> InstalledModel | None:
    if settings.drafter == "outline":
        return None
    installed = find_installed(settings, Kind.TEXT)
    if installed is None and settings.drafter == "model":
        raise ConfigurationError(
            settings.config_dir / "gateway.toml",
            "drafter",
            "no text model is installed; run `countersign models pull`",
        )
    return installed


def _load_text_model(model: InstalledModel, needs: tuple[Need, ...], gpu_layers: int = 0) -> Weights | InstalledModel:
    shortage = find_shortage(read_available(), needs)
    if shortage:
        raise ModelError(
            "model.memory",
            f"This machine has too little memory for {model.name} and one visit ({shortage}): name a smaller "
            'text_model, or set drafter = "outline".',
        )
    if not gpu_layers:
        return load_weights(model.path, model.sha256)
    try_confined(lambda: _try_text_model(model, gpu_layers), (*list_code(), model.path), list_gpu_devices())
    return model


def _try_text_model(model: InstalledModel, gpu_layers: int) -> None:
    """Load it and have it read a word, so that what fails does so at start and not in a visit."""
    text_model = LlamaTextModel(load_weights(model.path, model.sha256, gpu_layers=gpu_layers), 1, WINDOW_ROOM)
    text_model.read("Read.", "One", Bound(threading.Event(), time.monotonic() + TRIAL_SECONDS))
    text_model.close()


def _make_drafter(shared: Shared, threads: int, gpu_layers: int) -> Drafter:
    def make(weights: Weights) -> ModelDrafter:
        window, plan = (LlamaTextModel(weights, threads, room) for room in (WINDOW_ROOM, PLAN_ROOM))
        return ModelDrafter(window, shared.prompts, plan_model=plan)

    match shared.weights:
        case None:
            return OutlineDrafter(shared.prompts)
        case InstalledModel(name=name, path=path, sha256=sha256):
            load = partial(load_weights, path, sha256, gpu_layers=gpu_layers)
            return LateDrafter(name, sha256, shared.prompts.sha256, lambda: make(load()))
        case weights:
            return make(weights)
