/*
 * Grants: two of them, of one membership, and what a group outside holds meanwhile.
 *
 * Modelled on scheduler/grants.py, scheduler/relay.py, store/model/lifecycle/using.py, claim.lua, settle.lua and the `put` of commit.lua.
 * What is left out, and what is assumed of the outside, is in README.md. Each #ifdef is one guard taken away.
 */

#ifndef CRASHES
#define CRASHES 1            /* how many times a replica dies, at any step, before it stays up */
#endif

#ifndef LATES
#define LATES 1              /* whether the word that it is done may come later than the lease lasts */
#endif
#ifndef GRANTS
#define GRANTS 2
#endif

#define NOBODY 2
#define DEAD 3               /* held by a process that died or gave up: only the end of the lease frees it */

mtype = { approved, granting, activated, revoking, ended, failed };
mtype = { nothing, adding, removing };
mtype = { silent, asked, answered, refused };

/* the truth in the store */
mtype state[2] = approved;
bool over[2];                /* `until` has passed: Activate + duration, whatever the record says */

/* the lane: one effect, because it is keyed by the membership */
bool exists, leased;
byte generation;             /* restarts when the effect is done and deleted, as in the product */
byte owner = NOBODY;         /* who has the lease */
bool held[2];                /* whether the last claim is this replica's: a fence that is never used twice */
bool settling[2];            /* has done its work and only has to say so: that may come later than the lease lasts */
byte turn = NOBODY;
#ifdef FENCE_RESTARTS
byte fence, faults, lates;   /* bounded here, so that the counter is */
#endif

/* the outside */
bool present;
mtype flight[2] = nothing;   /* a write on its way, by replica: it outlives whoever sent it */
mtype answer[2] = silent;    /* what the sender hears, while it listens */
bool healthy;                /* from some moment on the connector answers, and does what it says */

byte crashes;

#define LIVE(g) (state[g] == granting || state[g] == activated || state[g] == revoking)
#define OPEN(g) (state[g] == granting || state[g] == activated)
#define SETTLED(g) (!LIVE(g))

/* Nobody is in the group but by a grant that says so: `ended` and `failed` mean gone, unless the other grant holds it. */
inline sound() { assert(!present || LIVE(0) || LIVE(1)) }

inline move(g, to) {
  assert(state[g] != ended && state[g] != failed);   /* terminal states never change */
  state[g] = to;
  sound()
}

inline put() { exists = true; generation++ }

inline apply(to) {
  /* No grant is cut short by the end of another. */
  assert(to || !present || !(state[0] == activated && !over[0]) && !(state[1] == activated && !over[1]));
  present = to;
  sound()
}

#ifdef FENCE_RESTARTS
#define RESTART fence = 0
#define FAULTY (!healthy && faults < 1)
#define COUNT_FAULT faults++
#define LATE (lates < 1)
#define COUNT_LATE lates++
#define MINE(r) (exists && fence == claimed)
#else
#define RESTART skip
#define FAULTY (!healthy)
#define COUNT_FAULT skip
#define LATE (LATES > 0)
#define COUNT_LATE skip
#ifdef NO_FENCE
#define MINE(r) (exists)
#else
#define MINE(r) (exists && held[r])
#endif
#endif

#ifdef NO_GENERATION
#define SAME true
#else
#define SAME (generation == mine)
#endif

/* What is wrong with setting `until` when the outside has answered: what is being granted has no end until then. */
#ifdef UNTIL_AFTER_FIRST_ATTEMPT
#define IN_TIME(g) true
#define DUE(g) (state[g] == activated)
#define HOLDS(g, past) (state[g] == granting || state[g] == activated && !past)
#else
#ifdef PRESENT_AFTER_UNTIL
#define IN_TIME(g) true
#else
#define IN_TIME(g) (!over[g])
#endif
#ifdef SWEEP_FORGETS_GRANTING
#define DUE(g) (state[g] == activated)
#else
#define DUE(g) OPEN(g)
#endif
#define HOLDS(g, past) (OPEN(g) && !past)
#endif

/* The process dies here: what it knew is gone, what it sent is not. */
#define CRASH atomic { crashes < CRASHES -> crashes++; goto dead }

inline forget() {
  g = 0; wanted = false; seen = false; over0 = false; over1 = false; was[0] = approved; was[1] = approved
}

proctype Replica(byte r) {
  byte g, mine, claimed;
  bool wanted, seen, done, over0, over1;
  mtype was[2] = approved;

idle:
end:
  atomic {
    exists && !leased -> leased = true; owner = r; held[r] = true; held[1 - r] = false; mine = generation;
#ifdef FENCE_RESTARTS
    fence++; claimed = fence;
#endif
    over0 = over[0]; over1 = over[1];
#ifdef SETTLE_BEFORE_PERFORM
    exists = false; generation = 0; leased = false; owner = NOBODY; held[r] = false;
#endif
  }
  if
  :: atomic {                                            /* one at a time, then what is true now */
       turn == NOBODY -> turn = r;
       if :: state[0] == granting || state[0] == revoking -> was[0] = state[0] :: else fi;
       if :: state[1] == granting || state[1] == revoking -> was[1] = state[1] :: else fi;
       wanted = HOLDS(0, over0) || HOLDS(1, over1);
#ifdef REMOVES_THOUGH_HELD
       wanted = wanted && state[0] != revoking && state[1] != revoking;
#endif
       over0 = false; over1 = false }
  :: CRASH
  fi;

  if
  :: atomic { true -> seen = present }
  :: atomic { FAULTY -> COUNT_FAULT; goto again }
  :: CRASH
  fi;
  if
  :: seen == wanted -> goto report
  :: else
  fi;

  if
  :: atomic { flight[r] == nothing -> answer[r] = asked;
       if :: wanted -> flight[r] = adding :: else -> flight[r] = removing fi }
  :: CRASH
  fi;
  if
  :: atomic { answer[r] == answered -> answer[r] = silent }
  :: atomic { answer[r] == refused -> answer[r] = silent; goto no }
  :: atomic { answer[r] == asked && FAULTY -> COUNT_FAULT; answer[r] = silent;
       /* Too slow. What was sent may still be done: nobody else has a turn before that is over. */
#ifndef TURN_RELEASED
       turn = DEAD;
#endif
       goto again }
  :: CRASH
  fi;

  if
  :: atomic { true ->
#ifdef GRANT_UNREAD
       if :: wanted -> seen = true :: else -> seen = present fi
#else
#ifdef REVOKE_UNREAD
       if :: !wanted -> seen = false :: else -> seen = present fi
#else
       seen = present
#endif
#endif
     }
  :: atomic { FAULTY -> COUNT_FAULT; goto again }
  :: CRASH
  fi;
  if
  :: seen != wanted -> goto again
  :: else
  fi;

report:
  do
  :: atomic { g < 2 ->
       if
       :: was[g] == granting && seen && state[g] == granting && IN_TIME(g) -> assert(!over[g]); assert(present); move(g, activated)   /* active: it was read back, in time */
       :: was[g] == revoking && (!seen || wanted) && state[g] == revoking -> move(g, ended)
       :: else
       fi;
       g++ }
  :: g == 2 -> break
  :: CRASH
  od;
  done = true;
  goto settle;

no:                          /* the outside refused: what is being granted has failed only if it is read to be absent */
  if
  :: atomic { true -> seen = present }
  :: atomic { FAULTY -> COUNT_FAULT; seen = true }
  :: CRASH
  fi;
#ifdef FAILED_UNREAD
  seen = false;
#endif
  done = !seen || (was[0] != revoking && was[1] != revoking);
  do
  :: atomic { g < 2 ->
       if
       :: was[g] == granting && state[g] == granting && !seen -> move(g, failed)
       :: was[g] == granting && state[g] == granting && seen -> move(g, revoking); put()
       :: was[g] == revoking && state[g] == revoking && !seen -> move(g, ended)
       :: else
       fi;
       g++ }
  :: g == 2 -> break
  :: CRASH
  od;
  goto settle;

again:
  done = false;
#ifdef GIVES_UP
  done = true;
#endif

settle:
  atomic { if :: turn == r -> turn = NOBODY :: else fi; settling[r] = true; forget() }
  if
  :: atomic {
       true -> settling[r] = false;
       if
       :: !MINE(r)
       :: else -> leased = false; owner = NOBODY;
          if
          :: done && SAME -> exists = false; generation = 0; held[0] = false; held[1] = false; RESTART
          :: else            /* put anew meanwhile, or to be tried again: it is due */
          fi
       fi;
       held[r] = false; mine = 0; claimed = 0; done = false;
       goto idle }
  :: CRASH
  fi;

dead:
  atomic {
    if :: turn == r -> turn = DEAD :: else fi;
    if :: leased && owner == r -> owner = DEAD :: else fi;
    held[r] = false; answer[r] = silent; settling[r] = false;
    mine = 0; claimed = 0; done = false; forget();
    goto idle
  }
}

/* Does what was asked, or not, or says something else than it did. From `healthy` on it does it and says so. */
proctype Outside(byte r) {
end:
  do
  :: atomic { flight[r] != nothing ->
       if
       :: flight[r] == adding -> apply(true)
       :: flight[r] == removing -> apply(false)
       :: !healthy
       fi;
       if
       :: answer[r] == asked ->
          if
          :: answer[r] = answered                        /* yes, or that it failed: neither proves anything */
          :: !healthy && flight[r] == adding -> answer[r] = refused
          fi
       :: else
       fi;
       flight[r] = nothing }
  od
}

/* Time goes on where nobody has anything left to do: without it a run that stands still is not looked at under fairness. */
proctype Idle() { do :: crashes <= CRASHES od }

proctype Heal() { healthy = true }

/* A lease outlasts every performance and everything that one has sent (README.md), not the word that it is over. */
proctype Leases() {
end:
  do
#ifdef LEASE_TOO_SHORT
  :: atomic { leased && owner < 2 -> leased = false; owner = NOBODY }
  :: atomic { turn < 2 -> turn = NOBODY }
#endif
  :: atomic { leased && owner == DEAD && flight[0] == nothing && flight[1] == nothing -> leased = false; owner = NOBODY }
  :: atomic { leased && owner < 2 && settling[owner] && LATE -> COUNT_LATE; leased = false; owner = NOBODY }
  :: atomic { turn == DEAD && flight[0] == nothing && flight[1] == nothing -> turn = NOBODY }
  od
}

inline take_back(g) {
#ifdef ENDS_UNCONFIRMED
  move(g, ended); put()
#else
#ifdef EFFECT_APART
  move(g, revoking);
  if :: crashes < CRASHES -> crashes++ :: put() fi       /* died between the commit and the effect */
#else
  move(g, revoking); put()
#endif
#endif
}

proctype Person(byte g) {
  if
  :: atomic { g == 0 || state[0] != approved -> move(g, granting); put() }   /* they are alike: 0 is the first */
  :: goto out                                            /* never used */
  fi;
  if
  :: atomic { OPEN(g) -> take_back(g) }
  :: goto out
  fi;
out:
  skip
}

proctype Clock(byte g) {
end:
  state[g] != approved;
  over[g] = true;
  if
  :: atomic { DUE(g) -> take_back(g) }
  :: SETTLED(g) || state[g] == revoking
  fi
}

init {
  atomic {
    run Replica(0); run Replica(1); run Outside(0); run Outside(1); run Heal(); run Leases(); run Idle();
    run Person(0); run Clock(0);
#if GRANTS > 1
    run Person(1); run Clock(1)
#endif
  }
}

/* Under weak fairness: access outside ends, and every grant that began comes to its end. */
ltl ends { <>[] (!present && SETTLED(0) && SETTLED(1)) }
