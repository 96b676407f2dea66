"""Order, pages and counts."""

import pytest


@pytest.fixture
async def seven(server):
    """Seven patients' ids, in the order in which they were made."""
    return [
        (await server.create({"resourceType": "Patient", "birthDate": f"1990-01-{number + 1:02}"}))["id"]
        for number in range(7)
    ]


def find_link(bundle, relation):
    return next((link["url"] for link in bundle["link"] if link["relation"] == relation), None)


async def test_pages_together_hold_every_match_once(server, seven):
    bundle = (await server.get(f"Patient?identifier={server.system}|&_count=3")).json()
    pages = [[entry["resource"]["id"] for entry in bundle["entry"]]]
    assert bundle["total"] == 7
    while address := find_link(bundle, "next"):
        assert address.startswith(server.base)
        bundle = (await server.get(address)).json()
        pages.append([entry["resource"]["id"] for entry in bundle["entry"]])
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(id_ for page in pages for id_ in page) == sorted(seven)


async def test_pages_keep_together_while_others_write(server, seven):
    first = (await server.get(f"Patient?identifier={server.system}|&_count=4&_sort=-_lastUpdated")).json()
    await server.create({"resourceType": "Patient"})
    second = (await server.get(find_link(first, "next"))).json()
    ids = [entry["resource"]["id"] for entry in first["entry"] + second["entry"]]
    assert ids == list(reversed(seven))


async def test_the_last_page_has_no_next_link(server, seven):
    bundle = (await server.get(f"Patient?identifier={server.system}|&_count=7")).json()
    assert len(bundle["entry"]) == 7
    assert find_link(bundle, "next") is None


@pytest.mark.parametrize("query", ["_count=0", "_summary=count"])
async def test_a_count_of_none_gives_the_total_alone(server, seven, query):
    bundle = (await server.get(f"Patient?identifier={server.system}|&{query}")).json()
    assert bundle["total"] == 7
    assert "entry" not in bundle


async def test_a_count_that_is_no_number_is_refused(server):
    await server.refusal(await server.get("Patient?_count=x"), 400)


@pytest.mark.parametrize("sort", ["_lastUpdated", "-_lastUpdated", "birthdate", "-birthdate"])
async def test_sort_orders_by_date(server, seven, sort):
    found = await server.find(f"Patient?identifier={server.system}|&_sort={sort}")
    assert found == (list(reversed(seven)) if sort.startswith("-") else seven)


async def test_sort_takes_several(server, seven):
    await server.ask(
        "PUT", f"Patient/{seven[0]}", {"resourceType": "Patient", "id": seven[0], "birthDate": "1990-01-07",
        "identifier": [server.identify("1")]},
    )  # fmt: skip
    found = await server.find(f"Patient?identifier={server.system}|&_sort=-birthdate,_lastUpdated")
    assert found[:2] == [seven[6], seven[0]]


async def test_an_unknown_sort_is_refused(server):
    await server.refusal(await server.get("Patient?_sort=bogus"), 400)


async def test_a_search_without_parameters_lists_the_type(server, seven):
    bundle = (await server.get("Patient?_count=2")).json()
    assert len(bundle["entry"]) == 2
    assert find_link(bundle, "next") is not None
