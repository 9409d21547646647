"""Maximum-likelihood free energies of a whole network, from its edges.

Owns the model: how edges enter, and the gauge. `edges` assembles edges from legs; labels and numbers are validated in
`network_input`, components solved in `network_solution`, results assembled in `network_estimate`.

Given edges a -> b with values d ~ N(f_b - f_a, s^2), the estimate maximises the likelihood of f, as in Xu 2019
(doi:10.1021/acs.jcim.9b00528). Conventions are those of cinnabar: the mean of f over a connected component is zero,
the covariance is the pseudo-inverse of the weighted Laplacian (so relative to that mean, not to a reference ligand),
nodes are in order of first appearance.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

from numpy.typing import ArrayLike

from .absolute_scale import on_absolute_scale
from .network_estimate import ComponentEstimate, Contrasts, NetworkEstimate, assemble
from .network_input import read_network
from .network_solution import solve_components
from .partition import label_components

__all__ = ["MAX_COVARIANCE_NODES", "ComponentEstimate", "Contrasts", "NetworkEstimate", "solve_network"]

#: A full covariance is computed up to this many nodes (3.2 GB); above, only the uncertainties are.
MAX_COVARIANCE_NODES = 20_000


def solve_network(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value: ArrayLike,
    uncertainty: ArrayLike,
    *,
    nodes: Sequence[Hashable] | None = None,
    experimental: Mapping[Hashable, float] | None = None,
    covariance: bool = True,
    references: Collection[Hashable] = (),
) -> NetworkEstimate:
    """Estimate node free energies from measured differences.

    Parameters
    ----------
    node_a, node_b : sequence of hashable, length m
        Labels of the edges' ends.
    value : array_like, shape (m,)
        Measured ``f[b] - f[a]``, kcal/mol.
    uncertainty : array_like, shape (m,)
        Standard errors, kcal/mol; zero means exact (for example, identical ligands).
    nodes : sequence of hashable, optional
        Labels that come first in the result, even without an edge.
    experimental : mapping of label to float, optional
        Experimental free energies, kcal/mol; NaN counts as missing. Each component is shifted so that the mean of its
        estimates over the nodes with experiment equals the mean of their experiments: if all have one, ``MLE +
        mean(experiment)``, the convention of published tables. The shift affects neither uncertainties nor covariance,
        which remain relative to the component's mean.
    covariance : bool
        Whether to compute the full covariance (up to `MAX_COVARIANCE_NODES` nodes). Without it, the uncertainties need
        no dense n by n matrix.
    references : collection of hashable
        Labels of nodes that represent no ligand, from which edges of absolute results start. Values, uncertainties and
        covariance of a component with such a node are absolute, the node itself is zero, and experiment does not shift
        it.

    Returns
    -------
    NetworkEstimate
        Values, uncertainties, fit and notes.

    Raises
    ------
    EstimatorInputError
        If arrays differ in length, a value is not finite, an uncertainty is negative or not finite (the message names
        the edge), a label is given twice in `nodes`, or the network needs more memory than this machine has.

    References
    ----------
    Xu 2019, "Optimal measurement network of pairwise differences", doi:10.1021/acs.jcim.9b00528.

    Examples
    --------
    >>> solve_network(["a", "b"], ["b", "c"], [1.0, 2.0], [0.1, 0.1]).value_kcal_mol.round(6).tolist()
    [-1.333333, -0.333333, 1.666667]
    """
    network = read_network(node_a, node_b, value, uncertainty, nodes)
    full = covariance and network.n_nodes <= MAX_COVARIANCE_NODES
    component = label_components(network.n_nodes, network.tail[network.used], network.head[network.used])
    solution = solve_components(network, component, full=full)
    estimate = assemble(network, solution, experimental, covariance_omitted=covariance and not full)
    return on_absolute_scale(estimate, references)
