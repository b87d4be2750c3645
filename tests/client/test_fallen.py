"""Which requests may be to blame for a replica's dead stage."""

from histoserve.client.fallen import FORGOTTEN_SECONDS, Fallen


def test_only_what_was_sent_before_a_death_was_known_may_be_its_cause() -> None:
    now = [10.0]
    fallen = Fallen(lambda: now[0])

    assert fallen.fell("a", "m", sent=9.0)
    now[0] = 12.0
    # The other one that was in flight may be, too; the one that came after it cannot.
    assert fallen.fell("a", "m", sent=9.5)
    assert not fallen.fell("a", "m", sent=11.0)
    assert fallen.fell("b", "m", sent=11.0)
    assert fallen.fell("a", "other", sent=11.0)


def test_a_replica_that_answered_since_then_can_die_anew() -> None:
    now = [10.0]
    fallen = Fallen(lambda: now[0])
    fallen.fell("a", "m", sent=9.0)
    now[0] = 20.0

    # Sent before: it had passed the stage already.
    fallen.answered("a", "m", sent=9.5)
    assert not fallen.fell("a", "m", sent=19.0)
    fallen.answered("a", "m", sent=18.0)
    assert fallen.fell("a", "m", sent=19.0)


def test_a_death_is_forgotten_after_a_while() -> None:
    now = [10.0]
    fallen = Fallen(lambda: now[0])
    fallen.fell("a", "m", sent=9.0)
    now[0] += FORGOTTEN_SECONDS + 1

    assert fallen.fell("a", "m", sent=now[0] - 0.5)
