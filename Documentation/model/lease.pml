/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Leases: slots that a mutator takes without a call while cycles come and go.
 *
 * Two mutators that take slots, drop them, ask for more, and end; a collector
 * that makes CYCLES cycles beside them. What is modelled and what the macros
 * NO_... take away is told in Documentation/model.rst; scripts/model.sh runs it.
 */

#ifdef LIVENESS
#define ALL		3		/* a set of slots is a bitmap */
#else
#define ALL		7
#endif
#define BIT(x)		(1 << (x))
#define NOTHING		0		/* else a reference is a bit */

/* The kernel's: slots that are free, dead and not swept yet, marked, granted. */
byte free_slots = ALL;
byte unswept, black;
byte granted[2];
bit phase, world;
byte cycle;
bool over;

/* Shared words, and the store to the mask that only its mutator sees yet. */
byte mask[2], generation[2];
bool sb[2];
byte sb_mask[2];

/* A mutator: its local variable, the reference it is about to make its own. */
byte reg[2], pick[2];
byte known[2], returned[2];
bool taking[2];

/* No part of the protocol: what the programs rightly believe to be theirs. */
byte owned;

inline drain_sb(m)
{
	if
	:: sb[m] -> mask[m] = sb_mask[m]
	:: else
	fi;
	sb[m] = false;
	sb_mask[m] = 0
}

inline put_mask(m, to)
{
	drain_sb(m);
	sb[m] = true;
	sb_mask[m] = to
}

#define GET_MASK(m)	(sb[m] -> sb_mask[m] : mask[m])
#define UNTAKEN(m)	(mask[m] & granted[m])

/* What was not taken is free again. */
inline settle(m)
{
	assert(!(UNTAKEN(m) & owned));
	free_slots = free_slots | UNTAKEN(m);
	black = black & ~UNTAKEN(m);
	granted[m] = 0
}

inline grant(m, slots)
{
	assert(!((slots) & (owned | granted[1 - m])));
	granted[m] = slots;
	mask[m] = slots;
	free_slots = free_slots & ~granted[m];
#ifndef NO_BLACK_GRANT
	if
	:: phase -> black = black | granted[m]
	:: else
	fi;
#endif
	returned[m] = generation[m]
}

proctype mutator(bit m)
{
	byte seen;

end_idle:
	do
	/* drop */
	:: d_step { reg[m] != NOTHING ->
		owned = owned & ~reg[m]; reg[m] = NOTHING }
	/* end; the next thread gets the control pages */
	:: d_step { !world ->
		drain_sb(m); owned = owned & ~reg[m]; reg[m] = NOTHING;
		settle(m); mask[m] = 0 }
	/* take */
	:: reg[m] == NOTHING ->
		taking[m] = true;
		d_step { seen = GET_MASK(m) }
		if
		:: seen == 0 -> goto refill
		:: d_step { seen & 1 -> pick[m] = 1 }
		:: d_step { seen & 2 -> pick[m] = 2 }
		:: d_step { seen & 4 -> pick[m] = 4 }
		fi;
		d_step { put_mask(m, seen & ~pick[m]) }
		if
#ifndef NO_COMPARE
		:: d_step { generation[m] != known[m] ->
			put_mask(m, seen); seen = 0; pick[m] = NOTHING }
#endif
		:: d_step {
#ifndef NO_COMPARE
			generation[m] == known[m] ->
#else
			true ->
#endif
			assert(!(owned & pick[m]));
			owned = owned | pick[m];
			reg[m] = pick[m];
			seen = 0;
			pick[m] = NOTHING }
			goto taken
		/* killed in the middle */
		:: d_step { !world ->
			drain_sb(m); pick[m] = NOTHING; seen = 0;
			settle(m); mask[m] = 0 }
			goto taken
		fi;
refill:
		atomic { !world ->
			d_step { drain_sb(m); settle(m) }
			if
			:: d_step { free_slots & 1 -> grant(m, 1) }
			:: d_step { free_slots & 2 -> grant(m, 2) }
			:: d_step { free_slots & 4 -> grant(m, 4) }
			:: d_step { free_slots != 0 -> grant(m, free_slots) }
			:: d_step { free_slots == 0 -> grant(m, 0) }
			fi }
#ifdef READ_LATE
		d_step { known[m] = generation[m]; returned[m] = 0 }
#else
		d_step { known[m] = returned[m]; returned[m] = 0 }
#endif
taken:
		taking[m] = false
	od
}

proctype memory()
{
end:
	do
	:: d_step { sb[0] -> drain_sb(0) }
	:: d_step { sb[1] -> drain_sb(1) }
	od
}

inline ipi()
{
	d_step { drain_sb(0) }
	d_step { drain_sb(1) }
}

inline blacken_leases()
{
#ifndef NO_BLACK_LEASES
	d_step { black = black | UNTAKEN(0) }
	d_step { black = black | UNTAKEN(1) }
#endif
	skip
}

inline scan(m)
{
	drain_sb(m);
#ifdef NO_PICK_SCANNED
	black = black | reg[m]
#else
	black = black | reg[m] | pick[m]
#endif
}

inline scan_all()
{
	if
	:: d_step { scan(0) } d_step { scan(1) }
	:: d_step { scan(1) } d_step { scan(0) }
	fi
}

inline move_generation()
{
	d_step { generation[0]++ }
	d_step { generation[1]++ }
}

inline settle_all()
{
#ifndef NO_SETTLE
	d_step { settle(0) }
	mask[0] = 0;
	d_step { settle(1) }
	mask[1] = 0;
#endif
	skip
}

proctype collector()
{
	do
	:: cycle == CYCLES -> break
	:: else ->
		/* setup */
		d_step { world = 1; phase = 1; cycle++ }
#ifndef NO_IPI_AT_SETUP
		ipi();
#endif
#ifndef SCAN_FIRST
		blacken_leases();
		world = 0;
		scan_all();
#else
		world = 0;
		scan_all();
		world = 1;
		blacken_leases();
		world = 0;
#endif
		/* end of marking */
		world = 1;
#ifndef GENERATION_LATE
		move_generation();
#ifndef NO_IPI_AFTER_GENERATION
		ipi();
#endif
		settle_all();
#else
		ipi();
		settle_all();
		move_generation();
		ipi();
#endif
		d_step {
			phase = 0;
			unswept = ALL & ~free_slots & ~black;
			assert(!(unswept & owned));
			black = 0;
			world = 0
		}
		/* sweep */
		do
		:: unswept == 0 -> break
		:: d_step { unswept & 1 ->
			unswept = unswept & ~1; free_slots = free_slots | 1 }
		:: d_step { unswept & 2 ->
			unswept = unswept & ~2; free_slots = free_slots | 2 }
		:: d_step { unswept & 4 ->
			unswept = unswept & ~4; free_slots = free_slots | 4 }
		od
	od;
	over = true
}

init
{
	atomic {
		run memory();
		run mutator(0);
		run mutator(1);
		run collector()
	}
}

#ifdef LIVENESS
ltl live { (<> over) && ([] <> !taking[0]) && ([] <> !taking[1]) }
#endif
