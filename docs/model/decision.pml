/*
 * Decision: one request, from the first click to the decision and its first use, through two replicas that load, decide and commit.
 *
 * Modelled on store/redis/requests.py, load.lua, commit.lua, store/model/lifecycle/ and store/model/standing.py.
 * What is left out is in README.md. Each #ifdef is one guard taken away.
 */

#ifndef CRASHES
#define CRASHES 1            /* how many times a replica dies, at any step: it forgets, and what it committed stays */
#endif
#ifndef AGAIN
#define AGAIN 1              /* how many times Slack delivers a click once more */
#endif
/* All of it together is too large a space, so a run says who clicks (a sum of the numbers below), and what else moves. */
#ifndef CLICKS
#define CLICKS (ANA_YES | BOB_YES | EDIT)
#endif
#ifndef LAST
#define LAST 3               /* the end of time */
#endif


mtype = { pending, approved, denied, withdrawn, expired, used };
#define OVER(state) (state == denied || state == withdrawn || state == expired)

#define ANA 0                /* the approvers; the quorum is both of them */
#define BOB 1
#define ASKS 2               /* the requester, who must not approve */

/* the clicks: bit in CLICKS, and number */
#define ANA_YES 1
#define BOB_YES 2
#define REQUESTER_YES 4
#define ANA_YES_AGAIN 8
#define BOB_NO 16
#define WITHDRAW 32
#define EDIT 64
#define ACTIVATE 128
#define C_WITHDRAW 5
#define C_EDIT 6
#define C_ACTIVATE 7
#define DUE 8                /* the clock's; not a click */
#define NONE 9

#ifndef FRESH
#define FRESH 1              /* how long a fact about people counts */
#endif
#define ASK_FOR 2            /* how long a request waits to be decided */
#define USE_WITHIN 1         /* and an approval to be used */

#define OUT_NONE 0
#define OUT_SEEN 1           /* answered: there is nothing to do */
#define OUT_REFUSED 2
#define OUT_OTHER 3          /* refused, because the card shows another revision */
#define OUT_COMMIT 4
#define LATER 255

#ifdef NO_DEADLINE
#define NO_DEADLINE_IN_COMMIT
#endif

/* the guards that are taken away inside an expression */
#ifdef WITHDRAWN_AT_ANY_TIME
#define WITHDRAWABLE true
#else
#define WITHDRAWABLE (it.state == pending || it.state == approved)
#endif
#ifdef COMMAND_FORGOTTEN
#define ANSWERED false
#else
#define ANSWERED (c == DUE && (dues & (1 << due)) || c < DUE && answered[c])
#endif
#ifdef RECALLED_UNGUARDED
#define GUARDED (!recalled)
#else
#define GUARDED true
#endif
#ifdef REFUSED_ON_MEMORY
#define FROM_MEMORY false
#else
#define FROM_MEMORY recalled
#endif

/* the record */
typedef Record {
  mtype state; byte version, revision, deadline;
  byte vote[3];              /* 0: none, 1: approve, 2: deny */
  byte seen[3];              /* the revision that was looked at when voting: not in the product, to check by */
};
Record truth;
byte policy;                 /* 1: Bob is no approver any more */
byte now;
byte clicked[8];             /* 1 + the revision the card showed, by click */
byte taken[8], counted[8];   /* how often delivered; how often committed */
bool answered[9];            /* command ids that are kept, with their answers */
byte dues;                   /* timers answered: bit by instant, because a timer's id names its instant */
byte again, crashes;
byte decided;                /* how often it was */

/* people, and what the replicas share of Slack's answer */
bool member = true;          /* whether Ana is one of the approvers: she may leave */
byte left_at = 255;
bool known = true;
byte known_at;

#define BY(c) ((c == 0 || c == 3) -> ANA : ((c == 1 || c == 4) -> BOB : ASKS))
#define VERDICT(c) (c == 4 -> 2 : 1)

/* Eligible by what this replica was told. Under both policies: a person must be named by the one of then and the one of now. */
#ifdef SELF_APPROVAL
#define MAY(p) (p == ASKS || p == ANA && facts || p == BOB && rules == 0)
#else
#define MAY(p) (p == ANA && facts || p == BOB && rules == 0)
#endif
/* Eligible in truth, as far as it can be known at all: at most FRESH ago. */
#define TRULY(p) (p == ANA && (member || now < left_at + FRESH) || p == BOB && policy == 0)
#define COUNTS(p) (truth.vote[p] == 1 && truth.seen[p] == truth.revision && TRULY(p))

inline copy(to, from) {
  to.state = from.state; to.version = from.version; to.revision = from.revision; to.deadline = from.deadline;
  to.vote[0] = from.vote[0]; to.vote[1] = from.vote[1]; to.vote[2] = from.vote[2];
  to.seen[0] = from.seen[0]; to.seen[1] = from.seen[1]; to.seen[2] = from.seen[2]
}

inline load() {
  copy(it, truth); rules = policy; at = now; recalled = false;
  if
  :: ANSWERED -> out = OUT_SEEN
  :: else -> out = OUT_NONE
  fi
}

inline forget() {
  it.state = 0; it.version = 0; it.revision = 0; it.deadline = 0;
  it.vote[0] = 0; it.vote[1] = 0; it.vote[2] = 0; it.seen[0] = 0; it.seen[1] = 0; it.seen[2] = 0;
  rules = 0; have = false
}
inline drop() { c = NONE; due = 0; at = 0; facts = false; facts_at = 0; until = 0; recalled = false; out = OUT_NONE; guarded = false; twice = 0; from = 0 }

/* `transition`: pure. Changes the copy, and says until when it is good and whether the policies are guarded. */
inline decide() {
  until = LATER; guarded = recalled; from = it.state; twice = 0;
  if
#ifndef NO_DEADLINE
  :: c != DUE && it.state != used && at >= it.deadline -> out = OUT_REFUSED
#endif
  :: c <= 4 && it.state == pending ->
     if
#ifndef CARD_UNREAD
     :: clicked[c] != it.revision + 1 -> out = OUT_OTHER
#endif
     :: !MAY(BY(c)) -> out = OUT_REFUSED
     :: else ->
        out = OUT_COMMIT;
        if :: it.vote[BY(c)] == 1 && VERDICT(c) == 1 -> twice = 1 :: else fi;
        it.vote[BY(c)] = VERDICT(c); it.seen[BY(c)] = clicked[c] - 1;
#ifndef TWO_VOTES
        twice = 0;
#endif
        if
        :: it.vote[ANA] == 2 && MAY(ANA) || it.vote[BOB] == 2 && MAY(BOB) -> it.state = denied
        :: else ->
           if
           :: twice + (it.vote[ANA] == 1 && MAY(ANA)) + (it.vote[BOB] == 1 && MAY(BOB)) + (it.vote[ASKS] == 1 && MAY(ASKS)) >= 2 ->
              it.state = approved
           :: else
           fi
        fi;
        if
        :: it.state != pending ->
           until = facts_at + FRESH; guarded = true;
#ifndef NO_DEADLINE_IN_COMMIT
           if :: it.deadline < until -> until = it.deadline :: else fi;
#endif
           if :: it.state == approved -> it.deadline = at + USE_WITHIN :: else -> it.deadline = LATER fi
        :: else
        fi
     fi
  :: c == C_WITHDRAW && WITHDRAWABLE -> it.state = withdrawn; it.deadline = LATER; out = OUT_COMMIT
  :: c == C_EDIT && it.state == pending ->
     it.revision++; out = OUT_COMMIT;
#ifndef EDIT_KEEPS_REVIEWS
     it.vote[0] = 0; it.vote[1] = 0; it.vote[2] = 0; it.seen[0] = 0; it.seen[1] = 0; it.seen[2] = 0
#endif
  :: c == C_ACTIVATE && it.state == approved ->
     until = facts_at + FRESH; guarded = true;
     if :: it.deadline < until -> until = it.deadline :: else fi;
     it.state = used; it.deadline = LATER; out = OUT_COMMIT
  :: c == DUE && it.deadline < LATER && at >= due && it.deadline == due -> it.state = expired; it.deadline = LATER; out = OUT_COMMIT
  :: else -> out = OUT_REFUSED
  fi
}

/* commit.lua: all of it or nothing. */
inline commit() {
  if
  :: ANSWERED -> out = OUT_SEEN
#ifndef GOOD_UNTIL_FORGOTTEN
  :: until < LATER && now >= until -> load(); have = true                 /* late: decide again on what is there now */
#endif
#ifndef NO_VERSION_GUARD
  :: it.version != truth.version && GUARDED -> load(); have = true                                              /* moved: the same */
#endif
#ifndef NO_POLICY_GUARD
  :: guarded && rules != policy && GUARDED -> load(); have = true
#endif
  :: else ->
     assert(!OVER(truth.state));                                          /* terminal states never change */
     assert(from == truth.state);                                         /* a step of the table, from where it was */
     assert(it.revision == truth.revision || c == C_EDIT && it.revision == truth.revision + 1);
     if
     :: it.state != truth.state && (it.state == approved || it.state == denied) ->
        decided++; assert(decided == 1);
        assert(now < truth.deadline)
     :: it.state == expired -> assert(now >= truth.deadline)
     :: it.state == used -> assert(now < truth.deadline)
     :: else
     fi;
     copy(truth, it);
     truth.version++;
     if
     :: from == pending && truth.state == approved -> assert(COUNTS(ANA) && COUNTS(BOB))   /* the quorum, distinct, of this revision, now */
     :: from == pending && truth.state == denied -> assert(truth.vote[ANA] == 2 && truth.seen[ANA] == truth.revision && TRULY(ANA) || truth.vote[BOB] == 2 && truth.seen[BOB] == truth.revision && TRULY(BOB))
     :: else
     fi;
     if
     :: c == DUE -> dues = dues | (1 << due)
     :: else -> counted[c]++; assert(counted[c] == 1); answered[c] = true  /* a command id counts once */
     fi;
     out = OUT_SEEN; forget()
  fi
}

#define CRASH d_step { crashes < CRASHES -> crashes++; forget(); drop() }; goto idle

#define TAKE(n, bit) d_step { (CLICKS & bit) && (taken[n] == 0 || taken[n] == 1 && again < AGAIN) -> \
  if :: taken[n] == 0 -> clicked[n] = truth.revision + 1 :: else -> again++ fi; taken[n]++; c = n }

proctype Replica() {
  Record it;                 /* what it read last, and still remembers */
  bool have, recalled, facts, guarded;
  byte c = NONE, due, at, rules, facts_at, until, out, twice;
  mtype from;

idle:
end:
  if
  :: TAKE(0, ANA_YES)
  :: TAKE(1, BOB_YES)
  :: TAKE(2, REQUESTER_YES)
  :: TAKE(3, ANA_YES_AGAIN)
  :: TAKE(4, BOB_NO)
  :: TAKE(5, WITHDRAW)
  :: TAKE(6, EDIT)
  :: TAKE(7, ACTIVATE)
  :: d_step { now >= truth.deadline -> c = DUE; due = truth.deadline }
  fi;

  if
  :: d_step { have -> recalled = true; at = now; out = OUT_NONE }
  :: d_step { true -> load(); have = true }
  fi;

look:
  if
  :: d_step { out == OUT_SEEN -> drop() } goto idle
  :: d_step { out == OUT_NONE && (c <= 4 || c == C_ACTIVATE) ->          /* who the people are: at most FRESH old */
       if :: now >= known_at + FRESH -> known = member; known_at = now :: else fi;
       facts = known; facts_at = known_at }
  :: out == OUT_NONE && c > 4 && c != C_ACTIVATE
  :: CRASH
  fi;

  if
  :: d_step { true -> decide();
       if
       :: out == OUT_COMMIT -> commit()
       :: else
       fi }
  :: CRASH
  fi;
  if
  :: d_step { (out == OUT_REFUSED || out == OUT_OTHER) && FROM_MEMORY -> load() } goto look    /* nobody is refused on a memory */
  :: d_step { (out == OUT_REFUSED || out == OUT_OTHER) && !FROM_MEMORY ->
       assert(out != OUT_OTHER || clicked[c] != truth.revision + 1);       /* the card really shows something else */
       drop() } goto idle
  :: out == OUT_SEEN || out == OUT_NONE -> goto look
  fi
}

proctype Time() {
end:
  do
  :: now < LAST -> now++
  od
}

proctype Leaves() { d_step { member = false; left_at = now } }
proctype Owner() { policy = 1 }
proctype Idle() { do :: now <= LAST od }

init {
  d_step { truth.state = pending; truth.version = 1; truth.deadline = ASK_FOR }
  atomic { run Replica(); run Replica(); run Time(); run Idle();
#ifdef LEAVES
    run Leaves();
#endif
#ifdef POLICY_MOVES
    run Owner()
#endif
  }
}

/* Under weak fairness: nothing waits for ever. */
ltl ends { <> (OVER(truth.state) || truth.state == used) }
