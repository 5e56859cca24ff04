"""The server as a cluster of one node, which is how KalamDB without cluster settings reports itself.

Read by the health routes, and by `system.cluster` and `system.cluster_groups`.
"""

from __future__ import annotations

import platform

NAME = "sandbox"
NODE_ID = 1
# Raft groups, all led by the only node.
GROUPS = ("meta", "user_data", "shared_data")
TERM = 1
LAST_APPLIED = 1

# Columns of the two views, in the notation of `system_tables`.
VIEWS = {
    "cluster": "cluster_id:Text node_id:BigInt role:Text status:Text rpc_addr:Text api_addr:Text is_self:Boolean "
    "is_leader:Boolean groups_leading:Int total_groups:Int current_term:BigInt:? last_applied_log:BigInt:? "
    "leader_last_log_index:BigInt:? snapshot_index:BigInt:? catchup_progress_pct:SmallInt:? replication_lag:BigInt:? "
    "hostname:Text:? version:Text:? memory_mb:BigInt:? memory_usage_mb:BigInt:? cpu_usage_percent:Float:? "
    "uptime_seconds:BigInt:? uptime_human:Text:? os:Text:? arch:Text:?",
    "cluster_groups": "group_id:BigInt cluster_id:Text node_id:BigInt group_type:Text current_term:BigInt:? "
    "vote:Json:? last_log_index:BigInt:? last_applied:BigInt:? snapshot:BigInt:? purged:BigInt:? committed:BigInt:? "
    "state:Text:? current_leader:BigInt:? millis_since_quorum_ack:BigInt:?",
}


def human(seconds: int) -> str:
    """Return an uptime as the server writes it.

    >>> human(130)
    '2m'
    """
    return f"{seconds // 60}m"


def node_row(address: str, uptime: int, version: str) -> tuple[object, ...]:
    """Return the row of `system.cluster`; memory and load are not measured."""
    return (
        NAME, NODE_ID, "leader", "active", address, address, True, True, len(GROUPS), len(GROUPS), TERM, LAST_APPLIED,
        LAST_APPLIED, None, None, None, NAME, version, None, None, None, uptime, human(uptime),
        platform.system().lower(), platform.machine(),
    )  # fmt: skip


def group_rows() -> list[tuple[object, ...]]:
    """Return the rows of `system.cluster_groups`."""
    return [
        (
            number, NAME, NODE_ID, kind, TERM, None, LAST_APPLIED, LAST_APPLIED, None, None, None, "Leader", NODE_ID, 0,
        )
        for number, kind in enumerate(GROUPS)
    ]  # fmt: skip
