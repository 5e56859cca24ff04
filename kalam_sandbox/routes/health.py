"""Health routes, for callers on the same machine (protocol/http.md#health)."""

from __future__ import annotations

import time

from aiohttp import web

from kalam_sandbox import cluster as one_node
from kalam_sandbox.routes.answers import SANDBOX, is_local, json_answer

_BUILD_DATE = "2026-05-04 09:00:00 UTC"


def add_health_routes(app: web.Application) -> None:
    """Add `/health`, `/v1/api/healthcheck` and `/v1/api/cluster/health`."""
    started = time.monotonic()
    refuses = app[SANDBOX].options.health_is_local
    version = app[SANDBOX].options.told_version

    async def health(request: web.Request) -> web.Response:
        if refuses and not is_local(request):
            return json_answer({"error": "Access denied. Health endpoint is localhost-only."}, 403)
        return json_answer({"api_version": "v1", "build_date": _BUILD_DATE, "status": "healthy", "version": version})

    async def cluster(request: web.Request) -> web.Response:
        if refuses and not is_local(request):
            return json_answer({"error": "Access denied. Cluster health is localhost-only."}, 403)
        return json_answer(_cluster(request.host, time.monotonic() - started, version))

    app.router.add_get("/health", health, allow_head=False)
    app.router.add_get("/v1/api/healthcheck", health, allow_head=False)
    app.router.add_get("/v1/api/cluster/health", cluster, allow_head=False)


def _cluster(address: str, uptime: float, version: str) -> dict[str, object]:
    """Return the state of a server without cluster settings, which reports itself as a cluster of one."""
    node = {
        "node_id": one_node.NODE_ID,
        "role": "leader",
        "status": "active",
        "api_addr": address,
        "is_self": True,
        "is_leader": True,
        "replication_lag": None,
        "catchup_progress_pct": None,
        "hostname": one_node.NAME,
        "memory_usage_mb": None,
        "cpu_usage_percent": None,
        "uptime_seconds": int(uptime),
        "uptime_human": one_node.human(int(uptime)),
    }
    return {
        "status": "healthy",
        "version": version,
        "build_date": _BUILD_DATE,
        "is_cluster_mode": True,
        "cluster_id": one_node.NAME,
        "node_id": one_node.NODE_ID,
        "is_leader": True,
        "total_groups": len(one_node.GROUPS),
        "groups_leading": len(one_node.GROUPS),
        "current_term": one_node.TERM,
        "last_applied": one_node.LAST_APPLIED,
        "millis_since_quorum_ack": 0,
        "nodes": [node],
    }
