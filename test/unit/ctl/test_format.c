/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages on the control socket: what goes in comes out, and nothing else comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vtape/ctl.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct pair { int a, b; };

static struct pair pair_open(void)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	return (struct pair){ s[0], s[1] };
}

static void pair_close(struct pair p)
{
	close(p.a);
	close(p.b);
}

static int decode(const char *text)
{
	json_t *msg = NULL;
	int r = ctl_decode(text, strlen(text), &msg);

	if (r)
		assert_null(msg);
	json_decref(msg);
	return r;
}

static void a_message_survives_encoding(void **state)
{
	json_t *msg = json_pack("{s:s, s:I, s:[s, n, b]}", "verb", "volume.list", "n", (json_int_t)INT64_MAX, "names",
				"\u00e4", 1);
	struct buf b = BUF_INIT;
	json_t *back = NULL;

	assert_non_null(msg);
	assert_int_equal(ctl_encode(msg, &b), 0);
	struct cursor c = cursor_of(b.data, b.len);
	assert_int_equal(cursor_le32(&c), b.len - 4);
	assert_int_equal(ctl_decode(b.data + 4, b.len - 4, &back), 0);
	assert_true(json_equal(msg, back));
	json_decref(msg);
	json_decref(back);
	buf_fini(&b);
}

static void only_one_whole_object_is_a_message(void **state)
{
	assert_int_equal(decode("{}"), 0);
	assert_int_equal(decode(" {\"verb\": \"gc\"} "), 0);
	assert_int_equal(decode(""), -EBADMSG);
	assert_int_equal(decode("[]"), -EBADMSG);
	assert_int_equal(decode("\"verb\""), -EBADMSG);
	assert_int_equal(decode("{"), -EBADMSG);
	assert_int_equal(decode("{} {}"), -EBADMSG);
	assert_int_equal(decode("{\"a\": 1, \"a\": 2}"), -EBADMSG);
	assert_int_equal(decode("{\"a\": \"\xff\"}"), -EBADMSG);
	assert_int_equal(decode("{\"a\": \"\\u0000\"}"), -EBADMSG);
}

static void nesting_without_end_is_refused(void **state)
{
	static char deep[100001];

	memset(deep, '[', sizeof(deep) - 1);
	memcpy(deep, "{\"a\":", 5);
	assert_int_equal(decode(deep), -EBADMSG);
}

static void a_refusal_says_why(void **state)
{
	assert_int_equal(decode("{\"a\": tru}"), -EBADMSG);
	assert_non_null(strstr(err_text(-EBADMSG), "control message"));
}

static void a_message_that_is_too_long_is_not_sent(void **state)
{
	char *long_text = malloc(CTL_MESSAGE_MAX + 1);
	struct buf b = BUF_INIT;

	memset(long_text, 'x', CTL_MESSAGE_MAX);
	long_text[CTL_MESSAGE_MAX] = '\0';
	json_t *msg = json_pack("{s:s}", "text", long_text);
	assert_int_equal(ctl_encode(msg, &b), -EMSGSIZE);
	assert_int_equal(b.len, 0);
	json_decref(msg);
	free(long_text);
	buf_fini(&b);
}

static void messages_keep_their_order(void **state)
{
	struct pair p = pair_open();

	for (int i = 0; i < 100; i++) {
		json_t *msg = json_pack("{s:i}", "i", i);
		assert_int_equal(ctl_send(p.a, msg, -1), 0);
		json_decref(msg);
	}
	for (int i = 0; i < 100; i++) {
		json_t *msg = NULL;
		int fd;
		assert_int_equal(ctl_recv(p.b, &msg, &fd), 0);
		assert_int_equal(fd, -1);
		assert_int_equal(json_integer_value(json_object_get(msg, "i")), i);
		json_decref(msg);
	}
	pair_close(p);
}

static void *send_large(void *arg)
{
	char *text = malloc(1000001);
	json_t *msg;

	memset(text, 'y', 1000000);
	text[1000000] = '\0';
	msg = json_pack("{s:s}", "text", text);
	free(text);
	assert_int_equal(ctl_send(*(int *)arg, msg, -1), 0);
	json_decref(msg);
	return NULL;
}

static void a_message_larger_than_the_socket_buffer_arrives_whole(void **state)
{
	struct pair p = pair_open();
	json_t *msg = NULL;
	pthread_t t;
	int fd;

	assert_int_equal(pthread_create(&t, NULL, send_large, &p.a), 0);
	assert_int_equal(ctl_recv(p.b, &msg, &fd), 0);
	pthread_join(t, NULL);
	assert_int_equal(json_string_length(json_object_get(msg, "text")), 1000000);
	json_decref(msg);
	pair_close(p);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	assert_int_equal(fstat(a, &x), 0);
	assert_int_equal(fstat(b, &y), 0);
	return x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static void a_descriptor_rides_on_its_own_message(void **state)
{
	struct pair p = pair_open();
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;
	json_t *msg = json_pack("{s:i}", "i", 1), *got = NULL;

	assert_int_equal(ctl_send(p.a, msg, -1), 0);
	assert_int_equal(ctl_send(p.a, msg, null), 0);
	assert_int_equal(ctl_recv(p.b, &got, &fd), 0);
	assert_int_equal(fd, -1);
	json_decref(got);
	assert_int_equal(ctl_recv(p.b, &got, &fd), 0);
	assert_true(fd >= 0);
	assert_true(same_file(fd, null));
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	json_decref(got);
	json_decref(msg);
	close(fd);
	close(null);
	pair_close(p);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void surplus_descriptors_are_closed(void **state)
{
	struct pair p = pair_open();
	union { char bytes[CMSG_SPACE(3 * sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
	struct iovec iov = { (char *)(uintptr_t)"\2\0\0\0{}", 6 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fds[3] = { 0, 1, 2 }, fd, before = open_descriptors();
	json_t *msg = NULL;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	assert_int_equal(sendmsg(p.a, &m, 0), 6);
	assert_int_equal(ctl_recv(p.b, &msg, &fd), 0);
	assert_int_equal(open_descriptors(), before + 1);
	close(fd);
	json_decref(msg);
	pair_close(p);
}

static void a_descriptor_of_a_broken_message_is_closed(void **state)
{
	struct pair p = pair_open();
	json_t *msg = json_pack("[]"), *got = NULL;
	int before = open_descriptors(), fd = -1;

	assert_int_equal(ctl_send(p.a, msg, 0), 0);
	assert_int_equal(ctl_recv(p.b, &got, &fd), -EBADMSG);
	assert_int_equal(fd, -1);
	assert_int_equal(open_descriptors(), before);
	json_decref(msg);
	pair_close(p);
}

static int recv_of(const void *bytes, size_t n)
{
	struct pair p = pair_open();
	json_t *msg = NULL;
	int fd, r;

	assert_int_equal(write(p.a, bytes, n), n);
	shutdown(p.a, SHUT_WR);
	r = ctl_recv(p.b, &msg, &fd);
	json_decref(msg);
	pair_close(p);
	return r;
}

static void impossible_lengths_are_refused_before_memory_is_asked_for(void **state)
{
	assert_int_equal(recv_of("\0\0\0\0", 4), -EBADMSG);
	assert_int_equal(recv_of("\xff\xff\xff\xff{}", 6), -EBADMSG);
	assert_int_equal(recv_of("\1\0\x10\0{}", 6), -EBADMSG);		/* one more than is allowed */
}

static void a_closed_connection_is_told_apart(void **state)
{
	assert_int_equal(recv_of("", 0), -EPIPE);
	assert_int_equal(recv_of("\2\0", 2), -EPIPE);
	assert_int_equal(recv_of("\2\0\0\0{", 5), -EPIPE);
	assert_int_equal(recv_of("\2\0\0\0{}", 6), 0);
}

static void sending_to_nobody_fails_without_a_signal(void **state)
{
	struct pair p = pair_open();
	json_t *msg = json_object();

	close(p.b);
	assert_int_equal(ctl_send(p.a, msg, -1), -EPIPE);
	json_decref(msg);
	close(p.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_survives_encoding),
		cmocka_unit_test(only_one_whole_object_is_a_message),
		cmocka_unit_test(nesting_without_end_is_refused),
		cmocka_unit_test(a_refusal_says_why),
		cmocka_unit_test(a_message_that_is_too_long_is_not_sent),
		cmocka_unit_test(messages_keep_their_order),
		cmocka_unit_test(a_message_larger_than_the_socket_buffer_arrives_whole),
		cmocka_unit_test(a_descriptor_rides_on_its_own_message),
		cmocka_unit_test(surplus_descriptors_are_closed),
		cmocka_unit_test(a_descriptor_of_a_broken_message_is_closed),
		cmocka_unit_test(impossible_lengths_are_refused_before_memory_is_asked_for),
		cmocka_unit_test(a_closed_connection_is_told_apart),
		cmocka_unit_test(sending_to_nobody_fails_without_a_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
