import type { Names } from "./names.ts";

/**
 * The functions of a Postgres ledger: what must see the newest rows after it has waited for a lock, which one statement
 * cannot. Each is one call, so that it never waits for its client with a lock in hand.
 */

/** What is notified is an instance's id, or one of these: there is something for anyone; somebody has stopped. */
export const ANYONE = "*";
export const STOPPED = "-";

/**
 * Locks the groups of `lanes` until the end of the transaction. In one order, so that two calls never wait for each other.
 */
const lockLanes = ({ laneKey }: Names, lanes: string) => `perform pg_advisory_xact_lock(${laneKey}, g.number) from (
    select distinct hashtext(l.lane) & 127 as number from (${lanes}) as l(lane) order by 1
  ) g;`;

/** Whether a lane has an undelivered message of somebody else's. In two ranges, so that both are one step in the index. */
const isOthers = ({ prefix }: Names, lane: string, me: string) =>
  `(exists (select from ${prefix}messages o where o.state = 'taken' and o.lane = ${lane} and o.owner > '' and o.owner < ${me})
      or exists (select from ${prefix}messages o where o.state = 'taken' and o.lane = ${lane} and o.owner > ${me}))`;

/** The statements that make the functions of the first version. */
export function functions(names: Names): readonly string[] {
  const { prefix, channel, lifeKey, tag } = names;
  const sequence = `'${`${prefix}instance_ids`.replaceAll("'", "''")}'`;
  return [
    `create sequence ${prefix}instance_ids as integer`,

    // Lists an instance, which lives for as long as the session that calls this; without an id, a new one. Null: the
    // server still sees an earlier session of the instance.
    `create function ${prefix}register(id text, about text, now_ms bigint) returns text language plpgsql as ${tag}
declare
  me integer := coalesce(register.id::integer, nextval(${sequence}::regclass)::integer);
begin
  if not pg_try_advisory_lock(${lifeKey}, me) then return null; end if;
  insert into ${prefix}instances (id, started_at, about) values (me::text, now_ms, about) on conflict do nothing;
  return me::text;
end ${tag}`,

    // Who still owns undelivered messages and lives no more. "stopped": it has said so itself.
    `create function ${prefix}gone(me text) returns table (id text, stopped boolean) language sql as ${tag}
  with recursive owners as (
    (select m.owner from ${prefix}messages m where m.state = 'taken' and m.owner > '' order by m.owner limit 1)
    union all
    select (select m.owner from ${prefix}messages m where m.state = 'taken' and m.owner > o.owner order by m.owner limit 1)
    from owners o where o.owner is not null
  )
  select o.owner, not exists (select from ${prefix}instances i where i.id = o.owner)
  from owners o where o.owner is not null and o.owner <> me and not exists (
    select from pg_locks a where a.locktype = 'advisory' and a.granted and a.objsubid = 2
      and a.database = (select d.oid from pg_database d where d.datname = current_database())
      and a.classid = ${lifeKey} and a.objid::bigint = o.owner::bigint
  )
${tag}`,

    // Gives up what somebody owns who lives no more, oldest first. How many messages that were.
    `create function ${prefix}release(dead text, max_rows integer) returns integer language plpgsql as ${tag}
declare
  released integer;
begin
  -- With the lock of its life in hand: it cannot come back meanwhile.
  if not pg_try_advisory_xact_lock(${lifeKey}, dead::integer) then return 0; end if;
  update ${prefix}messages m set owner = '' where m.position in (
    select w.position from ${prefix}messages w where w.state = 'taken' and w.owner = dead
    -- Locked: a transaction that is still open delivers it.
    order by w.position limit max_rows for update skip locked
  );
  get diagnostics released = row_count;
  delete from ${prefix}instances i where i.id = dead
    and not exists (select from ${prefix}messages m where m.state = 'taken' and m.owner = dead);
  return released;
end ${tag}`,

    /*
     * Writes everything that an instance has to say, at once. Of each message that it takes on, how that went:
     * "taken", "elsewhere", "known", "mine" (known, undelivered and the caller's already) or "solicited"; of each
     * report that had no effect: "later" (the row is locked) or "refused".
     */
    `create function ${prefix}record(
  me text, now_ms bigint,
  t_ids text[], t_gateways text[], t_session_keys text[], t_lanes text[], t_run_ids text[], t_ats bigint[], t_bodies text[], t_anyway boolean[],
  r_ids text[], r_states text[], r_attempts integer[], r_errors text[], r_ats bigint[],
  s_run_ids text[], s_untils bigint[],
  b_names text[], b_values text[]
) returns table (id text, what text) language plpgsql as ${tag}
#variable_conflict use_column
declare
  new_ids text[];
  new_owners text[];
  done_ids text[];
  done_lanes text[];
begin
  if cardinality(s_run_ids) > 0 then
    insert into ${prefix}solicited as s (run_id, until) select n.run_id, n.until from unnest(s_run_ids, s_untils) n(run_id, until)
    order by n.run_id on conflict (run_id) do update set until = greatest(s.until, excluded.until);
  end if;

  if cardinality(t_ids) > 0 then
    ${lockLanes(
      names,
      `select t.lane from unnest(t_ids, t_lanes) t(id, lane) where not exists (select from ${prefix}messages m where m.id = t.id)`,
    )}
    with fresh as (
      insert into ${prefix}messages
        (id, gateway, session_key, lane, run_id, state, taken_at, changed_at, body, owner, attempts)
      select t.id, t.gateway, t.session_key, t.lane, t.run_id, 'taken', t.at, t.at, t.body::json,
        case when not t.anyway and (${isOthers(names, "t.lane", "me")}
          or exists (select from ${prefix}messages o where o.state = 'taken' and o.lane = t.lane and o.owner = ''))
        then '' else me end, 0
      from unnest(t_ids, t_gateways, t_session_keys, t_lanes, t_run_ids, t_ats, t_bodies, t_anyway)
        with ordinality t(id, gateway, session_key, lane, run_id, at, body, anyway, number)
      where not exists (select from ${prefix}messages m where m.id = t.id)
        and (t.anyway or not exists (select from ${prefix}solicited s where s.run_id = t.run_id and s.until > now_ms))
      order by t.number
      on conflict (id) do nothing returning id, owner
    )
    select array_agg(f.id), array_agg(f.owner) into new_ids, new_owners from fresh f;

    -- Whoever has the lane is told that there is more in it.
    perform pg_notify('${channel}', l.owner) from (
      select distinct coalesce((
        select o.owner from ${prefix}messages o where o.state = 'taken' and o.lane = m.lane and o.owner > '' limit 1
      ), '${ANYONE}') as owner
      from unnest(new_ids, new_owners) n(id, owner) join ${prefix}messages m on m.id = n.id where n.owner = ''
    ) l;

    return query select t.id, case
        when n.owner = me then 'taken'
        when n.owner = '' then 'elsewhere'
        when m.state = 'taken' and m.owner = me then 'mine'
        when m.id is not null then 'known'
        else 'solicited' end
      from unnest(t_ids) t(id)
      left join unnest(new_ids, new_owners) n(id, owner) on n.id = t.id
      left join ${prefix}messages m on m.id = t.id;
  end if;

  if cardinality(r_ids) > 0 then
    with open as (
      select m.position, m.id from ${prefix}messages m
      where m.id = any (r_ids) and m.state = 'taken' and m.owner = me for update skip locked
    ), changed as (
      update ${prefix}messages m set
        state = r.state,
        attempts = r.attempts,
        error = case when r.state = 'delivered' then null else r.error end,
        changed_at = case when r.state = 'taken' then m.changed_at else r.at end,
        body = case when r.state = 'delivered' then null else m.body end
      from open o join unnest(r_ids, r_states, r_attempts, r_errors, r_ats) r(id, state, attempts, error, at) on r.id = o.id
      where m.position = o.position returning m.id, m.lane
    )
    select coalesce(array_agg(c.id), '{}'), array_agg(c.lane) into done_ids, done_lanes from changed c;

    if exists (
      select from unnest(done_lanes) l(lane)
      where exists (select from ${prefix}messages m where m.state = 'taken' and m.lane = l.lane and m.owner = '')
        and not exists (select from ${prefix}messages m where m.state = 'taken' and m.lane = l.lane and m.owner > '')
    ) then
      perform pg_notify('${channel}', '${ANYONE}');
    end if;

    return query select r.id, case when m.state = 'taken' and m.owner = me then 'later' else 'refused' end
    from unnest(r_ids) r(id) left join ${prefix}messages m on m.id = r.id
    where r.id <> all (done_ids);
  end if;

  if cardinality(b_names) > 0 then
    insert into ${prefix}bookmarks as b (name, value, changed_at)
    select n.name, n.value, now_ms from unnest(b_names, b_values) n(name, value) order by n.name
    on conflict (name) do update set value = excluded.value, changed_at = excluded.changed_at;
  end if;
end ${tag}`,

    // The oldest messages that nobody owns, in lanes that nobody else has, become the caller's.
    `create function ${prefix}claim(me text, max_rows integer) returns setof ${prefix}messages language plpgsql as ${tag}
declare
  free text[];
begin
  select array_agg(c.lane) into free from (
    select l.lane from (
      select w.lane, min(w.position) as first from (
        select m.lane, m.position from ${prefix}messages m where m.state = 'taken' and m.owner = '' order by m.position limit 5000
      ) w group by w.lane order by 2
    ) l where not ${isOthers(names, "l.lane", "me")} limit max_rows
  ) c;
  if free is null then return; end if;
  ${lockLanes(names, "select unnest(free)")}
  return query update ${prefix}messages m set owner = me where m.position in (
    select w.position from ${prefix}messages w
    where w.state = 'taken' and w.owner = '' and w.lane = any (free) and not ${isOthers(names, "w.lane", "me")}
    order by w.position limit max_rows for update
  ) returning m.*;
end ${tag}`,

    // Whether \`claim\` would find something.
    `create function ${prefix}is_claimable(me text) returns boolean language sql as ${tag}
  select exists (
    select from (
      select distinct w.lane from (
        select m.lane from ${prefix}messages m where m.state = 'taken' and m.owner = '' order by m.position limit 5000
      ) w
    ) l where not ${isOthers(names, "l.lane", "me")}
  )
${tag}`,
  ];
}
