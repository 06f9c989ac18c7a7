/* SPDX-License-Identifier: BSD-2-Clause */
/* Client and server on a real socket: answers, failures, people who go away, an end while work is going on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vtape/ctl.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The handler under the server: its verbs are what the tests need. */
struct office {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int inside;		/* handlers at work */
	bool let_go;		/* "wait" may return */
	int stopped_by;		/* what "work" got when nobody listened any more */
};

static int office_wait(struct office *o)
{
	pthread_mutex_lock(&o->lock);
	o->inside++;
	pthread_cond_broadcast(&o->changed);
	while (!o->let_go)
		pthread_cond_wait(&o->changed, &o->lock);
	o->inside--;
	pthread_mutex_unlock(&o->lock);
	return 0;
}

/* Reports for so many milliseconds, or until nobody listens. */
static int office_work(struct office *o, json_int_t ms, struct ctl_reply *reply)
{
	int r = 0;

	for (int i = 0; i < ms && !r; i++) {
		r = ctl_reply_progress(reply, json_pack("{s:i}", "done", i));
		usleep(1000);
	}
	pthread_mutex_lock(&o->lock);
	o->stopped_by = r;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	return r;
}

static int office_rows(const json_t *request, struct ctl_reply *reply, json_t **ok)
{
	json_int_t n = json_integer_value(json_object_get(request, "n"));

	for (json_int_t i = 0; i < n; i++) {
		int r = ctl_reply_row(reply, json_pack("{s:I}", "i", i));
		if (r)
			return r;
	}
	*ok = json_pack("{s:I}", "sent", n);
	return 0;
}

static int office_handler(void *ctx, const char *verb, const json_t *request, int fd, struct ctl_reply *reply,
			  json_t **ok)
{
	struct office *o = ctx;

	if (!strcmp(verb, "rows"))
		return office_rows(request, reply, ok);
	if (!strcmp(verb, "nothing"))
		return 0;
	if (!strcmp(verb, "fail"))
		return err_explain(-EBUSY, "nst0 is busy");
	if (!strcmp(verb, "fail-badly"))
		return err_explain(-EIO, "not \xff UTF-8");
	if (!strcmp(verb, "positive"))
		return 7;
	if (!strcmp(verb, "write"))
		return fd < 0 ? err_origin(-EBADF) : io_write_full(fd, "hello", 5);
	if (!strcmp(verb, "wait"))
		return office_wait(o);
	if (!strcmp(verb, "work"))
		return office_work(o, json_integer_value(json_object_get(request, "ms")), reply);
	return err_explain(-EOPNOTSUPP, "no %s", verb);
}

struct fixture {
	struct office office;
	char dir[64], path[128];
	struct ctl_server *server;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	pthread_mutex_init(&f->office.lock, NULL);
	pthread_cond_init(&f->office.changed, NULL);
	strcpy(f->dir, "/tmp/vtape-test-ctl-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/ctl.sock", f->dir);
	*state = f;
	return ctl_server_new(f->path, office_handler, &f->office, &f->server);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ctl_server_free(f->server);
	rmdir(f->dir);
	pthread_cond_destroy(&f->office.changed);
	pthread_mutex_destroy(&f->office.lock);
	free(f);
	return 0;
}

static int dial(const struct fixture *f)
{
	int sock = -1;

	assert_int_equal(ctl_connect(f->path, &sock), 0);
	return sock;
}

static int ask(int sock, const char *verb, json_t **ok)
{
	json_t *request = json_pack("{s:s}", "verb", verb), *answer = NULL;
	int r = ctl_call(sock, request, -1, NULL, NULL, &answer);

	json_decref(request);
	if (ok)
		*ok = answer;
	else
		json_decref(answer);
	return r;
}

/* ---- calls --------------------------------------------------------------------------------------------- */

static int count_rows(void *ctx, const char *key, json_t *value)
{
	json_int_t *n = ctx;

	assert_string_equal(key, "row");
	assert_int_equal(json_integer_value(json_object_get(value, "i")), *n);
	++*n;
	return 0;
}

static void rows_come_in_order_and_then_the_answer(void **state)
{
	int sock = dial(*state);
	json_t *request = json_pack("{s:s, s:i}", "verb", "rows", "n", 1000), *ok = NULL;
	json_int_t n = 0;

	assert_int_equal(ctl_call(sock, request, -1, count_rows, &n, &ok), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(json_integer_value(json_object_get(ok, "sent")), 1000);
	json_decref(ok);
	json_decref(request);
	close(sock);
}

static void a_handler_without_an_answer_answers_an_empty_object(void **state)
{
	int sock = dial(*state);
	json_t *ok = NULL;

	assert_int_equal(ask(sock, "nothing", &ok), 0);
	assert_true(json_is_object(ok));
	assert_int_equal(json_object_size(ok), 0);
	json_decref(ok);
	close(sock);
}

static void a_failure_arrives_with_its_number_and_words(void **state)
{
	int sock = dial(*state);

	assert_int_equal(ask(sock, "fail", NULL), -EBUSY);
	assert_string_equal(err_text(-EBUSY), "nst0 is busy");
	assert_int_equal(ask(sock, "nothing", NULL), 0);	/* and the connection goes on */
	close(sock);
}

static void words_that_json_cannot_carry_leave_the_number(void **state)
{
	int sock = dial(*state);

	assert_int_equal(ask(sock, "fail-badly", NULL), -EIO);
	assert_string_equal(err_text(-EIO), strerror(EIO));
	close(sock);
}

static void a_condition_that_escapes_a_handler_is_a_failure(void **state)
{
	int sock = dial(*state);

	assert_true(ask(sock, "positive", NULL) < 0);
	close(sock);
}

static void a_request_without_a_verb_is_refused(void **state)
{
	int sock = dial(*state);
	json_t *request = json_object(), *ok = NULL;

	assert_int_equal(ctl_call(sock, request, -1, NULL, NULL, &ok), -EINVAL);
	assert_int_equal(ask(sock, "nothing", NULL), 0);
	json_decref(request);
	close(sock);
}

static void a_handler_writes_to_the_descriptor_it_is_given(void **state)
{
	int sock = dial(*state), pipe_fd[2];
	json_t *request = json_pack("{s:s}", "verb", "write"), *ok = NULL;
	char got[8] = "";

	assert_int_equal(pipe(pipe_fd), 0);
	assert_int_equal(ctl_call(sock, request, pipe_fd[1], NULL, NULL, &ok), 0);
	close(pipe_fd[1]);
	assert_int_equal(read(pipe_fd[0], got, sizeof(got)), 5);
	assert_int_equal(read(pipe_fd[0], got, sizeof(got)), 0);	/* the server closed its copy */
	json_decref(ok);
	json_decref(request);
	close(pipe_fd[0]);
	close(sock);
}

static void garbage_is_answered_and_the_connection_ended(void **state)
{
	int sock = dial(*state), fd;
	json_t *msg = NULL;

	assert_int_equal(write(sock, "\4\0\0\0oops", 8), 8);
	assert_int_equal(ctl_recv(sock, &msg, &fd), 0);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(msg, "error"), "errno")), EBADMSG);
	json_decref(msg);
	assert_int_equal(ctl_recv(sock, &msg, &fd), -EPIPE);
	close(sock);
}

/* ---- who comes and goes -------------------------------------------------------------------------------- */

static void nobody_there_is_told_apart_from_failure(void **state)
{
	struct fixture *f = *state;
	char path[160];
	int sock;

	snprintf(path, sizeof(path), "%s/other.sock", f->dir);
	assert_int_equal(ctl_connect(path, &sock), -ENOENT);
}

static void only_the_owner_may_connect(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_second_server_is_refused_while_the_first_answers(void **state)
{
	struct fixture *f = *state;
	struct ctl_server *second = NULL;
	int sock;

	assert_int_equal(ctl_server_new(f->path, office_handler, &f->office, &second), -EADDRINUSE);
	sock = dial(f);
	assert_int_equal(ask(sock, "nothing", NULL), 0);
	close(sock);
}

static void a_socket_left_by_a_crash_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct ctl_server *s = NULL;
	int dead = socket(AF_UNIX, SOCK_STREAM, 0), sock;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/dead.sock", f->dir);
	assert_int_equal(bind(dead, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(dead);
	assert_int_equal(ctl_connect(sa.sun_path, &sock), -ECONNREFUSED);
	assert_int_equal(ctl_server_new(sa.sun_path, office_handler, &f->office, &s), 0);
	assert_int_equal(ctl_connect(sa.sun_path, &sock), 0);
	assert_int_equal(ask(sock, "nothing", NULL), 0);
	close(sock);
	ctl_server_free(s);
	assert_int_equal(access(sa.sun_path, F_OK), -1);
}

static void a_path_longer_than_a_socket_address_works(void **state)
{
	struct fixture *f = *state;
	char dir[PATH_MAX], path[PATH_MAX + 16];
	struct ctl_server *s = NULL;
	int sock;

	snprintf(dir, sizeof(dir), "%s/%0150d", f->dir, 7);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/ctl.sock", dir);
	assert_int_equal(ctl_server_new(path, office_handler, &f->office, &s), 0);
	assert_int_equal(ctl_connect(path, &sock), 0);
	assert_int_equal(ask(sock, "nothing", NULL), 0);
	close(sock);
	ctl_server_free(s);
	assert_int_equal(rmdir(dir), 0);
}

static void a_handler_learns_that_its_client_has_gone(void **state)
{
	struct fixture *f = *state;
	json_t *request = json_pack("{s:s, s:i}", "verb", "work", "ms", 10000);
	int sock = dial(f);

	assert_int_equal(ctl_send(sock, request, -1), 0);
	json_decref(request);
	usleep(20000);
	close(sock);
	pthread_mutex_lock(&f->office.lock);
	while (!f->office.stopped_by)
		pthread_cond_wait(&f->office.changed, &f->office.lock);
	pthread_mutex_unlock(&f->office.lock);
	assert_int_equal(f->office.stopped_by, -EPIPE);
}

static int count_progress(void *ctx, const char *key, json_t *value)
{
	if (!strcmp(key, "progress"))
		++*(int *)ctx;
	return 0;
}

static void progress_comes_ten_times_a_second_at_most(void **state)
{
	int sock = dial(*state), n = 0;
	json_t *request = json_pack("{s:s, s:i}", "verb", "work", "ms", 400), *ok = NULL;
	uint64_t begun = clock_mono_ns();

	assert_int_equal(ctl_call(sock, request, -1, count_progress, &n, &ok), 0);
	uint64_t tenths = (clock_mono_ns() - begun) / 100000000u;
	assert_in_range(n, 2, tenths + 1);
	json_decref(ok);
	json_decref(request);
	close(sock);
}

static int stop_at_once(void *ctx, const char *key, json_t *value)
{
	return -ECANCELED;
}

static void a_call_can_be_stopped_by_who_made_it(void **state)
{
	int sock = dial(*state);
	json_t *request = json_pack("{s:s, s:i}", "verb", "rows", "n", 10), *ok = NULL;

	assert_int_equal(ctl_call(sock, request, -1, stop_at_once, NULL, &ok), -ECANCELED);
	assert_null(ok);
	json_decref(request);
	close(sock);
}

static void clients_beyond_the_limit_are_told_so(void **state)
{
	int sock[64], extra;

	for (int i = 0; i < 64; i++) {
		sock[i] = dial(*state);
		assert_int_equal(ask(sock[i], "nothing", NULL), 0);
	}
	extra = dial(*state);
	assert_int_equal(ask(extra, "nothing", NULL), -EBUSY);
	close(extra);
	for (int i = 0; i < 64; i++) {
		assert_int_equal(ask(sock[i], "nothing", NULL), 0);
		close(sock[i]);
	}
}

static void *free_server(void *arg)
{
	struct fixture *f = arg;

	f->server = ctl_server_free(f->server);
	return NULL;
}

static void the_end_waits_for_a_handler_at_work(void **state)
{
	struct fixture *f = *state;
	json_t *request = json_pack("{s:s}", "verb", "wait");
	int sock = dial(f);
	pthread_t t;

	assert_int_equal(ctl_send(sock, request, -1), 0);
	json_decref(request);
	pthread_mutex_lock(&f->office.lock);
	while (!f->office.inside)
		pthread_cond_wait(&f->office.changed, &f->office.lock);
	pthread_mutex_unlock(&f->office.lock);

	assert_int_equal(pthread_create(&t, NULL, free_server, f), 0);
	usleep(50000);
	assert_non_null(f->server);
	pthread_mutex_lock(&f->office.lock);
	assert_int_equal(f->office.inside, 1);
	f->office.let_go = true;
	pthread_cond_broadcast(&f->office.changed);
	pthread_mutex_unlock(&f->office.lock);
	pthread_join(t, NULL);
	assert_null(f->server);
	close(sock);
}

static void the_end_does_not_wait_for_idle_clients(void **state)
{
	struct fixture *f = *state;
	int sock = dial(f), fd;
	json_t *msg = NULL;

	assert_int_equal(ask(sock, "nothing", NULL), 0);
	f->server = ctl_server_free(f->server);
	assert_int_equal(ctl_recv(sock, &msg, &fd), -EPIPE);
	assert_int_equal(access(f->path, F_OK), -1);
	close(sock);
}

static void *serve_one(void *arg)
{
	static struct office office;
	int r = ctl_serve_one(*(int *)arg, office_handler, &office);

	return (void *)(intptr_t)r;
}

static void one_connection_is_served_until_it_closes(void **state)
{
	int s[2];
	pthread_t t;
	void *r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	assert_int_equal(pthread_create(&t, NULL, serve_one, &s[1]), 0);
	assert_int_equal(ask(s[0], "nothing", NULL), 0);
	assert_int_equal(ask(s[0], "fail", NULL), -EBUSY);
	close(s[0]);
	pthread_join(t, &r);
	assert_int_equal((intptr_t)r, 0);
	close(s[1]);
}

static void answers_that_are_none_are_refused(void **state)
{
	static const char *const answers[] = { "{}", "{\"error\": {}}", "{\"error\": {\"errno\": -5}}",
					       "{\"error\": {\"errno\": 99999}}", "{\"err\": 1}" };

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		json_t *msg = json_loads(answers[i], 0, NULL);
		int s[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
		assert_int_equal(ctl_send(s[1], msg, -1), 0);
		assert_int_equal(ask(s[0], "nothing", NULL), -EPROTO);
		json_decref(msg);
		close(s[0]);
		close(s[1]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_come_in_order_and_then_the_answer),
		TEST(a_handler_without_an_answer_answers_an_empty_object),
		TEST(a_failure_arrives_with_its_number_and_words),
		TEST(words_that_json_cannot_carry_leave_the_number),
		TEST(a_condition_that_escapes_a_handler_is_a_failure),
		TEST(a_request_without_a_verb_is_refused),
		TEST(a_handler_writes_to_the_descriptor_it_is_given),
		TEST(garbage_is_answered_and_the_connection_ended),
		TEST(nobody_there_is_told_apart_from_failure),
		TEST(only_the_owner_may_connect),
		TEST(a_second_server_is_refused_while_the_first_answers),
		TEST(a_socket_left_by_a_crash_is_replaced),
		TEST(a_path_longer_than_a_socket_address_works),
		TEST(a_handler_learns_that_its_client_has_gone),
		TEST(progress_comes_ten_times_a_second_at_most),
		TEST(a_call_can_be_stopped_by_who_made_it),
		TEST(clients_beyond_the_limit_are_told_so),
		TEST(the_end_waits_for_a_handler_at_work),
		TEST(the_end_does_not_wait_for_idle_clients),
		TEST(one_connection_is_served_until_it_closes),
		TEST(answers_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
