"""Answers of the routes that tell about the server: health, cluster, set-up. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kalam_notebook.errors import ProtocolError
from kalam_notebook.wire.answered import text_in, whole_number

__all__ = ["ClusterHealth", "ClusterNode", "Health", "SetupStatus"]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the server is up.

    Attributes:
        status: ``healthy``, or ``up`` when the server answered but tells details to its own machine only.
        version: Server version, or None when it is not told.
        api_version: For example ``v1``, or None.
        build_date: As the server prints it, or None.
    """

    status: str
    version: str | None = None
    api_version: str | None = None
    build_date: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """One node of a cluster.

    Attributes:
        node_id: Number of the node.
        role: ``leader``, ``follower``, ``learner`` or ``candidate``.
        status: ``active``, ``offline``, ``joining``, ``catching_up`` or ``unknown``.
        api_addr: Address without a scheme.
        is_self: Whether it is the node that answered.
        replication_lag: Log entries behind the leader, or None.
    """

    node_id: int
    role: str
    status: str
    api_addr: str
    is_self: bool
    replication_lag: int | None


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """The state of a cluster; a single server is a cluster of one.

    Attributes:
        status: ``healthy``, ``degraded`` or ``unhealthy``.
        version: Server version.
        node_id: The node that answered.
        is_leader: Whether it leads.
        nodes: All nodes.
    """

    status: str
    version: str
    node_id: int
    is_leader: bool
    nodes: tuple[ClusterNode, ...]


@dataclass(frozen=True, slots=True)
class SetupStatus:
    """Whether the server waits for its first set-up.

    Attributes:
        needs_setup: True while root has no password; call ``server_setup`` then.
        message: The server's words.
    """

    needs_setup: bool
    message: str


def parse_health(raw: Mapping[str, Any]) -> Health:
    """Read the answer of ``/v1/api/healthcheck``.

    Raises:
        ProtocolError: It is another one.
    """
    told = (None if raw.get(name) is None else text_in(raw, name) for name in ("version", "api_version", "build_date"))
    return Health(text_in(raw, "status"), *told)


def parse_setup(raw: Mapping[str, Any]) -> SetupStatus:
    """Read the answer of ``/v1/api/auth/status``.

    Raises:
        ProtocolError: It is another one.
    """
    if not isinstance(raw.get("needs_setup"), bool):
        raise ProtocolError("The answer does not tell whether the server waits for its set-up.")
    return SetupStatus(raw["needs_setup"], text_in(raw, "message"))


def parse_cluster(raw: Mapping[str, Any]) -> ClusterHealth:
    """Read the answer of ``/v1/api/cluster/health``.

    Raises:
        ProtocolError: It is another one.
    """
    try:
        nodes = tuple(_node(node) for node in raw["nodes"])
        node_id = whole_number(raw["node_id"])
        is_leader = bool(raw["is_leader"])
    except (KeyError, TypeError, AttributeError):
        raise ProtocolError("The answer is not that of a cluster.") from None
    return ClusterHealth(text_in(raw, "status"), text_in(raw, "version"), node_id, is_leader, nodes)


def _node(raw: Mapping[str, Any]) -> ClusterNode:
    lag = raw.get("replication_lag")
    return ClusterNode(
        whole_number(raw["node_id"]),
        text_in(raw, "role"),
        text_in(raw, "status"),
        text_in(raw, "api_addr"),
        bool(raw["is_self"]),
        None if lag is None else whole_number(lag),
    )
