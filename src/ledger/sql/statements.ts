/**
 * The statements, the same for every SQL engine. `$1`, `$2`, ... are parameters; each statement's comment names them. A
 * report (`attempted`, `delivered`, `dead`) has an effect only while the message is `taken` and belongs to the owner.
 * So reports have no effect after another instance has taken the messages over.
 */
export interface Statements {
  /**
   * Records a message: `id, gateway, sessionKey, lane, runId, now, body, checksum, owner`. Returns a row with its
   * `owner`; that is the empty string when the lane belongs to another. Returns no row when the id is known, or the run
   * is solicited.
   */
  readonly take: string;
  /** Why `take` returned no row: `id`. Returns a row when the id is known. */
  readonly isKnown: string;
  /**
   * Records a message that is being delivered already, even if its lane belongs to another: like `take`, then
   * `attempts, error`.
   */
  readonly takeAnyway: string;
  /** `id, owner, attempts, error` */
  readonly attempted: string;
  /** `id, owner, attempts, now` */
  readonly delivered: string;
  /** `id, owner, attempts, now, error` */
  readonly dead: string;
  /** `owner, limit`. Returns the rows that are now the owner's, in no order. */
  readonly claim: string;
  /** `owner`. Returns a row when `claim` would. */
  readonly isClaimable: string;
  /** `limit` */
  readonly deadLetters: string;
  /** `after` (an id), `limit` */
  readonly deadLettersAfter: string;
  /** `limit`. Newest first. */
  readonly newestDeadLetters: string;
  /** `before` (an id), `limit`. Newest first. */
  readonly deadLettersBefore: string;
  /** `id` */
  readonly deadLetter: string;
  /** `id, now`. Returns a row when there was such a dead letter. */
  readonly revive: string;
  /** `id, now`. Returns a row when there was such a dead letter. */
  readonly drop: string;
  /** `runId, until` */
  readonly solicit: string;
  /** `name` */
  readonly cursor: string;
  /** `name, value, now` */
  readonly setCursor: string;
  /** Adds an instance to the list: `id, now, about`. */
  readonly register: string;
  /** The ids of the listed instances. */
  readonly instances: string;
  /** Gives up everything that an instance owns: `owner`. */
  readonly release: string;
  /** Removes an instance from the list: `id`. */
  readonly unregister: string;
  /** Deletes the oldest rows in `state` that changed before: `state, before, limit`. Returns a row for each. */
  readonly prune: string;
  /** `before` */
  readonly pruneCursors: string;
  /** `now` */
  readonly pruneSolicited: string;
  /** How many messages are in each state: rows of `state, count, oldest` (the time of the oldest change). */
  readonly stats: string;
}

/** The columns that `rows.ts` reads. */
const ENTRY = "id, state, attempts, error, changed_at, position, body, checksum";

/** @param prefix Put before each table's name, as for the schema. @param options How engines differ. */
export function statements(prefix: string, { claimLock = "" }: { readonly claimLock?: string } = {}): Statements {
  const messages = `${prefix}messages`;
  const insert = `insert into ${messages}
  (id, gateway, session_key, lane, run_id, state, taken_at, changed_at, body, checksum, owner, attempts, error)`;
  // Whether nobody else owns a message of the lane. It has two ranges, so that each is one step in the index.
  const laneIsFree = (lane: string, me: string) =>
    `not exists (select 1 from ${messages} o where o.state = 'taken' and o.lane = ${lane} and o.owner > '' and o.owner < ${me})
    and not exists (select 1 from ${messages} o where o.state = 'taken' and o.lane = ${lane} and o.owner > ${me})`;
  return {
    // If the lane has messages without an owner, the new one must wait, too. Otherwise it would overtake them.
    take: `${insert}
select $1, $2, $3, $4, $5, 'taken', $6, $6, $7, $8,
  case when exists (select 1 from ${messages} o where o.state = 'taken' and o.lane = $4 and o.owner < $9)
    or exists (select 1 from ${messages} o where o.state = 'taken' and o.lane = $4 and o.owner > $9)
  then '' else $9 end, 0, null
where not exists (select 1 from ${prefix}solicited s where s.run_id = $5 and s.until > $6)
on conflict (id) do nothing returning owner`,
    isKnown: `select 1 from ${messages} where id = $1`,
    takeAnyway: `${insert}
values ($1, $2, $3, $4, $5, 'taken', $6, $6, $7, $8, $9, $10, $11) on conflict (id) do nothing`,
    attempted: `update ${messages} set attempts = $3, error = $4 where id = $1 and owner = $2 and state = 'taken'`,
    delivered: `update ${messages} set state = 'delivered', attempts = $3, changed_at = $4, error = null, body = null
where id = $1 and owner = $2 and state = 'taken'`,
    dead: `update ${messages} set state = 'dead', attempts = $3, changed_at = $4, error = $5
where id = $1 and owner = $2 and state = 'taken'`,
    claim: `update ${messages} set owner = $1 where position in (
  select m.position from ${messages} m where m.state = 'taken' and m.owner = '' and ${laneIsFree("m.lane", "$1")}
  order by m.position limit $2 ${claimLock})
returning ${ENTRY}`,
    isClaimable: `select 1 from ${messages} m where m.state = 'taken' and m.owner = '' and ${laneIsFree("m.lane", "$1")} limit 1`,
    deadLetters: `select ${ENTRY} from ${messages} where state = 'dead' order by position limit $1`,
    deadLettersAfter: `select ${ENTRY} from ${messages}
where state = 'dead' and position > (select position from ${messages} where id = $1) order by position limit $2`,
    newestDeadLetters: `select ${ENTRY} from ${messages} where state = 'dead' order by position desc limit $1`,
    deadLettersBefore: `select ${ENTRY} from ${messages}
where state = 'dead' and position < (select position from ${messages} where id = $1) order by position desc limit $2`,
    deadLetter: `select ${ENTRY} from ${messages} where id = $1 and state = 'dead'`,
    revive: `update ${messages} set state = 'taken', owner = '', attempts = 0, error = null, changed_at = $2
where id = $1 and state = 'dead' returning 1`,
    drop: `update ${messages} set state = 'delivered', error = null, body = null, changed_at = $2
where id = $1 and state = 'dead' returning 1`,
    solicit: `insert into ${prefix}solicited (run_id, until) values ($1, $2)
on conflict (run_id) do update set until = excluded.until`,
    cursor: `select value from ${prefix}bookmarks where name = $1`,
    setCursor: `insert into ${prefix}bookmarks (name, value, changed_at) values ($1, $2, $3)
on conflict (name) do update set value = excluded.value, changed_at = excluded.changed_at`,
    register: `insert into ${prefix}instances (id, started_at, about) values ($1, $2, $3) on conflict (id) do nothing`,
    instances: `select id from ${prefix}instances order by id`,
    release: `update ${messages} set owner = '' where state = 'taken' and owner = $1`,
    unregister: `delete from ${prefix}instances where id = $1`,
    prune: `delete from ${messages} where position in (
  select position from ${messages} where state = $1 and state <> 'taken' and changed_at < $2 order by changed_at limit $3)
returning 1`,
    pruneCursors: `delete from ${prefix}bookmarks where changed_at < $1`,
    pruneSolicited: `delete from ${prefix}solicited where until <= $1`,
    stats: `select state, count(*) as count, min(changed_at) as oldest from ${messages} group by state order by state`,
  };
}
