from datetime import UTC, datetime, timedelta

import pytest

from gateway.front.holding import KEY_SECONDS, Holding


class Clock:
    now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def holding(clock):
    names = iter(f"secret-{number}" for number in range(100))
    return Holding(clock, lambda _: next(names))


def test_a_key_is_good_once(holding):
    key = holding.make_key()
    assert not holding.take_key("guess")
    assert holding.take_key(key)
    assert not holding.take_key(key)


def test_a_key_is_good_for_a_minute(holding, clock):
    key = holding.make_key()
    clock.now += timedelta(seconds=KEY_SECONDS)
    assert not holding.take_key(key)


def test_a_second_key_ends_the_first(holding):
    first, second = holding.make_key(), holding.make_key()
    assert not holding.take_key(first)
    assert holding.take_key(second)


@pytest.mark.parametrize("shown", ["", "é", "x" * 10_000])
def test_without_a_key_nothing_is_one(holding, shown):
    assert not holding.take_key(shown)
    assert not holding.is_holder(shown)


def test_whoever_passed_it_on_may_ask_for_it_back_and_nothing_else(holding):
    frame = holding.secret
    holding.pass_on()
    tab = holding.secret
    assert (holding.is_holder(frame), holding.passed_it_on(frame)) == (False, True)
    assert holding.is_holder(tab)
    holding.pass_on()
    assert holding.passed_it_on(tab)
    assert not holding.passed_it_on(frame)
    assert not holding.is_holder(tab)


def test_a_fresh_launch_leaves_nobody_else_a_part_in_it(holding):
    frame, key = holding.secret, holding.make_key()
    holding.pass_on()
    holding.begin_again()
    assert not holding.is_holder(frame)
    assert not holding.passed_it_on(frame)
    assert not holding.take_key(key)


def test_its_repr_shows_no_secret(holding):
    key = holding.make_key()
    assert holding.secret not in repr(holding)
    assert key not in repr(vars(holding))
