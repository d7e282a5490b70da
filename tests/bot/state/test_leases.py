from findimg_bot.state.store import Store


def test_one_bot_holds_the_lease_until_it_ends(state_address: str) -> None:
    store = Store(state_address)
    leases = store.leases
    assert leases.hold("work", "a", 60)
    assert not leases.hold("work", "b", 60)
    assert leases.hold("work", "a", -1)
    assert leases.hold("work", "b", 60)
    leases.release("work", "a")
    assert not leases.hold("work", "a", 60)
    leases.release("work", "b")
    assert leases.hold("work", "a", 60)
    store.close()
