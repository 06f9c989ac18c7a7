/* SPDX-License-Identifier: BSD-2-Clause */
/* How a tape behaves.  The words are explained in conform.h. */
#include "conform/conform.h"

#define MIB (1ull << 20)

const struct conform_row conform_table[] = {
	/* ---- records */
	{ "a record comes back as it was written", "w10 w20000 w1 m1 rew r30000:1 r30000:2 r30000:3" },
	{ "each read gives one record, however large the buffer", "w10 w20 m1 rew r1000:1 @0,1 r1000:2 @0,2" },
	{ "a record of the buffer's size fits", "w512 m1 rew r512:1 @0,1" },
	{ "a record longer than the buffer is told and stepped past", "w100 w10 m1 rew r50:1=long @0,1 r50:2" },
	{ "records of one byte", "w1*300 m1 rew r10:1 fsr298 r10:300 r10=mark" },
	{ "records of many lengths",
	  "w1 w2 w3 w65536 w65535 w7 m1 rew r70000:1 r70000:2 r70000:3 r70000:4 r70000:5 r70000:6" },
	{ "a record of a mebibyte", "w1044480 m1 rew r1044480:1 @0,1" },
	{ "the position counts records in a file", "w10 @0,1 w10 @0,2 m1 @1,0 w10 @1,1" },

	/* ---- filemarks and the end of data */
	{ "a filemark stops a read, which steps past it", "w10 m1 w20 m1 rew r64:1 r64=mark @1,0 r64:2 r64=mark @2,0" },
	{ "two filemarks are met one by one", "w10 m2 w20 m1 rew r64:1 r64=mark @1,0 r64=mark @2,0 r64:2" },
	{ "at the end of data nothing is read and nothing moves", "w10 m1 rew r64:1 r64=mark r64=eod @1,0" },
	{ "a blank tape is at its end of data", "r64=eod @0,0" },
	{ "a tape of one filemark", "m1 rew r64=mark @1,0 r64=eod" },
	{ "no filemarks written: the position stays", "w10 m0 @0,1 m1 rew r64:1 r64=mark" },

	/* ---- over records */
	{ "over records forwards", "w1 w2 w3 w4 m1 rew fsr2 @0,2 r64:3" },
	{ "over records backwards", "w1 w2 w3 w4 bsr3 @0,1 r64:2" },
	{ "back over a record and read it again", "w10 w20 m1 rew r64:1 bsr1 @0,0 r64:1" },
	{ "forwards over records stops behind a filemark", "w1 w2 m1 w3 m1 rew fsr3=mark @1,0 r64:3" },
	{ "up to the filemark is no stop", "w1 w2 m1 rew fsr2 @0,2 r64=mark" },
	{ "backwards over records stops before a filemark",
	  "w1 m1 w2 w3 m1 bsr1=mark bsr2 @1,0 bsr1=mark @0,1 r64=mark" },
	{ "backwards at once over a filemark", "w1 m1 bsr1=mark @0,1 r64=mark @1,0" },
	{ "forwards over records stops at the end of data", "w1 w2 m1 w3 w4 m1 rew fsf1 fsr2 fsr1=mark fsr1=eod @2,0" },
	{ "backwards over records stops at the beginning", "w1 w2 m1 rew fsr1 bsr5=bop @0,0 r64:1" },
	{ "at the beginning there is nothing before", "bsr1=bop @0,0 bsf1=bop @0,0" },

	/* ---- over filemarks */
	{ "over filemarks forwards: behind the mark", "w1 m1 w2 m1 w3 m1 rew fsf1 @1,0 r64:2 fsf1 @2,0 r64:3" },
	{ "over several filemarks at once", "w1 m1 w2 m1 w3 m1 w4 m1 rew fsf3 @3,0 r64:4" },
	{ "over filemarks from the middle of a file", "w1 w2 w3 m1 w4 m1 rew fsr1 fsf1 @1,0 r64:4" },
	{ "over filemarks backwards: before the mark", "w1 m1 w2 m1 w3 m1 bsf1 @2,1 r64=mark @3,0" },
	{ "back two filemarks and forward one is the start of this file",
	  "w1 m1 w2 w3 m1 rew fsf1 fsr2 bsf1 fsf1 @1,0 r64:2" },
	{ "more filemarks than there are: the end of data", "w1 m1 w2 m1 rew fsf5=eod @2,0 r64=eod" },
	{ "a file without a closing filemark has none to go over", "w1 m1 w2 m1 w3 m1 eod bsf1 fsf2=eod @3,0" },
	{ "more filemarks back than there are: the beginning", "w1 m1 w2 m1 bsf5=bop @0,0 r64:1" },
	{ "empty files are files", "m3 w1 m1 rew fsf2 @2,0 fsf1 @3,0 r64:1" },

	/* ---- to a place */
	{ "to the end of data, and on from there", "w1 m1 w2 m1 rew eod @2,0 w3 m1 rew fsf2 r64:3" },
	{ "to an object: filemarks count", "w1 w2 m1 w3 w4 m1 rew loc4 @1,1 r64:4" },
	{ "to an object that is a filemark", "w1 w2 m1 w3 m1 rew loc2 @0,2 r64=mark" },
	{ "to object 0", "w1 w2 m1 loc0 @0,0 r64:1" },
	{ "to an object behind the end of data", "w1 m1 rew loc9=eod r64=eod" },
	{ "rewinding twice", "w1 m1 rew rew @0,0 r64:1" },

	/* ---- writing over */
	{ "writing at the beginning makes a new tape",
	  "w1 w2 m1 w3 m1 rew w40 m1 @1,0 r64=eod rew r64:4 r64=mark r64=eod" },
	{ "writing in the middle cuts off what follows",
	  "w1 w2 w3 w4 m1 rew fsr2 w50 m1 rew r64:1 r64:2 r64:5 r64=mark r64=eod" },
	{ "writing over a filemark", "w1 m1 w2 m1 rew fsr1 w30 m1 rew r64:1 r64:3 r64=mark r64=eod" },
	{ "a filemark in the middle cuts off what follows",
	  "w1 w2 w3 m1 rew fsr1 m1 @1,0 r64=eod rew r64:1 r64=mark r64=eod" },
	{ "appending behind the last filemark",
	  "w1 m1 w2 m1 rew fsf2 w3 m1 rew fsf1 r64:2 r64=mark r64:3 r64=mark r64=eod" },
	{ "appending over the second of two filemarks",
	  "w1 m2 bsf1 w2 m2 rew r64:1 r64=mark r64:2 r64=mark r64=mark r64=eod" },
	{ "writing over again and again", "w1 m1 rew w2 m1 rew w3 m1 rew w4 m1 rew r64:4 r64=mark r64=eod" },
	{ "writing over long data with short", "w60000*20 m1 rew w10 m1 rew r99:21 r99=mark r99=eod" },
	{ "what was cut off in the middle of a chunk reads back up to there",
	  "w5000*40 m1 rew fsr17 w7000*3 m1 rew fsr16 r9000:17 r9000:41 r9000:42 r9000:43 r9000=mark r9000=eod" },

	/* ---- erase */
	{ "erasing at the beginning", "w1 m1 w2 m1 rew erase r64=eod @0,0 fsf1=eod" },
	{ "erasing in the middle", "w1 m1 w2 m1 w3 m1 rew fsf1 erase @1,0 r64=eod rew r64:1 r64=mark r64=eod" },
	{ "an erased tape is written like a blank one", "w1 m1 rew erase w20 m1 rew r64:2 r64=mark r64=eod" },

	/* ---- out and in */
	{ "a tape comes back with what was on it",
	  "w10 w20000 m1 w30 m1 reload @0,0 r30000:1 r30000:2 r30000=mark r30000:3" },
	{ "a tape goes on where it ended", "w1 m1 reload eod w2 m1 reload fsf1 r64:2 r64=mark r64=eod" },
	{ "written over after it was out", "w1 w2 w3 m1 reload fsr1 w40 m1 reload r64:1 r64:4 r64=mark r64=eod" },

	/* ---- the end of the tape: early warning with a tenth left */
	{ "early warning is told, and the record is written",
	  "w100000*9 w100000=early m1=early rew fsr9 r200000:10", MIB },
	{ "writing goes on behind early warning until it is full",
	  "w100000*9 w100000=early w40000=early w100000=full m1=early rew fsr10 r200000:11 r200000=mark r200000=eod",
	  MIB },
	{ "a full tape takes a shorter record",
	  "w100000*9 w100000=early w100000=full w40000=early w8576=early w1=full", MIB },
	{ "a full tape can be written over",
	  "w100000*9 w100000=early m1=early rew w100000 m1 rew r200000:11 r200000=mark r200000=eod",
	  MIB },

	/* ---- write protection and WORM */
	{ "a protected tape is read and not written",
	  "w1 m1 protect rew r64:1 w2=prot m1=prot rew erase=prot r64:1 r64=mark r64=eod" },
	{ "a WORM tape is appended to", "w1 m1 w2 m1 reload eod w3 m1 rew fsf2 r64:3", 0, true },
	{ "what is on a WORM tape stays", "w1 m1 w2 m1 rew w3=prot m1=prot erase=prot r64:1 fsf1 r64:2", 0, true },
	{ "records on a WORM tape stay, also the last one",
	  "w1 w2 m1 bsf1 bsr1 w3=prot m1=prot erase=prot eod w4 m1 rew r64:1 r64:2 r64=mark r64:4 r64=mark r64=eod",
	  0, true },
	{ "a filemark at the end of a WORM tape is written over by who wrote it",
	  "w1 m2 bsf1 w2 m1 bsf1 w3 m1 rew r64:1 r64=mark r64:2 r64:3 r64=mark r64=eod", 0, true },
	{ "a filemark of another time on a WORM tape stays",
	  "w1 m2 reload eod bsf1 w2=prot m1=prot erase=prot r64=mark r64=eod w3 m1 rew r64:1 r64=mark r64=mark r64:3",
	  0, true },
	{ "at the end of a WORM tape there is nothing to erase", "w1 m1 erase rew r64:1 r64=mark r64=eod", 0, true },
	{ "a full WORM tape is not written over",
	  "w100000*9 w100000=early w100000=full m1=early rew w1=prot m1=prot r200000:1 r200000:2", MIB, true },

	/* ---- locked: as WORM, for a time */
	{ "a blank tape that is locked takes records", "lock w1 m1 rew w2=prot m1=prot erase=prot r64:1 r64=mark r64=eod" },
	{ "what is on a locked tape stays, and it is appended to",
	  "w1 m1 w2 m1 lock rew w3=prot m1=prot erase=prot r64:1 fsf2 w4 m1 reload w5=prot m1=prot "
	  "r64:1 r64=mark r64:2 r64=mark r64:4 r64=mark r64=eod" },
	{ "a refused write is in nobody's way",
	  "w1 m1 lock rew w2=prot rew @0,0 w2=prot bsr1=bop w2=prot eod w2 m1 rew w3=prot reload r64:1 r64=mark r64:5" },
	{ "filemarks that were there before stay on a locked tape",
	  "w1 m2 reload lock eod bsf1 w2=prot m1=prot erase=prot r64=mark w3 m1 rew fsf2 r64:3" },
};

const size_t conform_rows = sizeof(conform_table) / sizeof(conform_table[0]);
