"""HAPI answers a repeated search from memory for a minute: what was just filed or refused would be missing from it."""

import uuid

import httpx
import pytest

from gateway.ehr.client import FhirClient
from gateway.sandbox.fhir import client as sandbox_client
from gateway.sandbox.fhir.remote import RemoteBackend
from tests.hapi.definitions import HapiServer

pytestmark = pytest.mark.hapi


async def test_neither_the_gateway_nor_the_sandbox_is_told_what_hapi_remembers(hapi: HapiServer) -> None:
    patient = f"cached-{uuid.uuid4()}"
    hapi.put({"resourceType": "Patient", "id": patient})
    search = {"url": f"{hapi.base}/Consent", "params": {"patient": patient}}
    remote = RemoteBackend(hapi.base, "http://127.0.0.1:9000/fhir")
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        assert "entry" not in (await http.get(**search)).json()
        hapi.put(
            {
                "resourceType": "Consent",
                "id": f"{patient}-no",
                "status": "active",
                "scope": {"text": "invented"},
                "category": [{"text": "invented"}],
                "patient": {"reference": f"Patient/{patient}"},
                "policyRule": {"text": "invented"},
            }
        )
        assert "entry" not in (await http.get(**search)).json(), "it remembers no more: what is below proves nothing"
        found = await FhirClient(http, hapi.base, timeout_seconds=60).search("Consent", {"patient": patient})
        assert [one["id"] for one in found.matches] == [f"{patient}-no"]
        assert len(await sandbox_client.FhirClient(remote).search("Consent", ("patient", patient))) == 1
    await remote.close()
