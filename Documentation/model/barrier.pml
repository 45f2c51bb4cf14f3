/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The write barrier, the scan of stacks, and the end of marking.
 *
 * Two mutators that load, drop and store references, a collector that marks
 * beside them, CYCLES times. What is modelled and what the macros NO_... take
 * away is told in Documentation/model.rst; scripts/model.sh runs it.
 *
 *	RACY		both mutators may store to one slot at the same time
 *	ANNOUNCE	the barrier that bears it: a mutator says which slot it is
 *			about to change, and needs no old value on the fast path
 *	FULL		the buffer may be full before any entry
 *	DEATH		the first mutator may end between any two steps
 *	STATIC		only the static variable has references
 *	STORES0/1	stores that a mutator makes; loads are not limited
 */

/*
 * Objects. 0 stands for static variables, a slot of which is always in reach;
 * 1 has one slot, 2 is a leaf. A reference is the object's number, 0 is nil.
 */
#define BIT(x)		(1 << (x))
#define HAS(set, x)	((set) & BIT(x))
#define NOWHERE		2		/* the leaf's slot is always nil */

byte slot[3];
byte allocated = 7;
byte grey, black;

/* The collector's words. Programs see marking and cycle. */
bit marking, phase, world;
byte cycle;
bool over;

/* A mutator: a local, and the registers of a store. */
byte reg[2], old[2], new[2], target[2];
bool storing[2], dead[2];

/* What it shares with the kernel: entries not drained yet, announced slot. */
byte buffer[2];
byte announced[2] = NOWHERE;

/* Its last store, which nobody else sees yet. */
mtype = { NONE, SLOT, ENTRY, ANNOUNCEMENT };
mtype sb[2] = NONE;
byte sb_where[2], sb_what[2];

inline drain_sb(m)
{
	if
	:: sb[m] == SLOT ->
		slot[sb_where[m]] = sb_what[m];
		announced[m] = NOWHERE	/* the next one may follow at once */
	:: sb[m] == ENTRY -> buffer[m] = buffer[m] | sb_what[m]
	:: sb[m] == ANNOUNCEMENT -> announced[m] = sb_where[m]
	:: else
	fi;
	sb[m] = NONE;
	sb_where[m] = 0;
	sb_what[m] = 0
}

/* In the order of the program: the store before this one goes first. */
inline put(m, kind, where, what)
{
	drain_sb(m);
	sb[m] = kind;
	sb_where[m] = where;
	sb_what[m] = what
}

inline get(m, where, to)
{
	if
	:: sb[m] == SLOT && sb_where[m] == where -> to = sb_what[m]
	:: else -> to = slot[where]
	fi
}

inline shade(set)
{
	grey = grey | ((set) & allocated & ~black & ~1)
}

inline drain(m)
{
	shade(buffer[m]);
	buffer[m] = 0
}

#ifdef NO_DELETION
#define OLD(m)	0
#else
#define OLD(m)	old[m]
#endif
#ifdef NO_INSERTION
#define NEW(m)	0
#else
#define NEW(m)	new[m]
#endif
#define ENTRIES(m)	((BIT(OLD(m)) | BIT(NEW(m))) & ~1)

inline report(m)
{
	if
	:: d_step { ENTRIES(m) -> put(m, ENTRY, 0, ENTRIES(m)) }
#ifdef FULL
	:: d_step { ENTRIES(m) && !world ->	/* and then a call of BARRIER */
		drain_sb(m);
		if
		:: phase -> drain(m); shade(ENTRIES(m))
		:: else -> buffer[m] = 0
		fi }
#endif
	:: atomic { !ENTRIES(m) -> skip }
	fi
}

#ifdef RACY
#define MAY_STORE(m, where)	true
#else	/* the program's own lock, and the store before its release */
#define MAY_STORE(m, where)	\
	(!(storing[1 - m] && target[1 - m] == where) && \
	 !(sb[1 - m] == SLOT && sb_where[1 - m] == where))
#endif

proctype mutator(bit m; byte stores)
{
	byte seen;

	{
end_idle:
	do
	:: d_step { true -> get(m, 0, reg[m]) }
#ifndef STATIC
	:: d_step { reg[m] == 1 -> get(m, 1, reg[m]) }
#endif
	:: d_step { reg[m] != 0 -> reg[m] = 0 }
	:: atomic { stores > 0 ->
#ifndef LIVENESS	/* where they never stop storing */
		stores--;
#endif
		if
		:: MAY_STORE(m, 0) -> target[m] = 0
#ifndef STATIC
		:: MAY_STORE(m, 1) && reg[m] == 1 -> target[m] = 1
#endif
		fi;
		storing[m] = true;
		if
		:: new[m] = 0
		:: reg[m] != 0 -> new[m] = reg[m]
		fi;
#ifdef ANNOUNCE
#ifndef NO_ANNOUNCEMENT
		put(m, ANNOUNCEMENT, target[m], 0)
#endif
#elif !defined(OLD_AFTER_TEST)
		get(m, target[m], old[m])
#endif
		}
		if
		:: !marking ->
#ifdef OLD_AFTER_TEST
			d_step { get(m, target[m], old[m]) }
#endif
			d_step { put(m, SLOT, target[m], new[m]) }
#ifdef NO_SECOND_TEST
			goto finish;
#endif
			if
			:: atomic { !marking -> goto finish }
			:: else
			fi
		:: else ->
			seen = cycle;
#if defined(ANNOUNCE) || defined(OLD_AFTER_TEST)
			d_step { get(m, target[m], old[m]) }
#endif
			report(m);
			d_step { put(m, SLOT, target[m], new[m]) }
#ifdef NO_RECHECK
			goto finish;
#endif
			if
			:: atomic { cycle == seen -> goto finish }
			:: else
			fi
		fi;
		report(m);
finish:
		atomic {
			seen = 0;
			old[m] = 0;
			new[m] = 0;
			target[m] = 0;
			storing[m] = false
		}
	od
	} unless { dead[m] }
}

proctype memory()
{
end:
	do
	:: d_step { sb[0] != NONE -> drain_sb(0) }
	:: d_step { sb[1] != NONE -> drain_sb(1) }
	od
}

#ifdef DEATH
proctype killer()
{
	d_step {
		!world && !over ->
		drain_sb(0);
#ifndef NO_DRAIN_AT_DEATH
		if
		:: phase -> drain(0)
		:: else -> buffer[0] = 0
		fi;
#endif
#ifndef NO_SCAN_AT_DEATH
		if
		:: phase -> shade(BIT(old[0]) | BIT(new[0]))
		:: else
		fi;
#endif
		buffer[0] = 0;
		reg[0] = 0;
		old[0] = 0;
		new[0] = 0;
		target[0] = 0;
		storing[0] = false;
		announced[0] = NOWHERE;
		dead[0] = true
	}
}
#endif

inline ipi()
{
	d_step { drain_sb(0) }
	d_step { drain_sb(1) }
}

inline scan(m)
{
	drain_sb(m);
	shade(BIT(reg[m]) | BIT(old[m]) | BIT(new[m]) | BIT(target[m]))
}

inline blacken(x)
{
	shade(BIT(slot[x]));
	grey = grey & ~BIT(x);
	black = black | BIT(x)
}

inline reach(x)
{
	if
	:: HAS(r, x) -> r = r | BIT(slot[x])
	:: else
	fi
}

inline reach_sb(m)
{
	if
	:: sb[m] == SLOT && HAS(r, sb_where[m]) -> r = r | BIT(sb_what[m])
	:: else
	fi
}

/* What a program can get at, in memory or on its way there, is black. */
inline check()
{
	r = 1 | BIT(reg[0]) | BIT(reg[1]) | BIT(new[0]) | BIT(new[1]) |
		BIT(target[0]) | BIT(target[1]);
	reach(0);
	reach_sb(0);
	reach_sb(1);
	reach(1);
	reach_sb(0);
	reach_sb(1);
	assert(!(r & ~black));
	r = 0
}

proctype collector()
{
	byte r, scanned;
#ifdef LOOP_ON_ENTRIES
	bool drained;
#endif

	do
	:: cycle == CYCLES -> break
	:: else ->
		d_step { world = 1; phase = 1 }
#ifndef CYCLE_COUNTS_ENDS
		cycle++;
#endif
		marking = 1;
#ifndef NO_IPI_AT_SETUP
		ipi();
#endif
		d_step { drain(0); drain(1) }
#ifdef ANNOUNCE
		d_step { shade(BIT(slot[announced[0]])) }
		d_step { shade(BIT(slot[announced[1]])) }
#endif
		d_step { world = 0; grey = grey | 1 }

		/* Roots: static variables at any time among them. */
		do
		:: scanned == 3 -> break
		:: d_step { HAS(grey, 0) -> blacken(0) }
		:: d_step { !HAS(scanned, 0) ->
			scanned = scanned | 1; scan(0) }
		:: d_step { !HAS(scanned, 1) ->
			scanned = scanned | 2; scan(1) }
		od;
again:
		do
		:: grey == 0 -> break
		:: d_step { HAS(grey, 0) -> blacken(0) }
		:: d_step { HAS(grey, 1) -> blacken(1) }
		:: d_step { HAS(grey, 2) -> blacken(2) }
		od;
		world = 1;
#ifndef NO_IPI_AT_END
		ipi();
#endif
#ifndef NO_DRAIN_AT_END
#ifdef LOOP_ON_ENTRIES
		drained = buffer[0] || buffer[1];
#endif
		d_step { drain(0) }
		d_step { drain(1) }
#endif
#ifndef NO_LOOP
		if
#ifdef LOOP_ON_ENTRIES
		:: drained -> world = 0; goto again
#endif
		:: grey != 0 -> world = 0; goto again
		:: else
		fi;
#endif
		marking = 0;
		d_step {
			check();
			phase = 0;
			allocated = black;
			black = 0;
			grey = 0;
			scanned = 0;
#ifdef CYCLE_COUNTS_ENDS
			cycle++;
#endif
			world = 0
		}
	od;
	over = true
}

init
{
	atomic {
		if
		:: slot[0] = 0
		:: slot[0] = 1
		:: slot[0] = 2
		fi;
		if
		:: slot[1] = 0
#ifndef STATIC
		:: slot[1] = 2
#endif
		fi;
		if
		:: reg[0] = 0
		:: reg[0] = 1
		:: reg[0] = 2
		fi;
		run memory();
		run mutator(0, STORES0);
		run mutator(1, STORES1);
#ifdef DEATH
		run killer();
#endif
		run collector()
	}
}

#ifdef LIVENESS
ltl live { (<> over) && ([] <> !storing[0]) && ([] <> !storing[1]) }
#endif
