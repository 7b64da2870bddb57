import numpy as np
import pytest

from amd_jax.data import dataset, feistel


def order(num_rows, seed=0, epoch=0):
    return feistel.permuted(np.arange(num_rows), num_rows, dataset._keys(seed, epoch))


@pytest.mark.parametrize(
    "sizes",
    [
        [*range(1, 200), *range(200, 5001, 97)],
        pytest.param(range(200, 5001), marks=pytest.mark.slow),
    ],
)
def test_is_a_bijection_of_every_small_number_of_rows(sizes):
    for num_rows in sizes:
        seen = np.bincount(order(num_rows, seed=num_rows), minlength=num_rows)
        assert len(seen) == num_rows, num_rows
        assert (seen == 1).all(), num_rows


@pytest.mark.parametrize("num_rows", [2**18 - 1, 2**18, 2**18 + 1])
def test_is_a_bijection_of_many_rows(num_rows):
    assert (np.bincount(order(num_rows), minlength=num_rows) == 1).all()


def test_a_place_alone_goes_where_it_goes_among_all():
    places = np.array([5, 0, 996, 5])
    keys = dataset._keys(0, 0)
    np.testing.assert_array_equal(feistel.permuted(places, 997, keys), order(997)[places])


def test_rows_beyond_int32_are_reached():
    num_rows = 390_000_000_000
    places = np.linspace(0, num_rows - 1, 1000).astype(np.int64)
    images = feistel.permuted(places, num_rows, dataset._keys(1, 2))
    assert len(np.unique(images)) == 1000
    assert 0 <= images.min() <= images.max() < num_rows
    assert abs(images.mean() / num_rows - 0.5) < 0.05


@pytest.mark.parametrize("places", [[-1], [10], [0, 11]])
def test_a_place_that_is_none_is_refused(places):
    with pytest.raises(ValueError, match=r"Places are in \[0, 10\)"):
        feistel.permuted(np.array(places), 10, dataset._keys(0, 0))


def test_seeds_and_epochs_have_permutations_of_their_own():
    orders = [order(1000, seed, epoch) for seed in range(4) for epoch in range(4)]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert (one == other).sum() < 12  # 1 is expected; more than 11 has p < 1e-8


@pytest.mark.few(1)
@pytest.mark.parametrize("num_rows", [10, 2, 3])
def test_every_place_goes_everywhere_alike(num_rows):
    """χ² of places by images over seeds, against its standard deviation √(2 d)."""
    seeds = 1000
    counts = np.zeros((num_rows, num_rows))
    for seed in range(seeds):
        counts[np.arange(num_rows), order(num_rows, seed)] += 1
    expected = seeds / num_rows
    chi2, degrees = ((counts - expected) ** 2 / expected).sum(), (num_rows - 1) ** 2
    assert abs(chi2 - degrees) < 5 * np.sqrt(2 * degrees) + 3


def test_neighbours_do_not_stay_neighbours():
    images = order(100_000)
    assert np.mean(np.abs(np.diff(images))) == pytest.approx(100_000 / 3, rel=0.02)
    assert abs(np.corrcoef(images[:-1], images[1:])[0, 1]) < 0.02


def test_batches_of_many_rows_take_each_row_once_an_epoch():
    batches = [dataset.epoch_rows(3, step, 7, 40, most_listed=0) for step in range(40)]
    epochs = np.concatenate(batches).reshape(7, 40)
    assert (np.sort(epochs, axis=1) == np.arange(40)).all()
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 7


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_processes_share_the_batch_of_one(processes):
    whole = dataset.epoch_rows(0, 5, 16, 1 << 40)
    size = 16 // processes
    parts = [
        dataset.epoch_rows(0, 5, 16, 1 << 40, slice(i * size, (i + 1) * size))
        for i in range(processes)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_few_rows_keep_the_order_that_runs_have_had():
    """A run that began before there were Feistel networks goes on bit for bit."""
    picked = dataset.epoch_rows(0, 0, 5, 1000)
    np.testing.assert_array_equal(picked, dataset.permutation(0, 0, 1000)[:5])
