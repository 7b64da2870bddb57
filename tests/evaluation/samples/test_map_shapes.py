import itertools

import numpy as np

from amd_jax.evaluation.samples import map_shapes

SMALL = np.array(
    [
        [
            [0, 0, 1],
            [1, 0, 1],
            [1, 1, 0],
        ],
        [
            [2, 2, 2],
            [2, 2, 2],
            [2, 2, 2],
        ],
    ]
)


def test_components_hang_together_by_sides_and_within_a_map():
    # three 0s, a 0 in the corner, two 1s on the right, three 1s on the left; then nine 2s
    assert sorted(map_shapes.component_sizes(SMALL)) == [1, 2, 3, 3, 9]
    numbers = map_shapes.components(SMALL)
    first = numbers[0]
    assert first[0, 0] == first[0, 1] == first[1, 1]
    assert len({first[0, 0], first[0, 2], first[1, 0], first[2, 2], numbers[1, 0, 0]}) == 5


def test_a_component_that_winds_is_one():
    spiral = np.zeros((1, 7, 7), int)
    spiral[0, 0, :] = spiral[0, :, 6] = spiral[0, 6, :] = spiral[0, 2:, 0] = spiral[0, 2, :5] = 1
    spiral[0, 2:5, 4] = 1
    assert spiral.sum() in map_shapes.component_sizes(spiral)


def filled_from(grid, start):
    """The pixels that a flood reaches: a component by its definition."""
    reached, edge = {start}, [start]
    while edge:
        i, j = edge.pop()
        for at in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            inside = 0 <= at[0] < grid.shape[0] and 0 <= at[1] < grid.shape[1]
            if inside and at not in reached and grid[at] == grid[start]:
                reached.add(at)
                edge.append(at)
    return reached


def test_components_are_those_of_a_flood():
    maps = np.random.default_rng(0).integers(-1, 2, (6, 5, 7))
    for grid, numbers in zip(maps, map_shapes.components(maps), strict=True):
        for start in itertools.product(range(5), range(7)):
            same = {(int(i), int(j)) for i, j in np.argwhere(numbers == numbers[start])}
            assert same == filled_from(grid, start)


def test_boundaries_are_a_share_of_neighbours():
    # across: 0|1, 1|0, 0|1, 1|0; down: 0|1, 0|1, 1|0; of 12
    np.testing.assert_allclose(map_shapes.boundaries(SMALL), [7 / 12, 0])
    assert map_shapes.boundaries(np.zeros((2, 1, 1), int)).tolist() == [0, 0]
