/*
 * Deploys: some of one application, all approved, and everybody who starts, ends and overtakes them.
 *
 * Modelled on store/model/lifecycle/deploying.py, store/model/slots.py, store/redis/requests.py and the guards of commit.lua.
 * What is left out is in README.md. Each #ifdef is one guard taken away. Deploy 0 was asked for first.
 */

#ifndef DEPLOYS
#define DEPLOYS 2
#endif
#ifndef CRASHES
#define CRASHES 1            /* how many times a replica dies between reading and committing */
#endif

#define NONE DEPLOYS

mtype = { approved, running, succeeded, failed, cancelled, superseded };

/* the truth in the store: each record with its version, and the slots of the environment with theirs */
mtype state[DEPLOYS] = approved;
byte version[DEPLOYS];
byte slot = NONE;            /* which one runs */
byte newest;                 /* the newest that was started, from 1; 0: none yet */
byte slots;                  /* their version */
bool over[DEPLOYS];          /* the time to report has passed */
byte crashes, count;

#define ENDED(d) (state[d] == succeeded || state[d] == failed || state[d] == cancelled || state[d] == superseded)

#ifdef SLOTS_UNGUARDED
#define SLOTS_SAME true
#else
#define SLOTS_SAME (slots == seen_slots)
#endif
#ifdef OVERTAKES_UNSEEN
#define OVERTAKEN false
#else
#define OVERTAKEN (seen_newest > d + 1)
#endif
#ifdef REPORTED_AT_ANY_TIME
#define HEARD (was != approved)
#else
#define HEARD (was == running && !was_over)
#endif

inline move(d, to) {
  assert(!ENDED(d));                          /* what has ended stays as it ended */
  assert(to != running || newest <= d + 1);   /* nothing starts after what was asked for later */
  state[d] = to; version[d]++
}

/* One running deploy per application. */
inline sound() {
  other = 0; count = 0;
  do
  :: other < DEPLOYS -> if :: state[other] == running -> count++ :: else fi; other++
  :: else -> break
  od;
  assert(count <= 1);
  other = 0; count = 0
}

inline read() {
  atomic {
    was = state[d]; seen = version[d]; seen_slots = slots; seen_slot = slot; seen_newest = newest; was_over = over[d]
  }
}

inline forget() { was = approved; seen = 0; seen_slots = 0; seen_slot = 0; seen_newest = 0; was_over = false }

inline free(to) {
  move(d, to);
  if :: slot == d -> slot = NONE :: else fi;
  slots++;
  sound()
}

/* Somebody who may deploy. Where it came to nothing they press again; while one runs there, they are told so. */
proctype Deployer(byte d) {
  byte seen, seen_slots, seen_slot, seen_newest, other;
  mtype was = approved;
  bool was_over;
end:
  do
  :: state[d] != approved -> break
  :: state[d] == approved && (slot == NONE || newest > d + 1) ->
     read();
     if
     :: atomic { crashes < CRASHES -> crashes++; forget() }   /* the process dies here */
     :: atomic {
          true ->
          if
          :: version[d] == seen && was == approved && OVERTAKEN -> move(d, superseded)
          :: version[d] == seen && was == approved && !OVERTAKEN && seen_slot == NONE && SLOTS_SAME ->
             move(d, running);
             slot = d; slots++;
             if :: d + 1 > newest -> newest = d + 1 :: else fi;
             other = 0;
             do
             :: other < d ->
                if
                :: state[other] == approved -> move(other, superseded)
                :: true                                       /* one of more than are looked at finds out by itself */
                fi;
                other++
             :: else -> break
             od;
             sound()
          :: else                                             /* moved meanwhile, or one runs there */
          fi;
          forget() }
     fi
  od
}

/* Its receiver reports, somebody cancels it, or neither. */
proctype Receiver(byte d) {
  byte seen, seen_slots, seen_slot, seen_newest, other;
  mtype was = approved;
  bool was_over;
end:
  do
  :: ENDED(d) -> break
  :: state[d] == running -> break                             /* never heard of */
  :: state[d] == running ->
     read();
     if
     :: atomic { crashes < CRASHES -> crashes++; forget() }
     :: atomic {
          true ->
          if
          :: version[d] == seen && slots == seen_slots && HEARD -> if :: free(succeeded) :: free(failed) fi
          :: version[d] == seen && slots == seen_slots && was == running -> free(cancelled)
#ifdef REPORTED_AT_ANY_TIME
          :: ENDED(d) -> free(succeeded)
#endif
          :: else
          fi;
          forget() }
     fi
  od
}

/* Time passes, and a replica sweeps what has run out of it. */
proctype Clock(byte d) {
  byte seen, seen_slots, seen_slot, seen_newest, other;
  mtype was = approved;
  bool was_over;
end:
  do
  :: ENDED(d) -> break
  :: state[d] == running && !over[d] -> over[d] = true
#ifndef SWEEP_FORGETS_RUNNING
  :: state[d] == running && over[d] ->
     read();
     if
     :: atomic { crashes < CRASHES -> crashes++; forget() }
     :: atomic {
          true ->
          if
          :: version[d] == seen && slots == seen_slots && was == running && was_over -> free(failed)
          :: else
          fi;
          forget() }
     fi
#endif
  od
}

/* Time goes on where nobody has anything left to do: without it a run that stands still is not looked at under fairness. */
proctype Idle() { do :: crashes <= CRASHES od }

init {
  atomic {
    byte each; each = 0;
    do
    :: each < DEPLOYS -> run Deployer(each); run Receiver(each); run Clock(each); each++
    :: else -> break
    od;
#ifdef TWICE
    run Deployer(0);                                          /* pressed by two at once */
#endif
    run Idle()
  }
}

/* Under weak fairness: what runs comes to its end. */
ltl ends { <>[] (slot == NONE && state[0] != running && state[1] != running) }
