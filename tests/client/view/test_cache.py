"""The bounded store of tiles."""

from histoserve.client.view.cache import OVERHEAD, Cache


def test_the_least_recently_used_goes_first() -> None:
    cache = Cache(2 * (OVERHEAD + 10))
    cache.put("a", b"a" * 10)
    cache.put("b", b"b" * 10)
    cache.get("a")
    cache.put("c", b"c" * 10)

    assert [cache.get(key) for key in "abc"] == [b"a" * 10, None, b"c" * 10]


def test_it_never_holds_more_than_it_may() -> None:
    cache = Cache(5000)
    for number in range(500):
        cache.put(number % 7, bytes(number * 13))
        assert cache.size <= 5000
    cache.put("huge", bytes(6000))

    assert (cache.get("huge"), cache.size) == (None, 0)
