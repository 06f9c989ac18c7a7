/* SPDX-License-Identifier: BSD-2-Clause */
/* Which members a restore is about, archive by archive. */
#ifndef DAEMON_RESTORE_CHOOSE_H
#define DAEMON_RESTORE_CHOOSE_H

#include "daemon/serve_member.h"

/* The bytes of member @source under the name of member @as; of several with one source the first gets the bytes, the
 * others are links to it. @source 0: a hard link to something that the archive does not have. */
struct pick { uint32_t source, as; };
struct chosen {
	struct contents_file file;
	bool all;			/* every member; then .pick is filled in by choice_finish() */
	struct pick *pick;		/* in the order of the archive */
	size_t n, cap;
	size_t nth;			/* in the order of naming */
};
struct choice {
	struct chosen *archive;
	size_t n, cap;
	uint64_t waiting, others;	/* tape files that are not looked at yet; that are no archives */
};
void choice_fini(struct choice *ch);
int choose_place(struct call *c, const struct place *p, struct choice *ch);
/* An array of what asked_parse() takes. Of one path the newest, unless @versions. */
int choose_found(struct call *c, const json_t *queries, bool versions, struct choice *ch);
/* Of one path the last one counts: in an archive, and (unless @versions) of archives the one that was chosen last. Then
 * archives are in the order of tapes, and links know where their bytes are. */
int choice_finish(struct call *c, struct choice *ch, bool versions);

#endif
