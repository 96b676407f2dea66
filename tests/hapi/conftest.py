"""The suite against a real HAPI FHIR server, its base in COUNTERSIGN_HAPI; a plain container with US Core will do."""

import os
from collections.abc import Iterator

import pytest

from tests.hapi.definitions import HapiServer, Unfit, load_definitions


@pytest.fixture(scope="session")
def hapi() -> Iterator[HapiServer]:
    """The server with everything loaded that ``$validate`` needs; one that won't do ends the run with a sentence."""
    server = HapiServer(os.environ["COUNTERSIGN_HAPI"])
    try:
        load_definitions(server)
    except Unfit as unfit:
        pytest.exit(str(unfit), returncode=1)
    yield server
    server.http.close()
