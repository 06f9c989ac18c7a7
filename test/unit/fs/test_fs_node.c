/* SPDX-License-Identifier: BSD-2-Clause */
/* Inode numbers: there and back, and nothing else is believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/node.h"

static const struct node samples[] = {
	{ .kind = NODE_ROOT },
	{ .kind = NODE_DOOR, .door = DOOR_TAPES },
	{ .kind = NODE_DOOR, .door = DOOR_DRIVES },
	{ .kind = NODE_POOL, .door = DOOR_FILES, .pool = 0 },
	{ .kind = NODE_POOL, .door = DOOR_IMAGES, .pool = UINT32_MAX },
	{ .kind = NODE_TAPE, .volume = 1 },
	{ .kind = NODE_VOLUME, .volume = 1 },
	{ .kind = NODE_IMAGE, .volume = NODE_VOLUME_MAX },
	{ .kind = NODE_FILE, .volume = 1, .file = 0 },
	{ .kind = NODE_FILE, .volume = NODE_VOLUME_MAX, .file = NODE_FILE_MAX },
	{ .kind = NODE_DRIVE, .drive = 0 },
	{ .kind = NODE_DRIVE, .drive = 63, .rewinds = true },
	{ .kind = NODE_ARCHIVE, .volume = 1, .file = 0 },
	{ .kind = NODE_ARCHIVE, .volume = NODE_VOLUME_MAX, .file = NODE_FILE_MAX },
	{ .kind = NODE_FOLDER, .content = 1, .member = 1 },
	{ .kind = NODE_MEMBER, .content = 1, .member = 1 },
	{ .kind = NODE_MEMBER, .content = NODE_CONTENT_MAX, .member = UINT32_MAX },
};

static void a_number_leads_back_to_its_node(void **state)
{
	struct node n;

	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		uint64_t ino = node_ino(&samples[i]);

		assert_int_not_equal(ino, 0);
		assert_int_equal(node_of(ino, &n), 0);
		assert_int_equal(n.kind, samples[i].kind);
		assert_int_equal(n.door, samples[i].door);
		assert_int_equal(n.pool, samples[i].pool);
		assert_int_equal(n.volume, samples[i].volume);
		assert_int_equal(n.file, samples[i].file);
		assert_int_equal(n.drive, samples[i].drive);
		assert_int_equal(n.rewinds, samples[i].rewinds);
		assert_int_equal(n.content, samples[i].content);
		assert_int_equal(n.member, samples[i].member);
	}
}

static void no_two_nodes_have_one_number(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(node_ino(&samples[i]), node_ino(&samples[j]));
}

static void the_root_is_number_one(void **state)
{
	assert_int_equal(node_ino(&samples[0]), 1);
}

static void ids_that_do_not_fit_have_no_number(void **state)
{
	assert_int_equal(node_ino(&(struct node){ .kind = NODE_TAPE, .volume = NODE_VOLUME_MAX + 1 }), 0);
	assert_int_equal(node_ino(&(struct node){ .kind = NODE_FILE, .file = NODE_FILE_MAX + 1 }), 0);
	assert_int_equal(node_ino(&(struct node){ .kind = NODE_DRIVE, .drive = 1 << 16 }), 0);
	assert_int_equal(node_ino(&(struct node){ .kind = NODE_MEMBER, .content = NODE_CONTENT_MAX + 1, .member = 1 }), 0);
}

static void foreign_numbers_are_stale(void **state)
{
	static const uint64_t foreign[] = {
		0, 2, 4242, UINT64_MAX,
		(uint64_t)NODE_KINDS << 60,
		(uint64_t)NODE_DOOR << 60 | DOORS,
		(uint64_t)NODE_POOL << 60 | (uint64_t)DOORS << 32,
		(uint64_t)NODE_TAPE << 60 | 1,		/* a tape has no file number */
		(uint64_t)NODE_DRIVE << 60 | 1 << 17,
		(uint64_t)NODE_MEMBER << 60 | 1,		/* of no list */
		(uint64_t)NODE_FOLDER << 60 | 1ull << 32,	/* the root of one has no number */
	};
	struct node n;

	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		assert_int_equal(node_of(foreign[i], &n), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_leads_back_to_its_node),
		cmocka_unit_test(no_two_nodes_have_one_number),
		cmocka_unit_test(the_root_is_number_one),
		cmocka_unit_test(ids_that_do_not_fit_have_no_number),
		cmocka_unit_test(foreign_numbers_are_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
