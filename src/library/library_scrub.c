/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_scrub: everything that is on the disk is read, now and then, before somebody needs it.  A thread at the
 * lowest priority walks over the packs in the order of their numbers and has each checked; it sleeps after each so that
 * no more than the rate is read.  What fails is told by the damage callback, as if a reader had come across it.
 *
 * Where it stands is a row of the catalog, written once a minute and at the end, so a restart goes on from there, and
 * reads a minute's worth again at most.
 */
#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "library/holding.h"

#define SECOND_NS 1000000000ull
#define SAVE_NS (60ull * SECOND_NS)
#define WORK_NAME "scrub"

/* ---- the row --------------------------------------------------------------------------------------------------- */

static int scrub_save(struct library *lib, const struct scrub *s)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r = scrub_row_pack(s, &row);

	if (!r)
		r = catalog_work_put(lib->cat, WORK_NAME, row.data, row.len);
	if (r)
		log_warn("where the scrub stands is not written: %s", err_text(err_fold(r)));
	return r;
}

/* A row that cannot be read is a scrub that begins anew. */
static void scrub_load(struct library *lib, struct scrub *s)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;

	if (catalog_work_get(lib->cat, WORK_NAME, &row) || !row.len)
		return;
	if (scrub_row_unpack(row.data, row.len, s))
		log_warn("where the scrub stood cannot be read; it begins anew");
}

/* ---- the walk -------------------------------------------------------------------------------------------------- */

/* Nobody waits for us: not for the processor, not for the disk.  Where the kernel does not allow it, it is a little
 * less polite. */
static void be_last(void)
{
	const struct sched_param none = { 0 };

	setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	sched_setscheduler(0, SCHED_BATCH, &none);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

/* With the scrub's lock: until @until_ns or the end; true: the end. */
static bool scrub_pause(struct scrub *s, uint64_t until_ns)
{
	struct timespec ts = { (time_t)(until_ns / SECOND_NS), (long)(until_ns % SECOND_NS) };

	while (!s->stop && clock_mono_ns() < until_ns)
		pthread_cond_timedwait(&s->wake, &s->lock, &ts);
	return s->stop;
}

/* A pack that is lost has all its chunks damaged; how many those are nobody can say here. */
static void scrub_count(struct scrub *s, uint64_t pack, uint64_t bytes, int r, const struct chunk_scrubbed *got)
{
	s->next = pack + 1;
	if (r == CHUNK_E_END)
		return;	/* collected since we asked */
	s->now.done_packs++;
	s->now.done_bytes += bytes;
	s->now.chunks += got->chunks;
	s->now.damaged += got->damaged ? got->damaged : r < 0;
	if (r < 0)
		log_error("scrub: pack %llx: %s", (unsigned long long)pack, err_text(r));
}

/* With the scrub's lock, given up while it reads.  0; CHUNK_E_END behind the last pack. */
static int scrub_step(struct library *lib, struct scrub *s, uint64_t *bytes)
{
	struct chunk_scrubbed got = { 0 };
	uint64_t pack, from = s->next;
	int r;

	pthread_mutex_unlock(&s->lock);
	r = chunk_store_next_pack(lib->cs, from, &pack, bytes);
	if (!r) {
		r = chunk_scrub_pack(lib->cs, pack, &got);
		pthread_mutex_lock(&s->lock);
		scrub_count(s, pack, *bytes, r, &got);
		return 0;
	}
	pthread_mutex_lock(&s->lock);
	return r;
}

static void scrub_tell(struct library *lib, const struct library_scrub *now)
{
	char bytes[16];

	catalog_event(lib->cat, EVENT_SCRUBBED, "",
		      "%llu packs, %llu chunks, %s read in %llu s; %llu chunks are damaged",
		      (unsigned long long)now->done_packs, (unsigned long long)now->chunks,
		      format_size(now->done_bytes, bytes),
		      (unsigned long long)((now->finished_ns - now->started_ns) / SECOND_NS),
		      (unsigned long long)now->damaged);
}

/* With the scrub's lock: everything was read, or walking failed with @r. */
static void scrub_finish(struct library *lib, struct scrub *s, int r)
{
	s->goes_on = false;
	if (r == CHUNK_E_END) {
		s->next = 0;
		s->now.finished_ns = clock_now_ns();
		if (s->now.finished_ns < s->now.started_ns)	/* the wall clock was set */
			s->now.finished_ns = s->now.started_ns;
		if (s->now.done_packs)
			scrub_tell(lib, &s->now);
	} else {
		s->stopped_ns = clock_now_ns();
		log_error("scrub: %s", err_text(err_fold(r)));
	}
}

static void *scrub_run(void *ctx)
{
	struct library *lib = ctx;
	struct scrub *s = &lib->scrub;
	uint64_t saved = clock_mono_ns(), ready = saved, bytes = 0;
	int r = 0;

	be_last();
	pthread_mutex_lock(&s->lock);
	while (!r && !scrub_pause(s, ready)) {
		uint64_t begun = clock_mono_ns();

		r = scrub_step(lib, s, &bytes);
		ready = begun + (r ? 0 : (uint64_t)((double)bytes / (double)s->now.rate_bytes * 1e9));
		if (!r && clock_mono_ns() - saved > SAVE_NS) {
			scrub_save(lib, s);
			saved = clock_mono_ns();
		}
	}
	if (r)
		scrub_finish(lib, s, r);
	scrub_save(lib, s);
	s->now.running = false;
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- start and stop -------------------------------------------------------------------------------------------- */

/* With `turn`: a thread that has ended, or is told to, is gone when this returns. */
static void scrub_join(struct scrub *s)
{
	if (!s->thread_made)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->thread_made = false;
	s->stop = false;
}

/* With the scrub's lock: goes on where it was, or from the beginning. */
static void scrub_prepare(struct scrub *s, uint64_t rate_bytes)
{
	if (!s->next || s->now.finished_ns >= s->now.started_ns) {
		s->now = (struct library_scrub){ .finished_ns = s->now.finished_ns };
		s->next = 0;
	}
	if (!s->now.started_ns)
		s->now.started_ns = clock_now_ns();
	/* "This one is not finished" is said by the order of the two times. */
	if (s->now.started_ns <= s->now.finished_ns)
		s->now.started_ns = s->now.finished_ns + 1;
	s->now.rate_bytes = rate_bytes;
	s->now.running = s->goes_on = true;
}

int library_scrub_start(struct library *lib, uint64_t rate_bytes)
{
	struct scrub *s = &lib->scrub;
	struct catalog_store props;
	bool running;
	int r;

	r = err_fold(catalog_store_get(lib->cat, &props));
	if (r)
		return r;
	LOCK_SCOPE(&s->turn);
	pthread_mutex_lock(&s->lock);
	running = s->now.running;
	pthread_mutex_unlock(&s->lock);
	if (running)
		return err_explain(-EBUSY, "a scrub is running already");
	scrub_join(s);
	pthread_mutex_lock(&s->lock);
	scrub_prepare(s, rate_bytes ? rate_bytes : props.scrub_rate_bytes);
	r = pthread_create(&s->thread, NULL, scrub_run, lib);
	if (r)
		s->now.running = s->goes_on = false;
	s->thread_made = !r;
	pthread_mutex_unlock(&s->lock);
	return r ? err_origin(-r) : 0;
}

int library_scrub_stop(struct library *lib)
{
	struct scrub *s = &lib->scrub;
	LOCK_SCOPE(&s->turn);

	pthread_mutex_lock(&s->lock);
	if (s->now.running) {
		s->goes_on = false;
		s->stopped_ns = clock_now_ns();
	}
	pthread_mutex_unlock(&s->lock);
	scrub_join(s);
	return 0;
}

int library_scrub_status(struct library *lib, struct library_scrub *out)
{
	struct scrub *s = &lib->scrub;
	struct chunk_totals all;

	chunk_store_totals(lib->cs, &all);
	LOCK_SCOPE(&s->lock);
	*out = s->now;
	out->all_packs = all.packs;
	out->all_bytes = all.stored_bytes;
	return 0;
}

static bool older_than(uint64_t then_ns, uint64_t seconds)
{
	uint64_t now = clock_now_ns();

	/* What lies ahead is from a clock that was wrong: nobody knows how old it is. */
	return then_ns > now || (now - then_ns) / SECOND_NS >= seconds;
}

void scrub_begin_if_due(struct library *lib)
{
	struct scrub *s = &lib->scrub;
	struct catalog_store props;
	uint64_t last, rate = 0;
	bool due;

	if (catalog_store_get(lib->cat, &props))
		return;
	pthread_mutex_lock(&s->lock);
	last = s->now.finished_ns > s->stopped_ns ? s->now.finished_ns : s->stopped_ns;
	due = !s->now.running &&
	      (s->goes_on || (props.scrub_every_s && older_than(last, props.scrub_every_s)));
	if (s->goes_on)
		rate = s->now.rate_bytes;
	pthread_mutex_unlock(&s->lock);
	if (due && library_scrub_start(lib, rate))
		log_warn("the scrub that is due does not begin");
}

void scrub_init(struct library *lib)
{
	struct scrub *s = &lib->scrub;
	pthread_condattr_t attr;

	pthread_mutex_init(&s->turn, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	scrub_load(lib, s);
}

/* It goes on after the next start. */
void scrub_end(struct library *lib)
{
	struct scrub *s = &lib->scrub;

	scrub_join(s);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->turn);
}
