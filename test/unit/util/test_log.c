/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>
#include <vtape/util.h>

/* Standard error goes into a pipe while @say runs. */
static void capture(void (*say)(void), char *out, size_t cap)
{
	int p[2], kept = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	close(p[1]);
	say();
	dup2(kept, STDERR_FILENO);
	close(kept);
	n = read(p[0], out, cap - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	close(p[0]);
}

static void say_all(void)
{
	errno = EXDEV;
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
	assert_int_equal(errno, EXDEV);
}

static void say_long(void)
{
	log_error("%5000d", 1);
	log_error("next");
}

static void a_line_has_the_program_s_name(void **state)
{
	char out[256];

	capture(say_all, out, sizeof(out));
	assert_string_equal(out, "vtape: e 1\nvtape: w\n");
}

static void the_level_decides_what_is_shown(void **state)
{
	char out[256];

	log_set_level(LOG_LEVEL_DEBUG);
	capture(say_all, out, sizeof(out));
	assert_string_equal(out, "vtape: e 1\nvtape: w\nvtape: i\nvtape: d\n");
	log_set_level(LOG_LEVEL_ERROR);
	capture(say_all, out, sizeof(out));
	assert_string_equal(out, "vtape: e 1\n");
	log_set_level(LOG_LEVEL_WARN);
}

static void a_line_too_long_is_cut_and_still_a_line(void **state)
{
	static char out[16384];

	capture(say_long, out, sizeof(out));
	assert_true(strlen(out) < 2000);
	assert_string_equal(strchr(out, '\n'), "\nvtape: next\n");
}

static void say_news(void)
{
	log_news(LOG_LEVEL_ERROR, "e");
	log_news(LOG_LEVEL_INFO, "i");
}

static void news_are_lines_as_any_other_on_standard_error(void **state)
{
	char out[256];

	capture(say_news, out, sizeof(out));
	assert_string_equal(out, "vtape: e\n");
}

/* In the place of the C library's. */
static char said[256];

void syslog(int priority, const char *fmt, ...)
{
	size_t n = strlen(said);
	va_list ap;

	n += (size_t)snprintf(said + n, sizeof(said) - n, "<%d>", priority);
	va_start(ap, fmt);
	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
	va_end(ap);
}

/* The last of all: there is no way back from it. */
static void the_system_s_log_gets_all_news(void **state)
{
	log_to_syslog("test");
	log_info("not this");
	log_warn("w");
	log_news(LOG_LEVEL_INFO, "i %d", 1);
	log_news(LOG_LEVEL_WARN, "n");
	log_news(LOG_LEVEL_ERROR, "e");
	assert_string_equal(said, "<4>w<6>i 1<4>n<3>e");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_the_program_s_name),
		cmocka_unit_test(the_level_decides_what_is_shown),
		cmocka_unit_test(a_line_too_long_is_cut_and_still_a_line),
		cmocka_unit_test(news_are_lines_as_any_other_on_standard_error),
		cmocka_unit_test(the_system_s_log_gets_all_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
