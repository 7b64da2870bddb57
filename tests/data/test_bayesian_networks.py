"""Networks with a known law: rows, marginals and entropy against enumeration and against files."""

import gzip
import importlib.metadata
import math

import numpy as np
import pytest

from amd_jax import facts
from amd_jax.data import bayesian_networks
from amd_jax.data.bayesian_networks import CLINIC, Network
from amd_jax.data.reading import bif
from tests import enumeration

TWO = """// a network
network two { property of = "nobody"; }
variable a { type discrete [ 2 ] { yes, "no" }; property position = (1, 2); }
variable b { type discrete [3] { 0-5, >5, ? }; }  /* names of values
are any words */
probability ( b | a ) { (no) 0.2, 0.3, 0.5; (yes) 0.5, 0.5, 0; }
probability ( a ) { table 0.25, 0.75; }
"""


def network(text=CLINIC):
    return Network(tuple(bif.parse(text)))


def test_a_file_becomes_rows_with_a_law(tmp_path):
    path = tmp_path / "two.bif.gz"
    path.write_bytes(gzip.compress(TWO.encode()))
    data = bayesian_networks.of_file(path)
    assert [column.values for column in data.facts.columns] == [("yes", "no"), ("0-5", ">5", "?")]
    law = np.exp(data.log_prob(data.states)).reshape(2, 3)
    np.testing.assert_allclose(law, [[0.125, 0.125, 0], [0.15, 0.225, 0.375]])
    assert data.facts.show(data.rows("test")[0]).startswith("a=")
    assert facts.from_json(data.facts.to_json()) == data.facts
    path.with_suffix("").write_text(TWO)
    assert bayesian_networks.of_file(path.with_suffix("")).entropy == data.entropy


def test_the_clinic_is_what_is_enumerated():
    data = bayesian_networks.clinic()
    log_p = data.log_prob(data.states)
    p = np.exp(log_p)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert -(p[p > 0] @ log_p[p > 0]) == pytest.approx(data.entropy, abs=1e-12)
    assert data.entropy == pytest.approx(5.1398, abs=1e-4)
    x = data.batch(0, 0, 20_000)
    assert x.dtype == np.uint8
    shape = network().sizes
    enumeration.assert_drawn_from(np.ravel_multi_index(x.T.astype(int), shape), p)
    assert "entropy 7.415 bits/row" in data.facts.name
    outside = np.full((2, 8), 3)
    assert (data.log_prob(outside) == -np.inf).all()


@pytest.mark.parametrize("wanted", [(0,), (7,), (5, 1), (2, 3, 4), (4, 0, 7)])
def test_marginals_are_sums_over_all_rows(wanted):
    one = network()
    states = np.indices(one.sizes).reshape(8, -1).T
    law = np.exp(one.log_prob(states)).reshape(one.sizes)
    axes = "abcdefgh"
    expected = np.einsum(f"{axes}->{''.join(axes[i] for i in wanted)}", law)
    np.testing.assert_allclose(one.marginal(wanted), expected, atol=1e-12)


def test_a_wide_network_has_an_entropy_with_an_error(monkeypatch):
    exact = network().entropy()[0]
    monkeypatch.setattr(bayesian_networks, "MOST_CELLS", 20)
    monkeypatch.setattr(bayesian_networks, "DRAWS", 20_000)
    nats, error = network().entropy()
    assert 0 < error < 0.03
    assert abs(nats - exact) < 4 * error
    assert " ± 0.0" in bayesian_networks.data(network(), "wide").facts.name


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("variable a", "variable b", "the variable b is there twice"),
        ("[ 2 ]", "[ 3 ]", r"a has 2 values and not \['3'\]"),
        ("{ yes,", "{ no,", "a needs two values or more that differ"),
        ("(no) 0.2", "(maybe) 0.2", "a has no value maybe, which b names"),
        ("(no) 0.2", "(no, no) 0.2", "b has 1 parents and not 2"),
        ("0.25, 0.75", "0.25, 0.70", "probabilities of a do not add up to 1"),
        ("0.25, 0.75", "0.25", "a has 2 values and 1 probabilities"),
        ("(no) 0.2, 0.3, 0.5;", "", "probabilities of b do not add up to 1 for all parents"),
        ("probability ( a ) { table 0.25, 0.75; }", "", "a has no probabilities"),
        ("( b | a )", "( b | c )", "c has a probability and is no variable"),
        ("( b | a )", "( b , a )", r"the parents of b stand behind a \|"),
        ("(no) 0.2", "table 0.2", r"b has 'table' where \(values of its parents\) would be"),
        ("0.75; }", "0.75", "it ends before ';'"),
        ("discrete [ 2", "real [ 2", "'real' stands where 'discrete' would"),
        ("0.25, 0.75", "a, b", "could not convert string to float"),
        ("network two", "net two", "'net' stands where a variable"),
    ],
)
def test_what_is_no_network_has_one_line(before, after, message, tmp_path):
    path = tmp_path / "wrong.bif"
    path.write_text(TWO.replace(before, after))
    with pytest.raises(ValueError, match=message) as error:
        bayesian_networks.of_file(path)
    assert str(error.value).startswith("A Bayesian network is a BIF file")
    assert "\n" not in str(error.value)


def test_other_files_have_one_line(tmp_path):
    with pytest.raises(ValueError, match="found nothing at"):
        bayesian_networks.of_file(tmp_path / "missing.bif")
    path = tmp_path / "half.bif.gz"
    for content in (b"\x1f\x8bnonsense", b"", b"\xff\xfe", b"variable", b"probability ("):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="half.bif.gz cannot be read"):
            bayesian_networks.of_file(path)
    path.write_bytes(gzip.compress(b" " * 100))
    with pytest.raises(ValueError, match="it has no variable"):
        bayesian_networks.of_file(path)


def test_parents_in_a_circle_are_refused():
    circle = TWO.replace("( a ) { table 0.25", "( a | b ) { default 0.25")
    with pytest.raises(ValueError, match="Parents have no circle; a is in one"):
        network(circle)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "nodes", "bits"),
    [
        ("asia", 8, 3.2274),
        ("child", 20, 17.5948),
        ("insurance", 27, 18.8464),
        ("alarm", 37, 15.0588),
    ],
)
def test_published_networks_have_known_entropies(name, nodes, bits):
    """The files of pgmpy: pip install --no-deps pgmpy."""
    try:
        package = importlib.metadata.distribution("pgmpy")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs the files of pgmpy: pip install --no-deps pgmpy")
    data = bayesian_networks.of_file(
        package.locate_file(f"pgmpy/utils/example_models/{name}.bif.gz")
    )
    assert len(data.facts.columns) == nodes
    assert data.entropy / math.log(2) == pytest.approx(bits, abs=1e-4)
    nats = -data.log_prob(data.rows("test"))
    assert abs(nats.mean() - data.entropy) < 4 * nats.std() / math.sqrt(len(nats))
