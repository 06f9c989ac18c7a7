/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writers, readers and the collector, copying forward, at once, on real threads: every committed stream reads back
 * right, whatever the collector did meanwhile, also by a map that is out of date; at the end the store is opened anew
 * and read once more.  Made for -Db_sanitize=thread.
 */
#include "rig.h"

#define STREAMS 4
#define ROUNDS 12
#define PART (600u << 10)
#define PARTS 5

struct fleet;
struct stream {
	struct fleet *f;
	struct rig *g;
	pthread_t thread;
	unsigned number;
	pthread_mutex_t lock;	/* guards the next two */
	struct map kept;	/* the committed map, which the collector asks and changes */
	uint64_t version;
	struct map seen;	/* what the reader remembers of it */
	unsigned rounds;	/* that it went through */
};

struct fleet {
	struct rig *g;
	struct stream streams[STREAMS];
	bool stop;
	uint64_t removed, moved;
};

static bool worked(struct fleet *f)
{
	return __atomic_load_n(&f->removed, __ATOMIC_RELAXED) >= 3 && __atomic_load_n(&f->moved, __ATOMIC_RELAXED) > 0;
}

/* A stream is made of parts that other streams and rounds have too, and parts that are new. */
static void make_parts(struct stream *s, unsigned round, uint8_t *data)
{
	for (unsigned i = 0; i < PARTS; i++)
		fill(data + i * PART, PART, i % 2 ? 7000 + (round + i) % 5 : s->number * 100000 + round * 10 + i);
}

static uint64_t map_copy(struct stream *s, struct map *to)
{
	LOCK_SCOPE(&s->lock);

	map_fini(to);
	for (size_t i = 0; i < s->kept.count; i++)
		OK(map_add(to, &s->kept.places[i]));
	return s->version;
}

static int remembering_source(void *ctx, uint64_t offset, bool fresh, struct chunk_extent *out, uint64_t *start)
{
	struct stream *s = ctx;

	if (fresh || !s->seen.count)
		map_copy(s, &s->seen);
	return map_source(&s->seen, offset, fresh, out, start);
}

static void read_stream(struct stream *s, const uint8_t *data, size_t step)
{
	struct chunk_reader *r;
	uint8_t *got = malloc(step);

	OK(chunk_reader_new(s->g->cs, remembering_source, s, &r));
	for (size_t at = 0; at < PART * PARTS; at += step) {
		size_t n = PART * PARTS - at < step ? PART * PARTS - at : step;

		OK(chunk_reader_read(r, at, got, n));
		assert_memory_equal(got, data + at, n);
	}
	chunk_reader_free(r);
	map_fini(&s->seen);
	free(got);
}

static void *write_and_read(void *arg)
{
	struct stream *s = arg;
	uint8_t *data = malloc(PART * PARTS);

	/* Until the collector has had something to do. */
	for (unsigned round = 0; round < ROUNDS || (round < 300 && !worked(s->f)); s->rounds = ++round) {
		struct map m = { NULL }, old;
		struct chunk_writer_config cfg = { .codec = round % 2 ? CHUNK_LZ4 : CHUNK_ZSTD,
						   .verify = round % 5 == 4 };
		struct chunk_writer *w;

		make_parts(s, round, data);
		OK(chunk_writer_new(s->g->cs, &cfg, map_add, &m, &w));
		for (size_t at = 0; at < PART * PARTS; at += 50000)
			OK(chunk_writer_append(w, data + at, PART * PARTS - at < 50000 ? PART * PARTS - at : 50000));
		OK(chunk_writer_flush(w));
		/* The map is on disk before the pins go, as in tape/. */
		struct kv_batch *b;

		OK(kv_batch_new(&b));
		OK(chunk_writer_begin_commit(w, b));
		pthread_mutex_lock(&s->lock);
		old = s->kept;
		s->kept = m;
		s->version++;
		pthread_mutex_unlock(&s->lock);
		OK(kv_write(s->g->kv, b, true));
		chunk_writer_end_commit(w, true);
		kv_batch_free(b);
		chunk_writer_free(w);
		map_fini(&old);
		read_stream(s, data, round % 3 ? 200000 : 3000);
	}
	free(data);
	return NULL;
}

static int named(void *ctx, uint64_t pack)
{
	struct fleet *f = ctx;
	int r = 0;

	for (unsigned i = 0; i < STREAMS && !r; i++) {
		LOCK_SCOPE(&f->streams[i].lock);
		r = map_names(&f->streams[i].kept, pack);
	}
	return r;
}

/* One stream's map, unless its writer commits another meanwhile. */
static void copy_stream(struct fleet *f, struct stream *s, struct chunk_copier *c, uint64_t first, uint64_t last)
{
	struct map now = { NULL }, to = { NULL };
	uint64_t version = map_copy(s, &now), n = 0;
	struct kv_batch *b;

	for (size_t i = 0; i < now.count; i++) {
		struct chunk_place p = now.places[i];
		uint32_t copied;

		if (p.ref.pack >= first && p.ref.pack <= last &&
		    !chunk_copier_move(c, now.places[i].ref, &p.ref, &copied))
			n++;
		OK(map_add(&to, &p));
	}
	OK(kv_batch_new(&b));
	OK(chunk_copier_begin_commit(c, b));
	OK(kv_write(f->g->kv, b, true));
	pthread_mutex_lock(&s->lock);
	if (version == s->version) {
		map_fini(&s->kept);
		s->kept = to;
		to = (struct map){ NULL };
		__atomic_fetch_add(&f->moved, n, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&s->lock);
	chunk_copier_end_commit(c, true);
	kv_batch_free(b);
	map_fini(&now);
	map_fini(&to);
}

static void copy_forward(struct fleet *f)
{
	uint64_t packs[4], bytes;
	struct chunk_copier *c;
	size_t n = 0;

	OK(chunk_store_seal_idle(f->g->cs));
	for (uint64_t from = 0; n < 4 && !chunk_store_next_pack(f->g->cs, from, &packs[n], &bytes); n++)
		from = packs[n] + 1;
	if (!n)
		return;
	OK(chunk_copier_new(f->g->cs, packs, n, &c));
	for (unsigned i = 0; i < STREAMS; i++)
		copy_stream(f, &f->streams[i], c, packs[0], packs[n - 1]);
	chunk_copier_free(c);
}

static void *collect(void *arg)
{
	struct fleet *f = arg;
	uint64_t number, bytes, freed;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		copy_forward(f);
		for (uint64_t from = 0; !chunk_store_next_pack(f->g->cs, from, &number, &bytes); from = number + 1) {
			int r = chunk_gc_pack(f->g->cs, number, named, f, &freed);

			assert_true(r == 0 || r == CHUNK_E_IN_USE);
			__atomic_fetch_add(&f->removed, r == 0, __ATOMIC_RELAXED);
		}
		struct chunk_totals t;

		chunk_store_totals(f->g->cs, &t);
	}
	return NULL;
}

/* Seals what is open, so that the collector has something to take: a writer that fills its pack. */
static void *fill_packs(void *arg)
{
	struct fleet *f = arg;
	uint8_t *data = malloc(4 << 20);
	struct map m = { NULL };

	for (uint64_t seed = 0; !__atomic_load_n(&f->stop, __ATOMIC_RELAXED); seed++) {
		OK(random_bytes(data, 4 << 20));
		rig_store(f->g, data, 4 << 20, CHUNK_PLAIN, &m);
		map_fini(&m);
	}
	free(data);
	return NULL;
}

static void everything_at_once(void **state)
{
	struct fleet *f = calloc(1, sizeof(*f));
	pthread_t collector, filler;

	f->g = rig_new(3);
	for (unsigned i = 0; i < STREAMS; i++) {
		struct stream *s = &f->streams[i];

		s->f = f;
		s->g = f->g;
		s->number = i + 1;
		pthread_mutex_init(&s->lock, NULL);
		OK(pthread_create(&s->thread, NULL, write_and_read, s));
	}
	OK(pthread_create(&collector, NULL, collect, f));
	OK(pthread_create(&filler, NULL, fill_packs, f));
	for (unsigned i = 0; i < STREAMS; i++)
		pthread_join(f->streams[i].thread, NULL);
	__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	pthread_join(collector, NULL);
	pthread_join(filler, NULL);
	assert_true(f->removed >= 3);
	assert_int_equal(f->g->damages, 0);

	uint8_t *data = malloc(PART * PARTS);

	for (unsigned again = 0; again < 2; again++) {
		for (unsigned i = 0; i < STREAMS; i++) {
			make_parts(&f->streams[i], f->streams[i].rounds - 1, data);
			rig_check(f->g, &f->streams[i].kept, data, PART * PARTS, 1 << 20);
		}
		rig_cut(f->g, 1);
	}
	free(data);
	for (unsigned i = 0; i < STREAMS; i++)
		map_fini(&f->streams[i].kept);
	rig_free(f->g);
	free(f);
}

/* One thread appends while another commits, as tape/ does. */
struct pair { struct rig *g; struct chunk_writer *w; bool stop; };

static void *commit_all_the_time(void *arg)
{
	struct pair *p = arg;

	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED))
		OK(rig_commit(p->g, p->w));
	return NULL;
}

static void commits_run_beside_appends(void **state)
{
	struct pair p = { .g = rig_new(2) };
	size_t n = 40u << 20;
	uint8_t *data = malloc(n);
	struct map m = { NULL };
	pthread_t t;

	OK(random_bytes(data, n));
	p.w = rig_writer(p.g, CHUNK_LZ4, &m);
	OK(pthread_create(&t, NULL, commit_all_the_time, &p));
	for (size_t at = 0; at < n; at += 1 << 20)
		OK(chunk_writer_append(p.w, data + at, 1 << 20));
	OK(chunk_writer_flush(p.w));
	__atomic_store_n(&p.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	OK(rig_commit(p.g, p.w));
	chunk_writer_free(p.w);
	rig_cut(p.g, 0);
	rig_check(p.g, &m, data, n, 1 << 20);
	assert_int_equal(index_rows(p.g), m.count);
	map_fini(&m);
	free(data);
	rig_free(p.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(commits_run_beside_appends),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
