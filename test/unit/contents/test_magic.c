/* SPDX-License-Identifier: BSD-2-Clause */
/* magic_words: what first bytes are, as far as they leave no doubt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "contents/rows.h"

static uint8_t block[70000];

static const char *words_of(size_t at, const void *p, size_t n)
{
	memset(block, 0xe5, sizeof(block));
	memcpy(block + at, p, n);
	return magic_words(block, sizeof(block));
}

#define AT(at, bytes) words_of(at, bytes, sizeof(bytes) - 1)

static void programs_that_write_tapes_are_known(void **state)
{
	assert_string_equal(AT(12, "BB02"), "Bacula volume");
	assert_string_equal(AT(0, "AMANDA: TAPESTART DATE 20260101 TAPE A00001\n"), "Amanda label");
	assert_string_equal(AT(0, "AMANDA: FILE 20260101 host /home lev 0"), "Amanda dump");
	assert_string_equal(AT(0, "xFSdump0"), "xfsdump");
	assert_string_equal(AT(0, "btrfs-stream\0"), "btrfs send stream");
	assert_string_equal(AT(0, "\0\0\0\0\0\0\0\0\xac\xcb\xba\xf5\x02\0\0\0"), "ZFS send stream");
	assert_string_equal(AT(0, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ltfslabel version=\"2.4.0\">"),
			    "LTFS label or index");
	assert_string_equal(AT(0, "<?xml version=\"1.0\"?>\n<html>"), "");
}

static void dumps_are_known_in_either_byte_order(void **state)
{
	uint8_t h[1024] = { 0 };

	put_le32(h, 1);
	put_le32(h + 24, 60012);
	assert_string_equal(words_of(0, h, sizeof(h)), "dump");
	put_be32(h, 1);
	put_be32(h + 24, 60012);
	assert_string_equal(words_of(0, h, sizeof(h)), "dump");
	put_be32(h, 9);
	assert_string_equal(words_of(0, h, sizeof(h)), "");
	assert_string_equal(magic_words(h, 1000), "");
}

static void the_tape_format_of_windows_is_known_by_its_sum(void **state)
{
	uint8_t h[52] = "TAPE";
	uint16_t sum = 0;

	h[20] = 0x12;
	h[30] = 0x34;
	for (unsigned i = 0; i < 50; i += 2)
		sum ^= get_le16(h + i);
	put_le16(h + 50, sum);
	assert_string_equal(words_of(0, h, sizeof(h)), "Microsoft tape format");
	h[21] ^= 1;
	assert_string_equal(words_of(0, h, sizeof(h)), "");
}

static void packed_data_and_files_are_known(void **state)
{
	assert_string_equal(AT(0, "\x1f\x8b\x08\0"), "gzip");
	assert_string_equal(AT(0, "BZh91AY&SY"), "bzip2");
	assert_string_equal(AT(0, "\xfd" "7zXZ\0"), "xz");
	assert_string_equal(AT(0, "\x28\xb5\x2f\xfd"), "zstd");
	assert_string_equal(AT(0, "7z\xbc\xaf\x27\x1c"), "7-Zip archive");
	assert_string_equal(AT(0, "\x7f" "ELF\2"), "ELF program");
	assert_string_equal(AT(0, "%PDF-1.7"), "PDF");
	assert_string_equal(AT(0, "--\n-- PostgreSQL database dump\n"), "PostgreSQL dump, SQL");
}

static void images_of_disks_are_known(void **state)
{
	uint8_t ext[2048] = { 0 }, mbr[512] = { 0 };

	put_le16(ext + 1024 + 56, 0xef53);
	put_le32(ext + 1024 + 24, 2);
	put_le16(ext + 1024 + 58, 1);
	assert_string_equal(words_of(0, ext, sizeof(ext)), "ext2/3/4 image");
	assert_string_equal(AT(0, "XFSB\0\0\x10\0"), "XFS image");
	assert_string_equal(AT(3, "NTFS    "), "NTFS image");
	assert_string_equal(AT(512, "EFI PART"), "GPT disk image");
	assert_string_equal(AT(65600, "_BHRfS_M"), "btrfs image");
	mbr[450] = 0x83;
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	assert_string_equal(words_of(0, mbr, sizeof(mbr)), "disk image");
	mbr[446] = 1;
	assert_string_equal(words_of(0, mbr, sizeof(mbr)), "");
}

static void text_and_zeros_are_known(void **state)
{
	static const char text[] = "Gr\xc3\xbc\xc3\x9f" "e,\n\tWelt\n";

	memset(block, 0, sizeof(block));
	assert_string_equal(magic_words(block, sizeof(block)), "zeros");
	assert_string_equal(magic_words(block, 1), "zeros");
	assert_string_equal(magic_words(text, sizeof(text) - 1), "text");
	/* Filled up, and cut within a character. */
	memcpy(block, text, sizeof(text) - 1);
	assert_string_equal(magic_words(block, 512), "text");
	assert_string_equal(magic_words(text, 3), "text");
	assert_string_equal(magic_words("a\x01", 2), "");
	assert_string_equal(magic_words("a\0b", 3), "");
	assert_string_equal(magic_words("\xc3(", 2), "");
	assert_string_equal(magic_words("", 0), "");
}

static void a_card_deck_of_a_survey_is_known(void **state)
{
	uint8_t cards[3200];

	memset(cards, 0x40, sizeof(cards));
	for (unsigned i = 0; i < 40; i++)
		cards[80 * i] = 0xc3;
	assert_string_equal(words_of(0, cards, sizeof(cards)), "SEG-Y data");
	cards[80] = 0x40;
	assert_string_equal(words_of(0, cards, sizeof(cards)), "");
}

/* Every length of what is there, so that nothing behind it is looked at (under the sanitizer). */
static void short_blocks_are_looked_at_as_far_as_they_go(void **state)
{
	for (size_t n = 0; n < 3300; n++) {
		uint8_t *p = malloc(n ? n : 1);
		memset(p, n % 3 ? 0xc3 : 0x20, n);
		assert_non_null(magic_words(p, n));
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_that_write_tapes_are_known),
		cmocka_unit_test(dumps_are_known_in_either_byte_order),
		cmocka_unit_test(the_tape_format_of_windows_is_known_by_its_sum),
		cmocka_unit_test(packed_data_and_files_are_known),
		cmocka_unit_test(images_of_disks_are_known),
		cmocka_unit_test(text_and_zeros_are_known),
		cmocka_unit_test(a_card_deck_of_a_survey_is_known),
		cmocka_unit_test(short_blocks_are_looked_at_as_far_as_they_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
