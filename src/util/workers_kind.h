/* SPDX-License-Identifier: BSD-2-Clause */
/* The two kinds of workers, threads and the serial twin, behind one face. */
#ifndef UTIL_WORKERS_KIND_H
#define UTIL_WORKERS_KIND_H

#include <vtape/util.h>

struct workers_kind {
	struct workers *(*free)(struct workers *w);
	int (*lane_new)(struct workers *w, unsigned depth, struct lane **out);
	struct lane *(*lane_free)(struct lane *l);
	void (*lane_submit)(struct lane *l, struct job *j);
	void (*lane_wait_empty)(struct lane *l);
};

/* First member of what each kind really allocates. */
struct workers {
	const struct workers_kind *kind;
	unsigned threads;
};

struct lane {
	struct workers *workers;
};

#endif
