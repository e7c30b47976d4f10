"""The sentences of ports that no test of a kit proves, with the reasons."""

DESCRIPTION = "It describes the port, and promises nothing that a test could break."
CALLER = "It is a duty of the caller."
KILLED = "No kit can kill the process of its own tests: tests/multi/test_kills.py does."
ATOMIC = "No kit can make a write fail halfway."
CONFLICT = "Telegram alone says so: tests/adapters/channels/telegram/test_channel.py."
BLOCKING = "No kit can tell a long calculation from a blocking call."
COST = "The cost depends on the machine: tests of the adapters check their indexes, and benchmarks the time."
OBSERVATION = "TurnObservation guarantees it for all observers: see tests/domain/test_turn_observation.py."
CONTENT = "tests/adapters/otel/test_content.py and tests/domain/test_turn_content.py test it with a whole turn."
REMAINS = "tests/adapters/piccolo/test_sqlite_writer.py checks that deleted data are overwritten."
DOCUMENTS = "tests/adapters/pdf/test_document_reader.py reads documents without an end, and ends slow processes."
HOSTILE = "tests/adapters/mcp/test_hostile_servers.py tests it with hostile servers."
LANES = "LanesContract tests it at the lease and at the release."
MEDIA = "tests/adapters/llm/test_media.py tests the form that each provider expects, and its refusals."
PLATFORM = "tests/adapters/channels/test_platform_http.py tests the time-outs and hosts of the shared client."
PUBLIC = "tests/adapters/mcp/test_public_transport.py tests it."
SCHEMAS = "tests/adapters/mcp/test_schemas.py tests each repair."
UNTESTED = "No test of the kit proves it yet."

UNPROVEN: dict[str, dict[str, str]] = {
    "archive": {
        (
            "Copies instances, skill files, channel connections, conversations, users and the audit trail to an empty "
            "store."
        ): DESCRIPTION,
        (
            "The data are those of the InstanceRepo, the SkillFiles, the ChannelConnections, the ConversationRepo, the "
            "UserRepo and the AuditLog of the same store, with the data key of INDEX_DAY."
        ): DESCRIPTION,
        "The iteration must take place in the task that opened the snapshot.": CALLER,
    },
    "audit_log": {
        "Stores the audit trail.": DESCRIPTION,
        (
            "Entries about an instance, a user or a session are stored by the repo of that resource, not with `add`."
        ): CALLER,
    },
    "channel": {
        "The open subscription of a pulled account.": DESCRIPTION,
        "PullConflictError: Another program pulls the events of the account.": CONFLICT,
        "It stores nothing.": "Its constructor gets no store.",
        "One process at a time enters it for an account.": CALLER,
        "It takes at most `info.send_seconds`.": PLATFORM,
        "Only the platform's own hosts are contacted, also after a redirect.": PLATFORM,
    },
    "channel_connections": {
        "A completed write survives a crash.": KILLED,
    },
    "chat_model": {
        "A client for one provider's protocol.": DESCRIPTION,
        "Media of the kinds in `info` are sent byte for byte, in the order of the parts.": MEDIA,
        (
            "If the server or the model refuses them, the request is repeated without them, with a note"
            " that makes the model say so."
        ): MEDIA,
    },
    "clock": {
        "Provides the time and sleeps.": DESCRIPTION,
    },
    "conversation_maintenance": {
        "Work on the whole store, in batches small enough not to delay turns.": DESCRIPTION,
        "Call it again until it is complete.": CALLER,
        "Deleted data can't be recovered from the store's files.": REMAINS,
        (
            "A deleted event that is received again is new, so keep finished ones longer than platforms deliver again."
        ): CALLER,
    },
    "conversation_repo": {
        "Shares its store with `Lanes`, `Inbox`, `Outbox` and `ConversationMaintenance`.": DESCRIPTION,
        "Stored data survives the death of the process once the method returns.": KILLED,
        "Call it again until the deletion is complete.": CALLER,
        "Deleted data can't be recovered from the store's files.": REMAINS,
    },
    "data_cipher": {
        "The key of one conversation, in plaintext; keep it for one turn at most.": CALLER,
        (
            'Creates data keys, and encrypts ("wraps") each with the SecretCipher, bound to its conversation.'
        ): DESCRIPTION,
        "Any method may call a key management service, so no method blocks the event loop.": BLOCKING,
    },
    "date_time_formatter": {
        "Formats moments in the operator's time zone and language.": DESCRIPTION,
    },
    "document_reader": {
        (
            "The time, the memory and the number of pages are bounded, whatever the document contains, and the "
            "event loop isn't blocked."
        ): DOCUMENTS,
    },
    "image_fetcher": {
        "Fetches the images whose http and https URLs callers send.": DESCRIPTION,
    },
    "inbox": {
        ("Stored data survives the death of any process, and of the machine, once a method returns."): KILLED,
        "A lane that is leased stays leased and is due again after its release.": LANES,
        "Unknown lanes are created; known ones have this description from now on.": LANES,
        "A failure may leave the first of the events stored.": DESCRIPTION,
        "Loading counts an attempt even if the process dies right afterwards.": KILLED,
    },
    "instance_repo": {
        "A completed write survives a crash.": KILLED,
        "The store may be read-only, such as a file that others write.": DESCRIPTION,
        "The cost of a lookup by key fingerprint doesn't depend on the number of instances.": COST,
    },
    "key_check": {
        "Stores one encrypted check value next to the secrets; it serves no other purpose.": DESCRIPTION,
    },
    "lanes": {
        "Times are those of the store, so clocks of hosts needn't agree.": "A kit has only one host.",
        "Durations are in seconds.": DESCRIPTION,
        "It is for lanes of the kinds `api` and `account`, and works for all.": DESCRIPTION,
        "The call changes nothing and is cheap.": COST,
    },
    "login_history": {
        (
            "A login is known only by its fingerprint, a keyed hash of the account and the network, so "
            "that the store reveals neither."
        ): CALLER,
    },
    "media_store": {
        "Stored items survive the death of the process once the method returns.": KILLED,
        "Stores an item, whole or not at all.": ATOMIC,
        "Deleted contents can't be recovered from the store's files.": REMAINS,
        "Items that are stored or deleted meanwhile may be included or missing.": DESCRIPTION,
    },
    "outbox": {
        (
            "The ledger of what was sent, chunk by chunk, so that a chunk is sent again only if nobody "
            "knows its outcome."
        ): DESCRIPTION,
        ("Stored data survives the death of any process, and of the machine, once a method returns."): KILLED,
    },
    "rate_policy": {
        "Decides which limits apply to a caller.": DESCRIPTION,
        "A call that exceeds a limit isn't counted for the limits after it.": CALLER,
    },
    "secret_cipher": {
        "Encrypts secrets for storage and computes keyed fingerprints for looking them up.": DESCRIPTION,
        "Any method may call a key management service, so no method blocks the event loop.": BLOCKING,
    },
    "session_tokens": {
        "Issues and verifies session tokens without storing them.": DESCRIPTION,
    },
    "supervisor": {
        (
            "An injected `polyant.domain.toolbox.Toolbox` fulfils the duties that concern the model and the tools."
        ): DESCRIPTION,
        ("The caller does so at the turn's deadline at the latest, by cancelling the iterating task."): CALLER,
    },
    "tool_servers": {
        "A client for servers that speak the Model Context Protocol.": DESCRIPTION,
        "At most 4 MiB and 1,000 tools of a server are read.": HOSTILE,
        "Schemas have no references, and are repaired where providers would refuse them.": SCHEMAS,
        (
            "If the server has forgotten the session, the session is opened again once and the call is repeated."
        ): HOSTILE,
        (
            "A server with `public_only` is never reached at an IP address that isn't public, whatever "
            "its name resolves to."
        ): PUBLIC,
    },
    "turn_log": {
        (
            "A crash of the process loses them, and a crash of the machine may lose the records of the last minute."
        ): DESCRIPTION,
        (
            "While the store is unavailable, records stay queued; during a long outage the oldest are dropped."
        ): "tests/adapters/piccolo/test_turn_log.py takes the database away.",
        (
            "The cost depends on the number of slugs and on their turns since that moment, not on the "
            "number of stored turns."
        ): COST,
        "Their cost depends on the number of these turns, not on the number of stored turns.": COST,
    },
    "turn_observer": {
        "Calls to one observer are sequential and in the order of the events.": OBSERVATION,
        (
            "A slow observer delays only its own later calls; observations that exceed its queue are "
            "dropped, counted and logged."
        ): OBSERVATION,
        "An exception is logged and loses only that observation.": OBSERVATION,
        (
            "The events contain no text of the turn, unless the observer has the attribute `records_content` "
            "with the value True."
        ): CONTENT,
        (
            "Then `content` has the text of each model call and tool call, shortened and without the "
            "instance's secrets."
        ): CONTENT,
        (
            "If an observer has the attribute `traces` or `records_content` with the value True, the observers also "
            "receive failed model calls, and the calls of sub-agents."
        ): CONTENT,
        "When the server stops, queued observations are delivered for up to five seconds.": OBSERVATION,
    },
    "user_repo": {
        "A completed write survives a crash.": KILLED,
    },
}
