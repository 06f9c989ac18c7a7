/* SPDX-License-Identifier: BSD-2-Clause */
/* sense: both formats byte by byte, what an error of ours becomes, parameter data cut to the room there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "scsi/unit.h"

static const struct sense ili = { .key = NO_SENSE, .ili = true, .valid = true, .info = 300 };

static void fixed_format_has_key_code_information_and_marks(void **state)
{
	static const uint8_t want[18] = { 0xf0, 0, 0x20, 0, 0, 0x01, 0x2c, 10 };
	uint8_t b[SCSI_SENSE_MAX];

	assert_int_equal(sense_put(b, &ili, false), 18);
	assert_memory_equal(b, want, sizeof(want));
	sense_put(b, &(struct sense){ .key = BLANK_CHECK, .code = ASC_END_OF_DATA, .filemark = true, .eom = true },
		  false);
	assert_int_equal(b[0], 0x70);
	assert_int_equal(b[2], 0xc8);
	assert_int_equal(get_be16(b + 12), 0x0005);
	sense_put(b, &(struct sense){ .key = MEDIUM_ERROR, .deferred = true }, false);
	assert_int_equal(b[0], 0x71);
}

static void a_record_that_was_too_long_is_a_negative_residual(void **state)
{
	uint8_t b[SCSI_SENSE_MAX];

	sense_put(b, &(struct sense){ .ili = true, .valid = true, .info = -1000 }, false);
	assert_int_equal((int32_t)get_be32(b + 3), -1000);
	assert_int_equal(sense_put(b, &(struct sense){ .valid = true, .info = -1000 }, true), 20);
	assert_int_equal((int64_t)get_be64(b + 12), -1000);
}

static void information_that_does_not_fit_in_32_bits_is_left_out_of_fixed_format(void **state)
{
	static const struct { int64_t info; bool fits; } rows[] = {
		{ 0, true }, { UINT32_MAX, true }, { INT32_MIN, true }, { 1ll << 32, false },
		{ INT32_MIN - 1ll, false }, { INT64_MAX, false }, { INT64_MIN, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct sense s = { .valid = true, .info = rows[i].info };
		uint8_t b[SCSI_SENSE_MAX];

		sense_put(b, &s, false);
		assert_int_equal(b[0] >> 7, rows[i].fits);
		assert_int_equal(get_be32(b + 3), rows[i].fits ? (uint32_t)rows[i].info : 0);
		/* Descriptors have 64. */
		sense_put(b, &s, true);
		assert_int_equal(b[10], 0x80);
		assert_int_equal((int64_t)get_be64(b + 12), rows[i].info);
	}
}

static void descriptor_format_has_a_descriptor_for_what_there_is_to_say(void **state)
{
	static const uint8_t nothing[8] = { 0x72, 0x06, 0x29, 0x00 };
	static const uint8_t all[32] = {
		0x72, 0x05, 0x24, 0x00, 0, 0, 0, 24,
		0x00, 10, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 7,	/* information */
		0x02, 6, 0, 0, 0xcb, 0, 9, 0,			/* sense-key specific */
		0x04, 2, 0, 0xe0,				/* stream commands */
	};
	const struct sense full = { .key = ILLEGAL_REQUEST, .code = ASC_INVALID_CDB_FIELD, .valid = true, .info = 7,
				    .field = true, .in_cdb = true, .byte = 9, .bit = 3,
				    .filemark = true, .eom = true, .ili = true };
	uint8_t b[SCSI_SENSE_MAX];

	assert_int_equal(sense_put(b, &(struct sense){ .key = UNIT_ATTENTION, .code = ASC_POWER_ON }, true), 8);
	assert_memory_equal(b, nothing, sizeof(nothing));
	assert_int_equal(sense_put(b, &full, true), sizeof(all));
	assert_memory_equal(b, all, sizeof(all));
	sense_put(b, &(struct sense){ .key = MEDIUM_ERROR, .deferred = true }, true);
	assert_int_equal(b[0], 0x73);
}

static void a_task_has_the_format_that_its_unit_is_set_to(void **state)
{
	struct scsi_task t = { .descriptors = false };

	task_check(&t, NOT_READY, ASC_NO_MEDIUM);
	assert_int_equal(t.status, SCSI_CHECK_CONDITION);
	assert_int_equal(t.sense_len, 18);
	assert_int_equal(t.sense[0], 0x70);
	t.descriptors = true;
	task_check(&t, NOT_READY, ASC_NO_MEDIUM);
	assert_int_equal(t.sense_len, 8);
	assert_int_equal(t.sense[0], 0x72);
}

static void a_bad_field_is_pointed_at(void **state)
{
	struct scsi_task t = { 0 };

	task_bad_cdb(&t, 4, 7);
	assert_int_equal(t.sense[2], ILLEGAL_REQUEST);
	assert_int_equal(get_be16(t.sense + 12), 0x2400);
	assert_int_equal(t.sense[15], 0x80 | 0x40 | 0x08 | 7);
	assert_int_equal(get_be16(t.sense + 16), 4);
	task_bad_parameter(&t, 300, -1);
	assert_int_equal(get_be16(t.sense + 12), 0x2600);
	assert_int_equal(t.sense[15], 0x80);
	assert_int_equal(get_be16(t.sense + 16), 300);
}

static void an_error_of_ours_becomes_what_an_initiator_can_act_on(void **state)
{
	static const struct { int error; uint8_t cdb, key; uint16_t code; } rows[] = {
		{ -EROFS, 0x0a, 0x7, 0x2700 }, { -EPERM, 0x0a, 0x7, 0x300c }, { -EBADMSG, 0x08, 0x3, 0x1100 },
		{ -EUCLEAN, 0x11, 0x3, 0x1100 }, { -ENOSPC, 0x10, 0xd, 0x0002 }, { -EIO, 0x08, 0x3, 0x1100 },
		{ -EIO, 0x0a, 0x3, 0x0c00 }, { -EIO, 0x10, 0x3, 0x0c00 }, { -ENOMEM, 0x0a, 0x5, 0x5500 },
		{ -EINVAL, 0x0a, 0x4, 0x4400 },
	};

	log_set_level(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scsi_task t = { .cdb = { rows[i].cdb } };

		task_failed(&t, rows[i].error);
		assert_int_equal(t.status, SCSI_CHECK_CONDITION);
		assert_int_equal(t.sense[0], 0x70);
		assert_int_equal(t.sense[2] & 0x0f, rows[i].key);
		assert_int_equal(get_be16(t.sense + 12), rows[i].code);
		assert_int_equal(t.sense[2] & 0x40, rows[i].error == -ENOSPC ? 0x40 : 0);
	}
}

static void what_somebody_else_has_is_busy(void **state)
{
	struct scsi_task t = { 0 };

	task_failed(&t, -EBUSY);
	assert_int_equal(t.status, SCSI_BUSY);
	assert_int_equal(t.sense_len, 0);
}

static void parameter_data_is_cut_to_the_allocation_and_to_the_room(void **state)
{
	uint8_t room[8];
	struct scsi_task t = { .data = room, .data_len = sizeof(room) };

	memset(room, 0xee, sizeof(room));
	task_put(&t, "abcdef", 6, 4);
	assert_int_equal(t.data_in, 4);
	assert_memory_equal(room, "abcd\xee\xee", 6);
	t.data_len = 3;
	task_put(&t, "ABCDEF", 6, 100);
	assert_int_equal(t.data_in, 3);
	assert_memory_equal(room, "ABCd", 4);
	t = (struct scsi_task){ .data = NULL };
	task_put(&t, "ABC", 3, 100);
	assert_int_equal(t.data_in, 0);
}

static void a_parameter_list_that_did_not_come_whole_is_refused(void **state)
{
	uint8_t list[8] = { 0 };
	struct scsi_task t = { .data = list, .data_len = sizeof(list) };

	assert_true(task_got(&t, 8));
	assert_int_equal(t.status, SCSI_GOOD);
	assert_false(task_got(&t, 9));
	assert_int_equal(t.sense[2], ILLEGAL_REQUEST);
	assert_int_equal(get_be16(t.sense + 12), 0x1a00);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_format_has_key_code_information_and_marks),
		cmocka_unit_test(a_record_that_was_too_long_is_a_negative_residual),
		cmocka_unit_test(information_that_does_not_fit_in_32_bits_is_left_out_of_fixed_format),
		cmocka_unit_test(descriptor_format_has_a_descriptor_for_what_there_is_to_say),
		cmocka_unit_test(a_task_has_the_format_that_its_unit_is_set_to),
		cmocka_unit_test(a_bad_field_is_pointed_at),
		cmocka_unit_test(an_error_of_ours_becomes_what_an_initiator_can_act_on),
		cmocka_unit_test(what_somebody_else_has_is_busy),
		cmocka_unit_test(parameter_data_is_cut_to_the_allocation_and_to_the_room),
		cmocka_unit_test(a_parameter_list_that_did_not_come_whole_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
