/* SPDX-License-Identifier: BSD-2-Clause */
/* vtape-events(7) has every event that there is, as it is, and no other. */
#include "catalog_fixture.h"

#include <ctype.h>

static struct buf page = BUF_INIT;

static int read_page(void **state)
{
	const char *path = getenv("EVENTS_PAGE");

	if (!path || io_read_file(path, 1 << 20, &page))
		return -1;
	return buf_put_u8(&page, 0);
}

static int forget_page(void **state)
{
	buf_fini(&page);
	return 0;
}

static void the_page_has_every_event(void **state)
{
	char item[128];
	unsigned n;

	for (size_t i = 0; (n = event_number_at(i)); i++) {
		snprintf(item, sizeof(item), "\n.It %u %s (%s)\n", n, event_name(n), event_severity_name(event_severity(n)));
		if (!strstr((const char *)page.data, item))
			fail_msg("the page has no item \"%u %s (%s)\"", n, event_name(n),
				 event_severity_name(event_severity(n)));
	}
	assert_true(event_number_at(20) != 0);
}

static bool in_table(unsigned number)
{
	unsigned n;

	for (size_t i = 0; (n = event_number_at(i)); i++)
		if (n == number)
			return true;
	return false;
}

static void every_item_of_the_page_is_an_event(void **state)
{
	unsigned items = 0;

	for (const char *p = (const char *)page.data; (p = strstr(p, "\n.It ")); p++) {
		unsigned number = (unsigned)strtoul(p + 5, NULL, 10);

		if (!isdigit((unsigned char)p[5]))
			continue;
		items++;
		if (!in_table(number))
			fail_msg("there is no event %u", number);
	}
	assert_true(items > 20);
}

static void numbers_and_names_come_once(void **state)
{
	unsigned n, m;

	for (size_t i = 0; (n = event_number_at(i)); i++)
		for (size_t j = 0; j < i; j++) {
			m = event_number_at(j);
			assert_int_not_equal(n, m);
			assert_string_not_equal(event_name(n), event_name(m));
		}
}

static void a_name_is_parsed_back(void **state)
{
	enum event_severity severity;
	unsigned n, got;

	for (size_t i = 0; (n = event_number_at(i)); i++) {
		assert_int_equal(event_parse(event_name(n), &got), 0);
		assert_int_equal(got, n);
	}
	assert_int_equal(event_parse("unknown", &got), -EINVAL);
	assert_int_equal(event_severity_parse("warning", &severity), 0);
	assert_int_equal(severity, EVENT_WARNING);
	assert_int_equal(event_severity_parse("loud", &severity), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_has_every_event),
		cmocka_unit_test(every_item_of_the_page_is_an_event),
		cmocka_unit_test(numbers_and_names_come_once),
		cmocka_unit_test(a_name_is_parsed_back),
	};

	return cmocka_run_group_tests(tests, read_page, forget_page);
}
