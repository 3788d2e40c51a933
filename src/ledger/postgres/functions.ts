import type { Names } from "./names.ts";

/**
 * The functions of a Postgres ledger. After waiting for a lock, they must see the newest rows, which one statement
 * cannot do. Each function is one call, so that it never holds a lock while it waits for its client.
 */

/**
 * The payload of a notification: an instance's id, or one of these. `ANYONE`: there are messages for any instance.
 * `STOPPED`: an instance has stopped.
 */
export const ANYONE = "*";
export const STOPPED = "-";

/**
 * Locks the groups of `lanes` until the end of the transaction. They are always locked in the same order, so that two
 * calls cannot deadlock.
 */
const lockLanes = ({ laneKey }: Names, lanes: string) => `perform pg_advisory_xact_lock(${laneKey}, g.number) from (
    select distinct hashtext(l.lane) & 127 as number from (${lanes}) as l(lane) order by 1
  ) g;`;

/** Whether nobody except `me` owns messages of the lane: two steps in the index. */
const isFree = ({ prefix }: Names, lane: string, me: string) => {
  const owned = `from ${prefix}messages o where o.state = 'taken' and o.lane = ${lane} and o.owner > ''`;
  return `coalesce((select min(o.owner) ${owned}), ${me}) = ${me} and coalesce((select max(o.owner) ${owned}), ${me}) = ${me}`;
};

/**
 * Undelivered, written as in the index by owner. The index by lane has it written differently. The planner knows little
 * about the sizes of these tables, so it must not have a choice between the two.
 */
const UNDELIVERED = "m.state || '' = 'taken'";

/** Replaces the index of the shared schema. */
export const ownerIndex = ({ prefix }: Names) =>
  `create index messages_by_owner on ${prefix}messages (owner, position) where state || '' = 'taken'`;

/** The statements that create the functions of the first version. */
export function functions(names: Names): readonly string[] {
  const { prefix, channel, lifeKey, tag } = names;
  const sequence = `'${`${prefix}instance_ids`.replaceAll("'", "''")}'`;
  return [
    `create sequence ${prefix}instance_ids as integer`,

    // Lists an instance, which lives as long as the calling session; a new one if there is no id. Null: the server
    // still sees an earlier session of the instance.
    `create function ${prefix}register(id text, about text, now_ms bigint) returns text language plpgsql as ${tag}
declare
  me integer := coalesce(register.id::integer, nextval(${sequence}::regclass)::integer);
begin
  if not pg_try_advisory_lock(${lifeKey}, me) then return null; end if;
  insert into ${prefix}instances (id, started_at, about) values (me::text, now_ms, about) on conflict do nothing;
  return me::text;
end ${tag}`,

    // The instances that own undelivered messages and do not live any longer. "stopped": the instance has stopped
    // properly.
    `create function ${prefix}gone(me text) returns table (id text, stopped boolean) language sql as ${tag}
  with recursive owners as (
    (select m.owner from ${prefix}messages m where ${UNDELIVERED} and m.owner > '' order by m.owner limit 1)
    union all
    select (select m.owner from ${prefix}messages m where ${UNDELIVERED} and m.owner > o.owner order by m.owner limit 1)
    from owners o where o.owner is not null
  )
  select o.owner, not exists (select from ${prefix}instances i where i.id = o.owner)
  from owners o where o.owner is not null and o.owner <> me and not exists (
    select from pg_locks a where a.locktype = 'advisory' and a.granted and a.objsubid = 2
      and a.database = (select d.oid from pg_database d where d.datname = current_database())
      and a.classid = ${lifeKey} and a.objid::bigint = o.owner::bigint
  )
${tag}`,

    // Gives up the messages of an instance that does not live any longer, oldest first. Returns their number.
    `create function ${prefix}release(dead text, max_rows integer) returns integer language plpgsql as ${tag}
declare
  released integer;
begin
  -- With the lock of its life in hand: it cannot come back meanwhile.
  if not pg_try_advisory_xact_lock(${lifeKey}, dead::integer) then return 0; end if;
  update ${prefix}messages m set owner = '' where m.position in (
    select m.position from ${prefix}messages m where ${UNDELIVERED} and m.owner = dead
    -- Locked: a transaction that is still open delivers it.
    order by m.position limit max_rows for update skip locked
  );
  get diagnostics released = row_count;
  delete from ${prefix}instances i where i.id = dead
    and not exists (select from ${prefix}messages m where ${UNDELIVERED} and m.owner = dead);
  return released;
end ${tag}`,

    /*
     * Writes everything that an instance has to report, at once. Returns the messages that did not become the caller's:
     * "elsewhere", "known", "mine" (known, undelivered and already the caller's) or "solicited". Also returns the
     * reports that had no effect: "later" (the row is locked) or "refused".
     *
     * It works row by row. The planner does not know the sizes of arrays and of these tables, and would compare each
     * row with each.
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
  t record;
  r record;
  known record;
  lane_owners record;
  told text[] := '{}';
  settled_lanes text[] := '{}';
begin
  insert into ${prefix}solicited as s (run_id, until) select n.run_id, n.until from unnest(s_run_ids, s_untils) n(run_id, until)
  order by n.run_id on conflict (run_id) do update set until = greatest(s.until, excluded.until);

  if cardinality(t_ids) > 0 then
    ${lockLanes(
      names,
      `select t.lane from unnest(t_ids, t_lanes) t(id, lane) where (select true from ${prefix}messages m where m.id = t.id) is null`,
    )}
  end if;
  for t in
    select * from unnest(t_ids, t_gateways, t_session_keys, t_lanes, t_run_ids, t_ats, t_bodies, t_anyway)
      u(id, gateway, session_key, lane, run_id, at, body, anyway)
  loop
    id := t.id;
    select m.state, m.owner into known from ${prefix}messages m where m.id = t.id;
    if found then
      what := case when known.state = 'taken' and known.owner = me then 'mine' else 'known' end;
      return next;
      continue;
    end if;
    if not t.anyway and exists (select from ${prefix}solicited s where s.run_id = t.run_id and s.until > now_ms) then
      what := 'solicited';
      return next;
      continue;
    end if;
    -- With unowned ones in its lane it must wait, too, or it would overtake them.
    select coalesce(min(m.owner), me) as first, coalesce(max(m.owner), me) as last into lane_owners
    from ${prefix}messages m where m.state = 'taken' and m.lane = t.lane;
    insert into ${prefix}messages (id, gateway, session_key, lane, run_id, state, taken_at, changed_at, body, owner)
    values (t.id, t.gateway, t.session_key, t.lane, t.run_id, 'taken', t.at, t.at, t.body::json,
      case when t.anyway or lane_owners.first = me and lane_owners.last = me then me else '' end)
    on conflict (id) do nothing;
    if not found then
      what := 'known';
      return next;
    elsif not t.anyway and (lane_owners.first <> me or lane_owners.last <> me) then
      told := told || coalesce(nullif(lane_owners.last, ''), '${ANYONE}');
      what := 'elsewhere';
      return next;
    end if;
  end loop;

  for r in select * from unnest(r_ids, r_states, r_attempts, r_errors, r_ats) u(id, state, attempts, error, at) loop
    select m.position, m.lane, m.state, m.owner into known from ${prefix}messages m where m.id = r.id for update skip locked;
    if found and known.state = 'taken' and known.owner = me then
      update ${prefix}messages m set
        state = r.state,
        attempts = r.attempts,
        error = case when r.state = 'delivered' then null else r.error end,
        changed_at = case when r.state = 'taken' then m.changed_at else r.at end,
        body = case when r.state = 'delivered' then null else m.body end
      where m.position = known.position;
      if r.state <> 'taken' then
        settled_lanes := settled_lanes || known.lane;
      end if;
      continue;
    end if;
    id := r.id;
    what := case when found then 'refused'
      when exists (select from ${prefix}messages m where m.id = r.id and m.state || m.owner = 'taken' || me) then 'later'
      else 'refused' end;
    return next;
  end loop;

  -- What waited in a lane that is free now is anyone's.
  if exists (
    select from (select distinct unnest(settled_lanes) as lane) l
    where (select max(m.owner) from ${prefix}messages m where m.state = 'taken' and m.lane = l.lane) = ''
  ) then
    told := told || '${ANYONE}'::text;
  end if;
  perform pg_notify('${channel}', o.owner) from (select distinct unnest(told) as owner) o;

  insert into ${prefix}bookmarks as b (name, value, changed_at)
  select n.name, n.value, now_ms from unnest(b_names, b_values) n(name, value) order by n.name
  on conflict (name) do update set value = excluded.value, changed_at = excluded.changed_at;
end ${tag}`,

    // The oldest messages without an owner, in lanes that nobody else has, become the caller's.
    `create function ${prefix}claim(me text, max_rows integer) returns setof ${prefix}messages language plpgsql as ${tag}
declare
  free text[];
begin
  select array_agg(c.lane) into free from (
    select l.lane from (
      select w.lane, min(w.position) as first from (
        select m.lane, m.position from ${prefix}messages m where ${UNDELIVERED} and m.owner = '' order by m.position limit 5000
      ) w group by w.lane order by 2
    ) l where ${isFree(names, "l.lane", "me")} limit max_rows
  ) c;
  if free is null then return; end if;
  ${lockLanes(names, "select unnest(free)")}
  -- Others may have been quicker. Asked once for each lane, not for each of its messages.
  select array_agg(l.lane) into free from unnest(free) l(lane) where ${isFree(names, "l.lane", "me")};
  return query update ${prefix}messages m set owner = me where m.position = any (array(
    select m.position from ${prefix}messages m where ${UNDELIVERED} and m.owner = '' and m.lane = any (free)
    order by m.position limit max_rows for update
  )) returning m.*;
end ${tag}`,

    // Whether `claim` would find something.
    `create function ${prefix}is_claimable(me text) returns boolean language sql as ${tag}
  select exists (
    select from (
      select distinct w.lane from (
        select m.lane from ${prefix}messages m where ${UNDELIVERED} and m.owner = '' order by m.position limit 5000
      ) w
    ) l where ${isFree(names, "l.lane", "me")}
  )
${tag}`,
  ];
}
