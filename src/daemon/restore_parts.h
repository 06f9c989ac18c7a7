/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that tar -M has put on several tapes: which members are the parts of one. */
#ifndef DAEMON_RESTORE_PARTS_H
#define DAEMON_RESTORE_PARTS_H

#include "daemon/serve_member.h"

struct part {
	struct contents_file file;
	uint32_t number;		/* of the member */
	uint64_t from, to, nth;		/* as contents_member has them */
	uint64_t before, bytes;		/* which of the file's bytes are here */
	uint64_t size;			/* of the file */
	uint64_t time_ns;		/* when it was written, or a little later */
};
struct parts {
	struct part *part;
	size_t n, cap;
};
void parts_fini(struct parts *p);
/* The parts of the file that member @m of @f, whose path is @path, is one of: from the first on that is known up to the
 * last, each beginning where the one before it ends; @m among them. */
int parts_find(struct call *c, const struct contents_file *f, const struct contents_member *m, const char *path,
	       struct parts *out);

#endif
