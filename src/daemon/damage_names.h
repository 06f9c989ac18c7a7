/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in the places of a tape that cannot be read: the members of the archives there. */
#ifndef DAEMON_DAMAGE_NAMES_H
#define DAEMON_DAMAGE_NAMES_H

#include "daemon/serve_call.h"

/* A range of a tape that cannot be read, and what is in it. */
struct hurt {
	struct tape_hurt at;
	json_t *members;	/* their paths; NULL: none */
	size_t names_bytes;
	uint64_t more;		/* members that found no room in @members */
	json_t *behind;		/* the last member that ends before it; NULL: none */
};
void hurt_fini(struct hurt *h);

/* All the ranges of one tape file, in order. */
struct hurt_file {
	struct hurt *h;
	size_t n;
	bool archive;		/* what follows is known, and each range's members */
	bool compressed;
	bool rest_lost;		/* what comes behind the first of its ranges is lost, too */
	bool broken;		/* there may be members whose names cannot be read */
	char format[64];
};

/* Names the members of the archive in it, if it is one: as the catalog has them, in a time that does not grow with the
 * archive; else by looking at its headers, around what cannot be read.  What cannot be looked at is no archive. */
void damage_names(struct call *c, struct hurt_file *f);

#endif
