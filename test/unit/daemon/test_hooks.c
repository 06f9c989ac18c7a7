/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that behave, hang, die, flood us and are too many; and that nobody waits for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

struct rig {
	struct kv *kv;
	struct catalog *cat;
	struct hooks *hooks;
	char dir[64];
};

static int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	strcpy(rig->dir, "/tmp/vtape-hooks.XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	assert_int_equal(kv_mem_new(&rig->kv), 0);
	assert_int_equal(catalog_open(rig->kv, &rig->cat), 0);
	log_set_level(LOG_LEVEL_ERROR);
	*state = rig;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *rig = *state;
	char command[128];

	hooks_free(rig->hooks, 0);
	catalog_close(rig->cat);
	kv_close(rig->kv);
	snprintf(command, sizeof(command), "rm -rf %s", rig->dir);
	assert_int_equal(system(command), 0);
	free(rig);
	return 0;
}

/* A script in our folder, which is $1 to it. */
static struct catalog_hook script(struct rig *rig, const char *name, const char *text)
{
	struct catalog_hook h = { .timeout_s = 20, .least = EVENT_INFO };
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.sh", rig->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", text);
	assert_int_equal(fchmod(fileno(f), 0755), 0);
	assert_int_equal(fclose(f), 0);
	snprintf(h.name, sizeof(h.name), "%s", name);
	snprintf(h.program, sizeof(h.program), "%s %s", path, rig->dir);
	return h;
}

static const struct catalog_event some_event = { .seq = 5, .number = EVENT_CLASH, .severity = EVENT_ERROR,
						 .about = "default/A1", .text = "two of \"them\"" };

static struct hook_result run(struct rig *rig, const struct catalog_hook *h, const atomic_bool *stop)
{
	struct hook_result res;

	assert_int_equal(hook_run(h, &some_event, "/srv/store", stop, &res), 0);
	return res;
}

/* What a file in our folder holds; "" if there is none. */
static char *content(struct rig *rig, const char *name)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
	if (io_read_file(path, 1 << 20, &b))
		return strdup("");
	buf_put_u8(&b, 0);
	return strdup((char *)b.data);
}

static unsigned lines(struct rig *rig, const char *name)
{
	char *text = content(rig, name);
	unsigned n = 0;

	for (const char *p = text; *p; p++)
		n += *p == '\n';
	free(text);
	return n;
}

static bool lines_come(struct rig *rig, const char *name, unsigned n)
{
	uint64_t deadline = clock_mono_ns() + 20 * SECOND_NS;

	while (lines(rig, name) < n && clock_mono_ns() < deadline)
		usleep(5000);
	return lines(rig, name) >= n;
}

/* ---- one run ---- */

static void a_program_gets_the_event_on_its_input_and_in_its_environment(void **state)
{
	struct catalog_hook h = script(*state, "h", "cat >$1/in\nenv >$1/env\npwd\nls /proc/self/fd | wc -l");
	struct hook_result res = run(*state, &h, NULL);
	char *in = content(*state, "in"), *env = content(*state, "env");
	json_t *o = json_loads(in, 0, NULL);

	assert_int_equal(res.status, 0);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "name")), "clash");
	assert_string_equal(json_string_value(json_object_get(o, "severity")), "error");
	assert_string_equal(json_string_value(json_object_get(o, "about")), "default/A1");
	assert_string_equal(json_string_value(json_object_get(o, "text")), "two of \"them\"");
	assert_int_equal(json_integer_value(json_object_get(o, "number")), 703);
	assert_int_equal(json_integer_value(json_object_get(o, "seq")), 5);
	assert_int_equal(lines(*state, "in"), 1);
	assert_non_null(strstr(env, "VTAPE_EVENT_NAME=clash\n"));
	assert_non_null(strstr(env, "VTAPE_EVENT_NUMBER=703\n"));
	assert_non_null(strstr(env, "VTAPE_EVENT_SEVERITY=error\n"));
	assert_non_null(strstr(env, "VTAPE_EVENT_ABOUT=default/A1\n"));
	assert_non_null(strstr(env, "VTAPE_EVENT_TEXT=two of \"them\"\n"));
	assert_non_null(strstr(env, "VTAPE_STORE=/srv/store\n"));
	assert_non_null(strstr(env, "PATH="));
	/* The working folder; and 0, 1, 2 and what ls has open itself. */
	assert_int_equal(strncmp(res.output, "/\n", 2), 0);
	assert_int_equal(atoi(res.output + 2), 4);
	json_decref(o);
	free(in);
	free(env);
}

/* Others of our descriptors that are not close-on-exec, as a library may leave them. */
static void no_descriptor_of_ours_is_open_in_it(void **state)
{
	struct catalog_hook h = script(*state, "h", "ls /proc/self/fd/77 2>/dev/null && exit 1; exit 0");
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(dup2(fd, 77), 77);
	assert_int_equal(run(*state, &h, NULL).status, 0);
	close(77);
	close(fd);
}

static void a_text_that_is_not_utf8_is_told_with_its_bytes(void **state)
{
	struct catalog_hook h = script(*state, "h", "cat >$1/in");
	struct catalog_event e = { .number = EVENT_LOADED, .text = "a\xff\n" };
	struct hook_result res;
	json_t *o;
	char *in;

	assert_int_equal(hook_run(&h, &e, "/s", NULL, &res), 0);
	in = content(*state, "in");
	o = json_loads(in, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(o, "text")), "a?\n");
	assert_string_equal(json_string_value(json_object_get(o, "text_raw")), "61ff0a");
	json_decref(o);
	free(in);
}

static void its_status_and_the_signal_that_ended_it_are_told(void **state)
{
	struct catalog_hook h = script(*state, "h", "echo why >&2; exit 3");
	struct hook_result res = run(*state, &h, NULL);
	char words[96];

	assert_int_equal(res.status, 3);
	assert_string_equal(res.output, "why\n");
	assert_string_equal(hook_words(&h, &res, words), "exit status 3");
	h = script(*state, "h", "kill -SEGV $$");
	res = run(*state, &h, NULL);
	assert_int_equal(res.status, 128 + SIGSEGV);
	assert_string_equal(hook_words(&h, &res, words), "ended by signal 11");
}

static void one_that_hangs_is_ended_with_all_that_it_started(void **state)
{
	struct catalog_hook h = script(*state, "h", "sleep 1000 & echo $! >$1/pid; wait");
	uint64_t begun = clock_mono_ns();
	struct hook_result res;
	char *pid;

	h.timeout_s = 1;
	res = run(*state, &h, NULL);
	assert_true(res.late);
	assert_int_equal(res.status, 128 + SIGTERM);
	assert_true(clock_mono_ns() - begun < 4 * SECOND_NS);
	pid = content(*state, "pid");
	for (int i = 0; i < 200 && !kill(atoi(pid), 0); i++)
		usleep(10000);	/* until its new parent has taken it away */
	assert_int_equal(kill(atoi(pid), 0), -1);
	free(pid);
}

struct stopping { struct rig *rig; atomic_bool stop; };

static void *stop_once_it_runs(void *ctx)
{
	struct stopping *s = ctx;

	lines_come(s->rig, "ready", 1);
	atomic_store(&s->stop, true);
	return NULL;
}

static void one_that_does_not_hear_sigterm_is_killed(void **state)
{
	struct catalog_hook h = script(*state, "h", "trap '' TERM; echo x >$1/ready; while :; do sleep 0.1; done");
	struct stopping s = { .rig = *state, .stop = false };
	struct hook_result res;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, stop_once_it_runs, &s), 0);
	res = run(*state, &h, &s.stop);
	pthread_join(t, NULL);
	assert_true(res.stopped);
	assert_int_equal(res.status, 128 + SIGKILL);
	assert_true(res.took_ns >= HOOK_STOP_NS && res.took_ns < HOOK_STOP_NS + 3 * SECOND_NS);
}

static void one_that_floods_us_does_not_stand_still_and_is_cut(void **state)
{
	struct catalog_hook h = script(*state, "h", "head -c 20000000 /dev/zero | tr '\\0' x; exit 7");
	struct hook_result res = run(*state, &h, NULL);

	assert_int_equal(res.status, 7);
	assert_int_equal(res.len, HOOK_OUTPUT_MAX);
	assert_int_equal(strlen(res.output), HOOK_OUTPUT_MAX);
}

/* It closes what it writes to and goes on: nobody spins or takes that for its end. */
static void one_that_closes_its_output_is_waited_for(void **state)
{
	struct catalog_hook h = script(*state, "h", "exec >/dev/null 2>&1; sleep 0.3; echo x >$1/done; exit 2");

	assert_int_equal(run(*state, &h, NULL).status, 2);
	assert_int_equal(lines(*state, "done"), 1);
}

static void one_that_leaves_somebody_behind_has_ended_all_the_same(void **state)
{
	struct catalog_hook h = script(*state, "h", "sleep 5 & echo $! >$1/pid; echo out");
	struct hook_result res = run(*state, &h, NULL);
	char *pid = content(*state, "pid");

	assert_int_equal(res.status, 0);
	assert_string_equal(res.output, "out\n");
	assert_true(res.took_ns < 3 * SECOND_NS);
	assert_int_equal(kill(atoi(pid), 0), 0);
	kill(atoi(pid), SIGKILL);
	free(pid);
}

static void what_cannot_be_run_is_refused(void **state)
{
	struct catalog_hook h = script(*state, "h", "exit 0");
	struct hook_result res;
	char path[128];

	assert_int_equal(hook_check_program(&h), 0);
	snprintf(path, sizeof(path), "%s/h.sh", ((struct rig *)*state)->dir);
	assert_int_equal(chmod(path, 0757), 0);
	assert_int_equal(hook_check_program(&h), -EPERM);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(hook_check_program(&h), -EACCES);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(hook_check_program(&h), -ENOENT);
	assert_int_equal(hook_run(&h, &some_event, "/s", NULL, &res), -ENOENT);
	strcpy(h.program, "/tmp");
	assert_int_equal(hook_check_program(&h), -EACCES);
	strcpy(h.program, "bin/true");
	assert_int_equal(hook_check_program(&h), -EINVAL);
	strcpy(h.program, "  ");
	assert_int_equal(hook_check_program(&h), -EINVAL);
}

/* ---- at work ---- */

static void start(struct rig *rig, const struct catalog_hook *h)
{
	assert_int_equal(catalog_hook_put(rig->cat, h), 0);
	if (rig->hooks)
		assert_int_equal(hooks_reload(rig->hooks), 0);
	else
		assert_int_equal(hooks_new(rig->cat, "/srv/store", &rig->hooks), 0);
}

struct found { unsigned number, count; char text[256]; };

static int find_event(void *ctx, const struct catalog_event *e)
{
	struct found *f = ctx;

	if (e->number == f->number) {
		f->count++;
		strcpy(f->text, e->text);
	}
	return 0;
}

static struct found failures(struct rig *rig)
{
	struct found f = { .number = EVENT_HOOK_FAILED };

	assert_int_equal(catalog_event_each(rig->cat, 1, find_event, &f), 0);
	return f;
}

static struct hook_state idle_state(struct rig *rig, const char *name)
{
	uint64_t deadline = clock_mono_ns() + 30 * SECOND_NS;
	struct hook_state st;

	do {
		usleep(2000);
		assert_true(hooks_state(rig->hooks, name, &st));
	} while ((st.running || st.waiting) && clock_mono_ns() < deadline);
	assert_false(st.running || st.waiting);
	return st;
}

static void a_hook_runs_for_what_it_wants_in_order(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook h = script(rig, "h", "echo $VTAPE_EVENT_TEXT >>$1/out");
	char *out;

	strcpy(h.events, "loaded");
	start(rig, &h);
	for (int i = 0; i < 5; i++) {
		catalog_event(rig->cat, EVENT_LOADED, "nst0", "n%d", i);
		catalog_event(rig->cat, EVENT_UNLOADED, "nst0", "no");
	}
	assert_int_equal(idle_state(rig, "h").runs, 5);
	out = content(rig, "out");
	assert_string_equal(out, "n0\nn1\nn2\nn3\nn4\n");
	free(out);
	assert_int_equal(failures(rig).count, 0);
}

static void nobody_waits_for_one_that_hangs(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook slow = script(rig, "slow", "sleep 1000"), h = script(rig, "h", "echo x >>$1/out");
	uint64_t begun;

	start(rig, &slow);
	start(rig, &h);
	begun = clock_mono_ns();
	for (int i = 0; i < 20; i++)
		catalog_event(rig->cat, EVENT_LOADED, "nst0", "n%d", i);
	assert_true(clock_mono_ns() - begun < SECOND_NS);
	assert_true(lines_come(rig, "out", 20));

	/* And the end is not far either. */
	begun = clock_mono_ns();
	rig->hooks = hooks_free(rig->hooks, SECOND_NS / 2);
	assert_true(clock_mono_ns() - begun < 4 * SECOND_NS);
}

static void what_waits_is_still_run_when_all_ends(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook h = script(rig, "h", "sleep 0.05; echo x >>$1/out");

	start(rig, &h);
	for (int i = 0; i < 10; i++)
		catalog_event(rig->cat, EVENT_LOADED, "nst0", "n%d", i);
	rig->hooks = hooks_free(rig->hooks, 20 * SECOND_NS);
	assert_int_equal(lines(rig, "out"), 10);
	catalog_event(rig->cat, EVENT_LOADED, "nst0", "nobody listens");
	assert_int_equal(lines(rig, "out"), 10);
}

static void a_full_queue_drops_the_oldest_and_that_is_told(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook h = script(rig, "h", "while [ ! -e $1/go ]; do sleep 0.02; done; echo $VTAPE_EVENT_TEXT >>$1/out");
	char path[128], *out;
	struct found f;
	int fd;

	h.timeout_s = 30;
	start(rig, &h);
	catalog_event(rig->cat, EVENT_LOADED, "nst0", "first");
	for (struct hook_state st = { .waiting = 1 }; st.waiting || !st.running; usleep(1000))
		assert_true(hooks_state(rig->hooks, "h", &st));
	for (unsigned i = 0; i < HOOKS_QUEUE + 10; i++)
		catalog_event(rig->cat, EVENT_LOADED, "nst0", "n%u", i);
	snprintf(path, sizeof(path), "%s/go", rig->dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
	assert_true(lines_come(rig, "out", 20));
	out = content(rig, "out");
	assert_int_equal(strncmp(out, "first\nn10\nn11\n", 14), 0);
	free(out);
	f = failures(rig);
	assert_int_equal(f.count, 1);
	assert_int_equal(strncmp(f.text, "10 events were dropped", 22), 0);
}

static void failures_are_told_once_a_minute_and_run_no_hook(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook h = script(rig, "h", "echo x >>$1/out; echo no disk >&2; exit 4");
	struct hook_state st;
	struct found f;

	start(rig, &h);
	for (int i = 0; i < 10; i++)
		catalog_event(rig->cat, EVENT_LOADED, "nst0", "n%d", i);
	st = idle_state(rig, "h");
	assert_int_equal(st.runs, 10);
	assert_int_equal(st.failed, 10);
	assert_int_equal(st.last_status, 4);
	f = failures(rig);
	assert_int_equal(f.count, 1);
	assert_string_equal(f.text, "exit status 4");
	assert_int_equal(lines(rig, "out"), 10);
}

/* Each run makes an event that it wants: after the first hundred it is one a second. */
static void one_that_runs_itself_is_slowed_down(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook h = script(rig, "h", ":");
	struct hook_state st = { .runs = 0 };
	uint64_t begun = clock_mono_ns();

	start(rig, &h);
	catalog_event(rig->cat, EVENT_LOADED, "nst0", "begin");
	for (uint64_t seen = 0; clock_mono_ns() - begun < 4 * SECOND_NS; usleep(500)) {
		assert_true(hooks_state(rig->hooks, "h", &st));
		if (st.runs > seen) {
			seen = st.runs;
			catalog_event(rig->cat, EVENT_LOADED, "nst0", "again");
		}
	}
	assert_true(st.runs <= HOOKS_BURST + 5);
}

static void a_hook_that_is_off_or_removed_does_not_run(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook h = script(rig, "h", "echo x >>$1/out");
	struct hook_state st;

	h.off = true;
	start(rig, &h);
	catalog_event(rig->cat, EVENT_LOADED, "nst0", "1");
	h.off = false;
	start(rig, &h);
	catalog_event(rig->cat, EVENT_LOADED, "nst0", "2");
	assert_int_equal(idle_state(rig, "h").runs, 1);
	assert_int_equal(catalog_hook_remove(rig->cat, "h"), 0);
	assert_int_equal(hooks_reload(rig->hooks), 0);
	assert_false(hooks_state(rig->hooks, "h", &st));
	catalog_event(rig->cat, EVENT_LOADED, "nst0", "3");
	assert_int_equal(lines(rig, "out"), 1);
}

static void one_that_is_removed_while_it_hangs_is_ended(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook h = script(rig, "h", "echo x >>$1/out; exec sleep 1000");
	uint64_t begun;

	start(rig, &h);
	catalog_event(rig->cat, EVENT_LOADED, "nst0", "1");
	assert_true(lines_come(rig, "out", 1));
	begun = clock_mono_ns();
	assert_int_equal(catalog_hook_remove(rig->cat, "h"), 0);
	assert_int_equal(hooks_reload(rig->hooks), 0);
	assert_true(clock_mono_ns() - begun < 3 * SECOND_NS);
}

static void *tell_many(void *ctx)
{
	for (int i = 0; i < 200; i++)
		catalog_event(ctx, EVENT_LOADED, "nst0", "n%d", i);
	return NULL;
}

static void many_may_tell_while_hooks_come_and_go(void **state)
{
	struct rig *rig = *state;
	struct catalog_hook h = script(rig, "h", ":"), other = script(rig, "other", "exit 1");
	struct hook_state st;
	pthread_t t[3];

	start(rig, &h);
	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, tell_many, rig->cat), 0);
	for (int i = 0; i < 5; i++) {
		start(rig, &other);
		hooks_state(rig->hooks, "other", &st);
		usleep(2000);
		assert_int_equal(catalog_hook_remove(rig->cat, "other"), 0);
		assert_int_equal(hooks_reload(rig->hooks), 0);
	}
	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	rig->hooks = hooks_free(rig->hooks, 0);
}

#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(a_program_gets_the_event_on_its_input_and_in_its_environment),
		ON_RIG(no_descriptor_of_ours_is_open_in_it),
		ON_RIG(a_text_that_is_not_utf8_is_told_with_its_bytes),
		ON_RIG(its_status_and_the_signal_that_ended_it_are_told),
		ON_RIG(one_that_hangs_is_ended_with_all_that_it_started),
		ON_RIG(one_that_does_not_hear_sigterm_is_killed),
		ON_RIG(one_that_floods_us_does_not_stand_still_and_is_cut),
		ON_RIG(one_that_closes_its_output_is_waited_for),
		ON_RIG(one_that_leaves_somebody_behind_has_ended_all_the_same),
		ON_RIG(what_cannot_be_run_is_refused),
		ON_RIG(a_hook_runs_for_what_it_wants_in_order),
		ON_RIG(nobody_waits_for_one_that_hangs),
		ON_RIG(what_waits_is_still_run_when_all_ends),
		ON_RIG(a_full_queue_drops_the_oldest_and_that_is_told),
		ON_RIG(failures_are_told_once_a_minute_and_run_no_hook),
		ON_RIG(one_that_runs_itself_is_slowed_down),
		ON_RIG(a_hook_that_is_off_or_removed_does_not_run),
		ON_RIG(one_that_is_removed_while_it_hangs_is_ended),
		ON_RIG(many_may_tell_while_hooks_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
