/* SPDX-License-Identifier: BSD-2-Clause */
/* workers: order, bounds and fairness, for the threads and for the serial twin alike. */
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

#include <vtape/util.h>

struct log {
	pthread_mutex_t lock;
	unsigned finished;		/* jobs done so far: the next must have this number */
	unsigned unfinished, most;	/* submitted and not done; the most ever seen */
	bool disordered, overlapped, in_done;
};

struct numbered {
	struct job job;
	struct log *log;
	unsigned number, pause_us;
	bool ran;
};

static void numbered_run(struct job *j)
{
	struct numbered *n = (struct numbered *)j;

	if (n->pause_us)
		usleep(n->pause_us);
	n->ran = true;
}

static void numbered_done(struct job *j)
{
	struct numbered *n = (struct numbered *)j;
	struct log *l = n->log;

	pthread_mutex_lock(&l->lock);
	l->overlapped |= l->in_done;
	l->in_done = true;
	l->disordered |= n->number != l->finished || !n->ran;
	pthread_mutex_unlock(&l->lock);
	if (n->number % 16 == 3)
		usleep(50);
	pthread_mutex_lock(&l->lock);
	l->in_done = false;
	l->finished++;
	l->unfinished--;
	pthread_mutex_unlock(&l->lock);
	free(n);
}

static void submit(struct lane *lane, struct log *l, unsigned number, unsigned pause_us)
{
	struct numbered *n = calloc(1, sizeof(*n));

	*n = (struct numbered){ { numbered_run, numbered_done }, l, number, pause_us };
	pthread_mutex_lock(&l->lock);
	l->unfinished++;
	if (l->unfinished > l->most)
		l->most = l->unfinished;
	pthread_mutex_unlock(&l->lock);
	lane_submit(lane, &n->job);
}

static int with_threads(void **state) { return workers_new(4, (struct workers **)state); }
static int with_serial(void **state) { return workers_serial_new((struct workers **)state); }
static int without(void **state) { *state = workers_free(*state); return *state != NULL; }

static void jobs_finish_in_the_order_of_submission(void **state)
{
	struct log l = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct lane *lane;

	assert_int_equal(lane_new(*state, 8, &lane), 0);
	for (unsigned i = 0; i < 500; i++)
		submit(lane, &l, i, i * 7919 % 13 * 20);
	lane_wait_empty(lane);
	assert_int_equal(l.finished, 500);
	assert_false(l.disordered);
	assert_false(l.overlapped);
	assert_null(lane_free(lane));
}

static void a_lane_holds_no_more_than_its_depth(void **state)
{
	struct log l = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct lane *lane;

	assert_int_equal(lane_new(*state, 3, &lane), 0);
	for (unsigned i = 0; i < 100; i++)
		submit(lane, &l, i, 100);
	lane_free(lane);
	assert_int_equal(l.finished, 100);
	/* One more is counted before it waits to get in. */
	assert_in_range(l.most, 1, 4);
}

struct stream { struct workers *workers; struct log log; unsigned jobs; };

static void *submit_a_stream(void *arg)
{
	struct stream *s = arg;
	struct lane *lane;

	if (lane_new(s->workers, 4, &lane))
		return NULL;
	for (unsigned i = 0; i < s->jobs; i++) {
		submit(lane, &s->log, i, i % 5);
		if (i % 100 == 99)
			lane_wait_empty(lane);
	}
	lane_free(lane);
	return NULL;
}

static void many_lanes_share_the_threads(void **state)
{
	struct stream s[8];
	pthread_t t[8];

	for (size_t i = 0; i < 8; i++) {
		s[i] = (struct stream){ *state, { .lock = PTHREAD_MUTEX_INITIALIZER }, 400 };
		assert_int_equal(pthread_create(&t[i], NULL, submit_a_stream, &s[i]), 0);
	}
	for (size_t i = 0; i < 8; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(s[i].log.finished, 400);
		assert_false(s[i].log.disordered);
		assert_false(s[i].log.overlapped);
	}
}

/* done() may hand work on to another lane, as the stages of a writer do. */
struct relay { struct job job; struct lane *next; struct log *log; unsigned number; };

static void relay_run(struct job *j) { (void)j; }
static void relay_done(struct job *j)
{
	struct relay *r = (struct relay *)j;

	submit(r->next, r->log, r->number, 10);
	free(r);
}

static void done_may_submit_to_another_lane(void **state)
{
	struct log l = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct lane *first, *second;

	assert_int_equal(lane_new(*state, 4, &first), 0);
	assert_int_equal(lane_new(*state, 64, &second), 0);
	for (unsigned i = 0; i < 60; i++) {
		struct relay *r = calloc(1, sizeof(*r));

		*r = (struct relay){ { relay_run, relay_done }, second, &l, i };
		lane_submit(first, &r->job);
	}
	lane_wait_empty(first);
	lane_wait_empty(second);
	assert_int_equal(l.finished, 60);
	assert_false(l.disordered);
	lane_free(first);
	lane_free(second);
}

/* Two jobs that wait for each other only end if they run at once. */
struct meeting { struct job job; pthread_barrier_t *barrier; };

static void meeting_run(struct job *j) { pthread_barrier_wait(((struct meeting *)j)->barrier); }
static void meeting_done(struct job *j) { (void)j; }

static void jobs_of_one_lane_run_at_once(void **state)
{
	pthread_barrier_t barrier;
	struct meeting a = { { meeting_run, meeting_done }, &barrier }, b = a;
	struct lane *lane;

	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(lane_new(*state, 2, &lane), 0);
	lane_submit(lane, &a.job);
	lane_submit(lane, &b.job);
	lane_free(lane);
	pthread_barrier_destroy(&barrier);
}

static void an_idle_lane_does_not_wait(void **state)
{
	struct lane *lane;

	assert_int_equal(lane_new(*state, 1, &lane), 0);
	lane_wait_empty(lane);
	lane_wait_empty(lane);
	assert_null(lane_free(lane));
	assert_null(lane_free(NULL));
}

static void the_number_of_threads_is_told(void **state)
{
	struct workers *w;

	assert_int_equal(workers_new(3, &w), 0);
	assert_int_equal(workers_threads(w), 3);
	assert_null(workers_free(w));
	assert_int_equal(workers_new(0, &w), 0);
	assert_true(workers_threads(w) >= 1);
	workers_free(w);
	assert_int_equal(workers_serial_new(&w), 0);
	assert_int_equal(workers_threads(w), 0);
	assert_null(workers_free(w));
	assert_null(workers_free(NULL));
}

#define ON(kind, f) cmocka_unit_test_setup_teardown(f, kind, without)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(with_threads, jobs_finish_in_the_order_of_submission),
		ON(with_serial, jobs_finish_in_the_order_of_submission),
		ON(with_threads, a_lane_holds_no_more_than_its_depth),
		ON(with_serial, a_lane_holds_no_more_than_its_depth),
		ON(with_threads, many_lanes_share_the_threads),
		ON(with_serial, many_lanes_share_the_threads),
		ON(with_threads, done_may_submit_to_another_lane),
		ON(with_serial, done_may_submit_to_another_lane),
		ON(with_threads, jobs_of_one_lane_run_at_once),
		ON(with_threads, an_idle_lane_does_not_wait),
		ON(with_serial, an_idle_lane_does_not_wait),
		cmocka_unit_test(the_number_of_threads_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
