/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An archive of foreign bytes: its members, then the bytes of some of them.  Promised: what is told lies within the
 * archive and fits together, limits hold, and the bytes of a member that has a place are those that a stream gives.
 */
#include <errno.h>

#include <vtape/tarball.h>

#include "fuzz/fuzz.h"

#define MEMBERS_MAX 200u
#define STREAMS 6u
#define STREAM_BYTES (256u << 10)

struct input {
	const uint8_t *p;
	size_t n;
	uint64_t read;
};

static int read_input(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	struct input *in = ctx;

	*got = offset >= in->n ? 0 : in->n - offset < n ? in->n - offset : n;
	if (*got)
		memcpy(buf, in->p + offset, *got);
	in->read += *got;
	return 0;
}

struct told {
	unsigned count;
	size_t n;
	uint64_t last;
	struct { uint64_t from, size, data; } m[STREAMS];
};

static int member(void *ctx, const struct tarball_member *m)
{
	struct told *t = ctx;

	fuzz_require(t->count < MEMBERS_MAX);
	fuzz_require(m->path && strchr("-dlhcbps", m->type));
	fuzz_require(m->from <= m->to && m->to <= t->n && m->from >= t->last);
	fuzz_require(!m->user || strlen(m->user) > 0);
	if (m->data != TARBALL_NO_PLACE)
		fuzz_require(m->data >= m->from && m->data <= m->to && m->size <= m->to - m->data);
	t->last = m->from;
	if (t->count < STREAMS) {
		t->m[t->count].from = m->from;
		t->m[t->count].size = m->size;
		t->m[t->count].data = m->data;
	}
	t->count++;
	return 0;
}

/* Damaged or whole, it ends; where it is to be had in two ways they agree. */
static void stream(const struct tarball_source *src, uint64_t from, uint64_t skip, const uint8_t *bytes, uint64_t size)
{
	static uint8_t p[STREAM_BYTES];
	struct tarball_stream *s;
	size_t got = 0;
	uint64_t some;
	int r = tarball_stream_new(src, from, skip, &s);

	fuzz_require(r <= TARBALL_E_NONE);
	if (r)
		return;
	r = tarball_stream_read(s, p, sizeof(p), &got);
	fuzz_require(r == 0 || (r < 0 && !got));
	if (bytes && !r && got == size && got < sizeof(p))
		fuzz_require(!memcmp(p, bytes, got));
	r = tarball_stream_skip(s, UINT64_MAX, &some);
	fuzz_require(r <= 0);
	fuzz_require(tarball_stream_read(s, p, sizeof(p), &got) <= 0 && !got);
	tarball_stream_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tarball_limits limits = { .members = MEMBERS_MAX, .unpacked_bytes = 8u << 20 };
	struct input in = { data, size, 0 };
	const struct tarball_source src = { read_input, &in, size };
	struct tarball_info info = { .format = "" };
	struct told told = { .n = size };
	int r = tarball_each(&src, &limits, &info, member, &told);

	fuzz_require(r == 0 || (r == TARBALL_E_NONE && !told.count) || r == -ENOMEM);
	fuzz_require(!info.limited || info.broken);
	/* Unpacking without a limit is the wish of who reads a member: not here. */
	if (info.limited || r)
		return 0;
	for (unsigned i = 0; i < told.count && i < STREAMS; i++) {
		const uint8_t *bytes = told.m[i].data == TARBALL_NO_PLACE ? NULL : data + told.m[i].data;

		stream(&src, 0, i, bytes, told.m[i].size);
		if (!info.compressed)
			stream(&src, told.m[i].from, 0, NULL, 0);
	}
	return 0;
}
