"""Every number the sandbox obeys silently, every habit and every fault it has, in one frozen value.

The defaults are those of KalamDB 0.4.3-rc.4; `profiles` has those of later versions. A habit is a lie of
server-truths.md; switched off, the sandbox does what a plain reader expects, so that a repaired server can be played. A
fault is something that no server does by itself, to see what a client makes of it; all are off. Nothing here acts;
routes, guard, engine and socket read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of one sandbox server.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 lets the system choose.
        root_password: Password of ``root``; empty means that the server asks for its first set-up.
        default_query_limit: Rows of a SELECT without LIMIT (truth L1); 0 for all.
        max_query_limit: Rows of a SELECT with LIMIT, at most (truth L2); 0 for all.
        scan_window: Unflushed row versions that a scan reads, oldest first (truth L3); 0 for all.
        query_memory_bytes: Memory of one query; beyond it ``Resources exhausted``.
        queries_per_second: SQL requests per user and second; burst equals rate.
        auth_per_second: Login, refresh and set-up requests per client address and second.
        requests_per_second: Requests per client address and second; loopback is exempt.
        ban_after_refusals: Requests refused for their rate that ban a client address.
        ban_seconds: How long the first ban lasts; a later one is longer.
        request_body_limit_bytes: Largest ``Content-Length`` of any request.
        json_body_limit_bytes: Largest JSON body.
        sql_limit_bytes: Longest SQL of a request.
        file_size_limit_bytes: Largest uploaded file.
        files_per_request: File parts of one upload, at most.
        access_token_seconds: Life of an access token; a refresh token lives seven times as long.
        lock_after_failures: Wrong passwords in a row that lock a login.
        lock_seconds: How long a locked login stays locked.
        topic_visibility_seconds: Time after which an unacknowledged claim of messages is delivered again.
        messages_per_second: WebSocket messages per connection and second.
        subscriptions_per_user: Live queries of one user, at most.
        subscriptions_per_connection: Live queries of one socket, at most.
        auth_timeout: Seconds a socket may wait before it authenticates.
        heartbeat_interval: Seconds between two looks at idle sockets.
        client_timeout: Seconds of silence after which a socket is closed.
        notification_queue: Events that wait for one subscription, at most; later ones are dropped.
        snapshot_buffer: Events kept while a snapshot is being read.
        drop_events: Probability that an event of a live query is not sent.
        double_events: Probability that an event is sent twice.
        swap_events: Probability that an event is sent after the one that follows it.
        late_events: Probability that an event is sent only after ``late_by_events`` others.
        late_by_events: How many events go before one that is late.
        late_by_ms: Milliseconds after which swapped and late events are sent in any case.
        fault_seed: Decides which events and answers the probabilities hit; the same seed hits the same ones.
        cut_bodies: Probability that the body of a row result ends in the middle, with status 200.
        not_leader: Probability that a SQL request is answered 503 NOT_LEADER, as by a follower in a cluster.
        buffer_small_results: Send up to 32 rows in one piece, and an error instead of hanging up (KalamDB 0.5).
        check_origin: Refuse callers that name the Host or Origin of another site; KalamDB answers them.
        health_is_local: Answer health routes 403 to callers on other machines.
        resort_by_key: Sort results by the key unless ORDER BY stands last (truth L4).
        drop_decimal_sign: Send decimals between -1 and 0 without their sign (truth L5).
        declare_source_types: Announce an expression under the type of its column (truth L6).
        mix_time_units: Send times in the unit that they happen to have, not in microseconds (truth L7, L30).
        hang_up_on_unencodable: Close the connection over NaN or a struct instead of answering an error (truth L8).
        zero_left_out_embeddings: Store zeros for an embedding that an INSERT with parameters leaves out (truth L9).
        store_debug_bytes: Store a debug text for bytes that come from an expression (truth L10).
        round_literals: Let decimal literals go through a double, and cut fractions for integers (truth L11).
        separate_snapshots: Let each SELECT of a request see another state (truth L18).
        add_up_writes: Tell what a batch wrote last and added up, not statement by statement (truth L19).
        separate_scans: Let each scan of a SELECT see another state, but between BEGIN and COMMIT (truth L29).
        insert_value_ns: Nanoseconds that an INSERT takes for each of its n values (truth R8); KalamDB 17,000.
        insert_square_ns: Nanoseconds that it takes for each of n * n (truth L20); KalamDB 7.
        scan_row_ns: Nanoseconds that a scan takes for each unflushed row version (truth L32); KalamDB 16,000.
        scan_flushed_row_ns: Nanoseconds that it takes for each flushed row (truth L32); KalamDB 4,500.
        forget_namespaces: Let namespace_id reach only a part of the statements (truth L23).
        spoil_flushed_columns: Make a flush spoil BYTES and EMBEDDING (truth L24).
        ignore_subqueries: Ignore sub-queries in the WHERE of UPDATE and DELETE, and the LIMIT of DELETE (truth L25).
        explain_carries_out: Carry out the INSERT, UPDATE or DELETE behind EXPLAIN (truth L26).
        return_deleted_rows: Bring deleted rows back at a flush that writes other rows of the table (truth L27).
        compare_decimals_as_text: Compare DECIMAL with a text parameter as text (truth L28).
        sort_under_limit: Sort by the key before the LIMIT, and not over an ORDER BY (truth L4 mended, KalamDB 0.5).
        send_any_type: Send text views as text and structs as objects (KalamDB 0.8).
        fast_writer: Write results of plain columns without exponents, and null for NaN and infinity (KalamDB 0.8).
        array_columns: Take columns of lists, such as INT[]; else they are text (KalamDB 0.8).
        more_types: Take the types NUMERIC and TINYINT, as DECIMAL and SMALLINT (KalamDB 0.8).
        announce_elements: Announce a list under the type of its elements (KalamDB 0.8).
        code_constraints: Answer NULL where none may be under a code of its own (KalamDB 0.7.1).
        snapshot_at_access: Let a transaction see data as at its first access, not as at BEGIN (KalamDB 0.7.1).
        refuse_streams_inside: Refuse STREAM tables between BEGIN and COMMIT (KalamDB 0.7.1).
        commit_rows: Row versions that one commit may write, 0 for any number (KalamDB 0.7.1: 65,536).
        cancel_abandoned: Leave out statements whose client has disconnected (KalamDB 0.7.1).
        login_options: Answer ``/v1/api/auth/login-options`` (KalamDB 0.5).
        refuse_passwords: Refuse logins by password, as a server that leaves them to an issuer of tokens.
        name_users: Tell a name of users beside their id (KalamDB 0.6).
        latest_offsets: Answer ``/v1/api/topics/latest-offsets`` (KalamDB 0.5).
        claim_consumes: Have what CONSUME gives a group acknowledged by it (KalamDB 0.5).
        groupless_reads: Let topics be read without a group, which nothing remembers (KalamDB 0.5).
        on_conflict: Take ON CONFLICT and RETURNING in an INSERT (KalamDB 0.5.4).
        unicode_functions: Have substr, substring and position (KalamDB 0.7).
        told_version: What health routes and `system.cluster` say of the version; nothing else depends on it.
        log_versions: Number row versions by position in the log in `_version`, not by time in `_seq` (KalamDB 0.7.1).
        seek_by_literals_only: Let a bound of the version move the scan window only where it is a plain number.
        text_cursors: Send and take the cursor of a live query as text alone (KalamDB 0.7.1).
        any_cursors: Take the cursor of a live query as a number or as text (KalamDB 0.5).
        create_with_only: Take the kind of a table from WITH (TYPE = …) alone, not from CREATE USER TABLE (KalamDB 0.8).
        optional_keys: Take USER and SHARED tables without primary key (KalamDB 0.8).
        staff_only_ddl: Refuse CREATE, ALTER and DROP TABLE to role user (KalamDB 0.5).
        staff_only_shows: Refuse SHOW, DESCRIBE TABLE and SUBSCRIBE TO to role user (KalamDB 0.5).
        short_execute_as: Take EXECUTE AS 'user' (…) beside EXECUTE AS USER 'user' (…) (KalamDB 0.5).
        plain_live_queries: Refuse aliases and expressions in a live query (KalamDB 0.5).
        refuse_odd_filters: Refuse a live query whose condition events cannot be tested with (KalamDB 0.5).
        tell_gaps: Tell a live query once that it has lost events, and send it no more (KalamDB 0.7.1).
        replay_log: Keep the latest changes, from which live queries resume, deletes too (KalamDB 0.7.1).
        refuse_used_ids: Refuse a second live query under an id, instead of replacing the first (KalamDB 0.7.1).
        page_by_version: Page snapshots of live queries by version without losing rows (KalamDB 0.5).
        msgpack: Speak MessagePack on sockets that ask for it; KalamDB 0.8 does not.
        tell_leaving: Test the row before a change as well: one that leaves the filter is a delete (KalamDB 0.5).
        row_policies: Let policies decide about rows of SHARED tables, none by default; no access levels (KalamDB 0.6).
        version_domains: Send the domain of a SHARED table's versions, and want it back with a cursor (KalamDB 0.7.1).
    """

    host: str = "127.0.0.1"
    port: int = 2900
    root_password: str = field(default="", repr=False)
    default_query_limit: int = 50
    max_query_limit: int = 1000
    scan_window: int = 100_000
    query_memory_bytes: int = 64 * 1024 * 1024
    queries_per_second: int = 100
    auth_per_second: int = 20
    requests_per_second: int = 200
    ban_after_refusals: int = 10
    ban_seconds: float = 300.0
    request_body_limit_bytes: int = 10_485_760
    json_body_limit_bytes: int = 2_097_152
    sql_limit_bytes: int = 1_048_576
    file_size_limit_bytes: int = 26_214_400
    files_per_request: int = 20
    access_token_seconds: float = 24 * 3600.0
    lock_after_failures: int = 5
    lock_seconds: float = 15 * 60.0
    topic_visibility_seconds: float = 60.0
    messages_per_second: int = 50
    subscriptions_per_user: int = 10
    subscriptions_per_connection: int = 100
    auth_timeout: float = 3.0
    heartbeat_interval: float = 5.0
    client_timeout: float = 10.0
    notification_queue: int = 128
    snapshot_buffer: int = 1024
    drop_events: float = 0.0
    double_events: float = 0.0
    swap_events: float = 0.0
    late_events: float = 0.0
    late_by_events: int = 10
    late_by_ms: float = 200.0
    fault_seed: int = 0
    cut_bodies: float = 0.0
    not_leader: float = 0.0
    buffer_small_results: bool = False
    check_origin: bool = True
    health_is_local: bool = True
    resort_by_key: bool = True
    drop_decimal_sign: bool = True
    declare_source_types: bool = True
    mix_time_units: bool = True
    hang_up_on_unencodable: bool = True
    zero_left_out_embeddings: bool = True
    store_debug_bytes: bool = True
    round_literals: bool = True
    separate_snapshots: bool = True
    add_up_writes: bool = True
    separate_scans: bool = True
    # Costs that are off: whoever tries the sandbox would wait, and nothing in an answer depends on them.
    insert_value_ns: int = 0
    insert_square_ns: int = 0
    scan_row_ns: int = 0
    scan_flushed_row_ns: int = 0
    forget_namespaces: bool = True
    spoil_flushed_columns: bool = True
    ignore_subqueries: bool = True
    explain_carries_out: bool = True
    return_deleted_rows: bool = True
    compare_decimals_as_text: bool = True
    # What later versions of KalamDB do; `profiles` has them by version.
    sort_under_limit: bool = False
    send_any_type: bool = False
    fast_writer: bool = False
    array_columns: bool = False
    more_types: bool = False
    announce_elements: bool = False
    code_constraints: bool = False
    snapshot_at_access: bool = False
    refuse_streams_inside: bool = False
    commit_rows: int = 0
    cancel_abandoned: bool = False
    login_options: bool = False
    refuse_passwords: bool = False
    name_users: bool = False
    latest_offsets: bool = False
    claim_consumes: bool = False
    groupless_reads: bool = False
    on_conflict: bool = False
    unicode_functions: bool = False
    told_version: str = "0.4.3-rc.4"
    log_versions: bool = False
    seek_by_literals_only: bool = False
    text_cursors: bool = False
    any_cursors: bool = False
    version_domains: bool = False
    row_policies: bool = False
    plain_live_queries: bool = False
    refuse_odd_filters: bool = False
    tell_leaving: bool = False
    tell_gaps: bool = False
    replay_log: bool = False
    refuse_used_ids: bool = False
    page_by_version: bool = False
    msgpack: bool = True
    create_with_only: bool = False
    optional_keys: bool = False
    staff_only_ddl: bool = False
    staff_only_shows: bool = False
    short_execute_as: bool = False
