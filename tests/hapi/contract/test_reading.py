"""Read, vread, history: what comes back, with which headers."""


async def test_read_gives_the_resource_with_its_version(server, patient):
    reply = await server.get(f"Patient/{patient['id']}")
    assert reply.status_code == 200
    assert reply.headers["content-type"].lower().startswith("application/fhir+json")
    assert reply.headers["etag"] == 'W/"1"'
    assert reply.headers["last-modified"].endswith("GMT")
    assert reply.json()["meta"]["versionId"] == "1"
    assert reply.json()["birthDate"] == "1990-01-31"


async def test_head_gives_the_headers_only(server, patient):
    reply = await server.ask("HEAD", f"Patient/{patient['id']}")
    assert reply.status_code == 200
    assert reply.headers["etag"] == 'W/"1"'
    assert reply.content == b""


async def test_read_of_an_unknown_id_is_404(server):
    await server.refusal(await server.get(f"Patient/none-{server.tag}"), 404)


async def test_read_of_an_unknown_type_is_404(server):
    await server.refusal(await server.get("Nonsense/1"), 404)


async def test_read_of_an_id_that_is_none_is_404(server):
    await server.refusal(await server.get("Patient/a_b"), 404)


async def test_read_takes_no_search_parameters(server, patient):
    await server.refusal(await server.get(f"Patient/{patient['id']}?bogus=1"), 400)


async def test_read_takes_a_format(server, patient):
    assert (await server.get(f"Patient/{patient['id']}?_format=json")).status_code == 200


async def test_read_with_the_known_etag_is_304(server, patient):
    reply = await server.get(f"Patient/{patient['id']}", If_None_Match='W/"1"')
    assert reply.status_code == 304
    assert reply.content == b""


async def test_read_of_what_did_not_change_since_is_304(server, patient):
    reply = await server.get(f"Patient/{patient['id']}", If_Modified_Since="Mon, 01 Jan 2091 00:00:00 GMT")
    assert reply.status_code == 304


async def test_vread_gives_the_version_asked_for(server, patient):
    await server.ask("PUT", f"Patient/{patient['id']}", patient | {"gender": "other"})
    first = await server.get(f"Patient/{patient['id']}/_history/1")
    second = await server.get(f"Patient/{patient['id']}/_history/2")
    assert (first.json()["gender"], second.json()["gender"]) == ("female", "other")
    assert (first.headers["etag"], second.headers["etag"]) == ('W/"1"', 'W/"2"')


async def test_vread_of_an_unknown_version_is_404(server, patient):
    await server.refusal(await server.get(f"Patient/{patient['id']}/_history/77"), 404)
    await server.refusal(await server.get(f"Patient/{patient['id']}/_history/abc"), 404)


async def test_history_lists_all_versions_newest_first(server, patient):
    await server.ask("PUT", f"Patient/{patient['id']}", patient | {"gender": "other"})
    bundle = (await server.get(f"Patient/{patient['id']}/_history")).json()
    assert (bundle["type"], bundle["total"]) == ("history", 2)
    assert [entry["resource"]["meta"]["versionId"] for entry in bundle["entry"]] == ["2", "1"]
    assert [entry["request"]["method"] for entry in bundle["entry"]] == ["PUT", "POST"]
    assert [entry["response"]["etag"] for entry in bundle["entry"]] == ['W/"2"', 'W/"1"']


async def test_history_takes_a_count(server, patient):
    await server.ask("PUT", f"Patient/{patient['id']}", patient | {"gender": "other"})
    bundle = (await server.get(f"Patient/{patient['id']}/_history?_count=1")).json()
    assert (bundle["total"], len(bundle["entry"])) == (2, 1)


async def test_history_of_an_unknown_id_is_404(server):
    await server.refusal(await server.get(f"Patient/none-{server.tag}/_history"), 404)


async def test_binary_comes_as_itself_or_as_a_resource(server):
    stored = await server.create({"resourceType": "Binary", "contentType": "text/plain", "data": "aGVsbG8="})
    raw = await server.get(f"Binary/{stored['id']}", Accept="*/*")
    assert (raw.content, raw.headers["content-type"].split(";")[0]) == (b"hello", "text/plain")
    assert raw.headers["content-disposition"].lower().startswith("attachment")
    assert (await server.get(f"Binary/{stored['id']}")).json()["data"] == "aGVsbG8="


async def test_binary_may_be_created_from_its_content(server):
    reply = await server.ask("POST", "Binary", b"hello", Content_Type="text/plain")
    assert reply.status_code == 201
    stored = await server.get(reply.headers["location"])
    assert stored.json()["data"] == "aGVsbG8="


async def test_capability_statement_is_r4(server):
    statement = (await server.get("metadata")).json()
    assert statement["resourceType"] == "CapabilityStatement"
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["rest"][0]["mode"] == "server"


async def test_capability_statement_names_what_the_gateway_needs(server):
    statement = (await server.get("metadata")).json()
    types = {described["type"]: described for described in statement["rest"][0]["resource"]}
    for type_ in ("Patient", "Encounter", "Consent", "DocumentReference", "Provenance", "AuditEvent", "Binary"):
        codes = {interaction["code"] for interaction in types[type_]["interaction"]}
        assert {"read", "vread", "create", "update", "search-type", "history-instance"} <= codes
        assert types[type_]["conditionalCreate"] is True
    names = {parameter["name"] for parameter in types["DocumentReference"]["searchParam"]}
    assert {"patient", "encounter", "identifier", "relatesto", "type", "date", "status", "_lastUpdated"} <= names


async def test_every_search_parameter_of_the_statement_is_answered(server):
    statement = (await server.get("metadata")).json()
    values = {"date": "2026-01-01", "reference": "x", "token": "x", "string": "x", "uri": "https://example.org/x"}
    for described in statement["rest"][0]["resource"]:
        if not server.is_sandbox and described["type"] != "DocumentReference":
            continue
        for parameter in described["searchParam"]:
            # HAPI lists some of its own that begin with _ (_has, _filter, _source) and need values of their own kind.
            ours = server.is_sandbox or not parameter["name"].startswith("_")
            if ours and parameter["type"] in values:
                query = f"{described['type']}?{parameter['name']}={values[parameter['type']]}"
                assert (await server.get(query)).status_code == 200, query


async def test_the_base_address_alone_is_refused(server):
    await server.refusal(await server.get(server.base), 400, 404)


async def test_an_operation_that_is_not_offered_is_refused(server, patient):
    await server.refusal(await server.get("Patient/$bogus"), 400, 404)
