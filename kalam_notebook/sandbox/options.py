"""Every number the sandbox obeys silently, in one frozen value.

The defaults are those of KalamDB 0.4.3-rc.4. Nothing here acts; routes, guard, engine and socket read it.
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
        default_query_limit: Rows of a SELECT without LIMIT.
        max_query_limit: Rows of a SELECT with LIMIT, at most.
        scan_window: Unflushed row versions that a scan reads, oldest first.
        query_memory_bytes: Memory of one query; beyond it ``Resources exhausted``.
        queries_per_second: SQL requests per user and second; burst equals rate.
        auth_per_second: Login, refresh and set-up requests per client address and second.
        requests_per_second: Requests per client address and second; loopback is exempt.
        request_body_limit_bytes: Largest ``Content-Length`` of any request.
        json_body_limit_bytes: Largest JSON body.
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
    request_body_limit_bytes: int = 10_485_760
    json_body_limit_bytes: int = 2_097_152
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
