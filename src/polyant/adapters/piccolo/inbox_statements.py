"""The statements of PiccoloInbox; those of PostgreSQL make one round trip."""

from polyant.adapters.piccolo.conversation_rows import DELIVERY, EVENT, LEASE, columns
from polyant.adapters.piccolo.lane_acquiring import DESCRIPTION
from polyant.adapters.piccolo.message_writing import MESSAGE_STATEMENTS, RECORDS

_WAKE = f"""
    ON CONFLICT (id) DO UPDATE SET {DESCRIPTION}, wake = lane.wake + 1,
        burst_since = CASE WHEN lane.due_at IS NULL THEN excluded.burst_since ELSE lane.burst_since END,
        due_at = CASE
            WHEN lane.owner IS NOT NULL THEN lane.due_at
            WHEN lane.due_at IS NULL THEN greatest(lane.not_before, excluded.due_at)
            ELSE greatest(lane.not_before, least(lane.burst_since + LONGEST, excluded.due_at))
        END
"""
_LANE = (
    """(id, kind, instance, channel, account, user_hash, due_at, not_before, burst_since, wake, epoch, created_at)"""
)

# Parameters: 1 to 6 the lane, 7 event id, 8 position, 9 user, 10 payload, 11 quiet, 12 longest wait.
_RECEIVE_IN_ONE = f"""
    WITH clock AS MATERIALIZED (SELECT @now AS now), event AS (
        INSERT INTO channel_events
            (lane, instance, channel, account, event_id, position, user_hash, payload, state, attempts, received_at)
        SELECT $1, $3, $4, $5, $7, $8, $9, $10, 'open', 0, now FROM clock
        ON CONFLICT (channel, account, event_id) DO NOTHING RETURNING id
    )
    INSERT INTO lanes AS lane {_LANE}
    SELECT $1, $2, $3, $4, $5, $6, now + $11, 0, now, 1, 0, now FROM event, clock
    {_WAKE.replace("LONGEST", "$12")}
    RETURNING lane.wake
"""

# Parameters: 1 lane, 2 instance, 3 channel, 4 account, 5 conversation, 6 turn, 7 epoch, 8 lease, 9 the wake that was
# seen, or null, 10 event ids, 11 state, 12 error, 13 messages, 14 chunks.
_FINISH_IN_ONE = f"""
    WITH clock AS MATERIALIZED (SELECT @now AS now), lane AS MATERIALIZED (
        SELECT id, wake FROM lanes WHERE id = $1::text AND epoch = $7 AND owner IS NOT NULL FOR UPDATE
    ), conversation AS MATERIALIZED (
        SELECT id FROM conversations WHERE id = $5::text AND EXISTS (SELECT 1 FROM lane) FOR UPDATE
    ), judged AS MATERIALIZED (
        SELECT CASE
            WHEN NOT EXISTS (SELECT 1 FROM lane) THEN 'lost'
            WHEN $9::bigint IS NOT NULL AND (SELECT wake FROM lane) <> $9::bigint THEN 'woken'
            WHEN EXISTS (SELECT 1 FROM channel_deliveries WHERE turn = $6::text) OR cardinality($10::bigint[]) <> (
                SELECT count(*) FROM channel_events WHERE id = ANY($10::bigint[]) AND lane = $1::text AND state = 'open'
            ) THEN 'repeated'
            WHEN $5::text IS NOT NULL AND NOT EXISTS (SELECT 1 FROM conversation) THEN 'unknown'
            ELSE 'stored'
        END AS status
    ), stored AS MATERIALIZED (
        SELECT now FROM clock, judged WHERE status = 'stored'
    ), extended AS (
        UPDATE lanes SET due_at = now + $8 FROM stored WHERE id = $1::text
    ), ended AS (
        UPDATE channel_events SET state = $11::text, error = $12::text,
            payload = CASE WHEN $11::text IN ('open', 'dead') THEN payload END
        FROM stored WHERE id = ANY($10::bigint[])
    ), said AS (
        INSERT INTO conversation_messages
            (conversation, id, role, content, at, turn, tokens, answered, digest, platform_id, sender, tools,
            finish_reason)
        SELECT $5::text, message.* FROM stored, {RECORDS.replace("JSON", "$13")}
        ON CONFLICT DO NOTHING RETURNING at, answered
    ), counted AS (
        UPDATE conversations SET messages = messages + (SELECT count(*) FROM said),
            unanswered = unanswered + (SELECT count(*) FROM said WHERE NOT answered),
            updated_at = greatest(updated_at, (SELECT max(at) FROM said))
        FROM stored WHERE id = $5::text
    ), sent AS (
        INSERT INTO channel_deliveries (lane, instance, channel, account, conversation, turn, chunk, content, state,
            attempts, ambiguous, created_at, updated_at)
        SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, chunk.number - 1, chunk.content,
            CASE chunk.number WHEN 1 THEN 'sending' ELSE 'queued' END, CASE chunk.number WHEN 1 THEN 1 ELSE 0 END,
            0, now, now
        FROM stored, unnest($14::text[]) WITH ORDINALITY AS chunk (content, number) ORDER BY chunk.number
        RETURNING {columns(DELIVERY)}
    )
    SELECT judged.status, {columns(DELIVERY, "sent")} FROM judged LEFT JOIN sent ON true ORDER BY sent.chunk
"""

STATEMENTS = {
    **MESSAGE_STATEMENTS,
    "receive_in_one": _RECEIVE_IN_ONE,
    "receive": """
        INSERT INTO channel_events
            (lane, instance, channel, account, event_id, position, user_hash, payload, state, attempts, received_at)
        SELECT $1, $3, $4, $5, $7, $8, $9, $10, 'open', 0, @now WHERE $2 IS NOT NULL AND ($6 IS NULL OR true)
        ON CONFLICT (channel, account, event_id) DO NOTHING RETURNING id
    """,
    "wake": f"""
        INSERT INTO lanes AS lane {_LANE}
        VALUES ($1, $2, $3, $4, $5, $6, @now + $7, 0, @now, 1, 0, @now)
        {_WAKE.replace("LONGEST", "$8")}
    """,
    "leased": f"""
        SELECT {columns(LEASE)} FROM lanes WHERE id = $1 AND epoch = $2 AND owner IS NOT NULL FOR UPDATE
    """,
    "open_deliveries": f"""
        SELECT {columns(DELIVERY)} FROM channel_deliveries
        WHERE lane = $1 AND state IN ('queued', 'sending') ORDER BY id
    """,
    "load_events": f"""
        UPDATE channel_events SET attempts = attempts + 1 WHERE id IN (
            SELECT id FROM channel_events WHERE lane = $1 AND state = 'open' ORDER BY position, id LIMIT $2
        ) RETURNING {columns(EVENT)}
    """,
    "are_open": """
        SELECT (SELECT count(*) FROM channel_events WHERE lane = $1 AND state = 'open' AND id IN @numbers(2)) = $3
            AND NOT EXISTS (SELECT 1 FROM channel_deliveries WHERE turn = $4)
    """,
    "turn_deliveries": f"""
        SELECT {columns(DELIVERY)} FROM channel_deliveries
        WHERE lane = $1 AND turn = $2 AND state IN ('queued', 'sending') ORDER BY id
    """,
    "extend": "UPDATE lanes SET due_at = @now + $2 WHERE id = $1",
    "end_events": """
        UPDATE channel_events SET state = $2, error = $3,
            payload = CASE WHEN $2 IN ('open', 'dead') THEN payload END
        WHERE id IN @numbers(1)
    """,
    "add_delivery": f"""
        INSERT INTO channel_deliveries (lane, instance, channel, account, conversation, turn, chunk, content, state,
            attempts, ambiguous, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, @now, @now) RETURNING {columns(DELIVERY)}
    """,
    "finish_in_one": _FINISH_IN_ONE,
    "replay": """
        UPDATE channel_events SET state = 'open', attempts = 0, error = NULL WHERE id = $1 AND state = 'dead'
        RETURNING lane
    """,
    "wake_now": """
        UPDATE lanes SET wake = wake + 1, due_at = CASE WHEN owner IS NULL THEN @now ELSE due_at END WHERE id = $1
    """,
    "ingest_key": "SELECT data_key, wrapped_by FROM ingest_keys WHERE day = $1",
    "add_ingest_key": """
        INSERT INTO ingest_keys (day, data_key, wrapped_by) VALUES ($1, $2, $3) ON CONFLICT (day) DO NOTHING
    """,
}
