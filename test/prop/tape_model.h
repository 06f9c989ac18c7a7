/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tape as a child would draw it: objects in arrays, a finger that points at one.  Everything walks.
 * It says what every operation of a drive must return and where the head is then.
 */
#ifndef TEST_TAPE_MODEL_H
#define TEST_TAPE_MODEL_H

#include "prop/prop.h"

struct strip { struct obj *o; uint64_t n; };
struct content { unsigned parts; struct strip part[TAPE_PARTITIONS_MAX]; };
struct model {
	struct content now;
	uint32_t p;		/* partition */
	uint64_t at;		/* object */
};

static inline void content_copy(struct content *to, const struct content *from)
{
	for (unsigned p = 0; p < TAPE_PARTITIONS_MAX; p++) {
		to->part[p].n = from->part[p].n;
		to->part[p].o = realloc(to->part[p].o, (from->part[p].n + 1) * sizeof(struct obj));
		if (from->part[p].n)
			memcpy(to->part[p].o, from->part[p].o, from->part[p].n * sizeof(struct obj));
	}
	to->parts = from->parts;
}

static inline void content_free(struct content *c)
{
	for (unsigned p = 0; p < TAPE_PARTITIONS_MAX; p++)
		free(c->part[p].o);
	memset(c, 0, sizeof(*c));
}

static inline struct strip *strip_of(struct model *m) { return &m->now.part[m->p]; }
static inline bool is_mark(struct model *m, uint64_t i) { return strip_of(m)->o[i].len == 0; }

static inline void model_append(struct model *m, struct obj o)
{
	struct strip *s = strip_of(m);

	s->n = m->at;
	s->o = realloc(s->o, (s->n + 1) * sizeof(o));
	s->o[s->n++] = o;
	m->at++;
}

static inline struct tape_tally model_tally(const struct strip *s, uint64_t object)
{
	struct tape_tally t = { .objects = object };

	for (uint64_t i = 0; i < object; i++) {
		t.marks += s->o[i].len == 0;
		t.bytes += s->o[i].len;
		t.odd += s->o[i].len & 1;
	}
	return t;
}

static inline struct tape_pos model_pos(struct model *m)
{
	struct tape_pos pos = { .partition = m->p, .object = m->at };

	for (uint64_t i = 0; i < m->at; i++) {
		pos.file += is_mark(m, i);
		pos.block = is_mark(m, i) ? 0 : pos.block + 1;
	}
	return pos;
}

/* One step in the direction of @n; what was stepped over is *o. */
static inline int model_step(struct model *m, int64_t n, struct obj *o)
{
	if (n > 0 ? m->at == strip_of(m)->n : m->at == 0)
		return n > 0 ? TAPE_E_EOD : TAPE_E_BOP;
	*o = strip_of(m)->o[n > 0 ? m->at++ : --m->at];
	return 0;
}

static inline int model_space_records(struct model *m, int64_t n, int64_t *done)
{
	struct obj o;
	int r;

	for (*done = 0; *done != n; *done += n > 0 ? 1 : -1) {
		r = model_step(m, n, &o);
		if (r || !o.len)
			return r ? r : TAPE_E_FILEMARK;
	}
	return 0;
}

static inline int model_space_filemarks(struct model *m, int64_t n, int64_t *done)
{
	struct obj o;
	int r;

	for (*done = 0; *done != n; *done += o.len ? 0 : n > 0 ? 1 : -1) {
		r = model_step(m, n, &o);
		if (r)
			return r;
	}
	return 0;
}

static inline int model_locate_file(struct model *m, uint32_t p, uint64_t file)
{
	m->p = p;
	for (m->at = 0; file > 0; file -= is_mark(m, m->at++))
		if (m->at == strip_of(m)->n)
			return TAPE_E_EOD;
	return 0;
}

#endif
