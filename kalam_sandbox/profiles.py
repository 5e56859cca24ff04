"""What later versions of KalamDB do otherwise than 0.4.3: settings by version, each with those of the versions before.

None of these servers was at hand. What each habit rests on, source or documentation, is told in docs/sandbox.md.
"""

from __future__ import annotations

from collections.abc import Mapping

_V0_5: dict[str, object] = {
    "told_version": "0.5.6-rc.1",
    "buffer_small_results": True,
    "mix_time_units": False,
    "sort_under_limit": True,
    "on_conflict": True,
    "login_options": True,
    "latest_offsets": True,
    "claim_consumes": True,
    "groupless_reads": True,
    "any_cursors": True,
    "staff_only_ddl": True,
    "staff_only_shows": True,
    "short_execute_as": True,
    "plain_live_queries": True,
    "refuse_odd_filters": True,
    "tell_leaving": True,
    "page_by_version": True,
}
_V0_7 = _V0_5 | {
    "told_version": "0.7.1",
    "unicode_functions": True,
    "log_versions": True,
    "seek_by_literals_only": True,
    "any_cursors": False,
    "text_cursors": True,
    "version_domains": True,
    "row_policies": True,
    "tell_gaps": True,
    "replay_log": True,
    "refuse_used_ids": True,
    "code_constraints": True,
    "snapshot_at_access": True,
    "refuse_streams_inside": True,
    "commit_rows": 65_536,
    "cancel_abandoned": True,
    "name_users": True,
}
_V0_8 = _V0_7 | {
    "told_version": "0.8.0",
    "create_with_only": True,
    "optional_keys": True,
    "msgpack": False,
    "drop_decimal_sign": False,
    "store_debug_bytes": False,
    "spoil_flushed_columns": False,
    "send_any_type": True,
    "fast_writer": True,
    "announce_elements": True,
    "array_columns": True,
    "more_types": True,
    "sql_limit_bytes": 4_194_304,
}

#: Settings by the version of KalamDB that they make; those of 0.4.3 are the defaults of `Options`.
PROFILES: Mapping[str, Mapping[str, object]] = {"0.4.3": {}, "0.5": _V0_5, "0.7": _V0_7, "0.8": _V0_8}
