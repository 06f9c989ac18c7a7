/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a tape file that is no archive begins with, in words for a person.  Only what its bytes leave no doubt of is
 * here; nothing depends on it, and it is looked for in what was read anyway.
 */
#include "contents/rows.h"

#define WITH(bytes) bytes, sizeof(bytes) - 1

/* The first that fits; so what says more stands before what says less. */
static const struct {
	size_t at;
	const char *bytes;
	size_t len;
	const char *words;
} magics[] = {
	{ 12, WITH("BB02"), "Bacula volume" },
	{ 12, WITH("BB01"), "Bacula volume, old format" },
	{ 0, WITH("AMANDA: TAPESTART "), "Amanda label" },
	{ 0, WITH("AMANDA: TAPEEND "), "Amanda end of tape" },
	{ 0, WITH("AMANDA: FILE "), "Amanda dump" },
	{ 0, WITH("AMANDA: SPLIT_FILE "), "Amanda dump, a part" },
	{ 0, WITH("AMANDA: CONT_FILE "), "Amanda dump, continued" },
	{ 0, WITH("xFSdump0"), "xfsdump" },
	{ 0, WITH("btrfs-stream\0"), "btrfs send stream" },
	{ 8, WITH("\xac\xcb\xba\xf5\x02\0\0\0"), "ZFS send stream" },
	{ 8, WITH("\0\0\0\x02\xf5\xba\xcb\xac"), "ZFS send stream" },
	{ 0, WITH("PGDMP"), "PostgreSQL dump" },
	{ 0, WITH("--\n-- PostgreSQL database "), "PostgreSQL dump, SQL" },
	{ 0, WITH("-- MySQL dump "), "MySQL dump, SQL" },
	{ 0, WITH("-- MariaDB dump "), "MariaDB dump, SQL" },
	{ 0, WITH("SQLite format 3\0"), "SQLite database" },
	{ 0, WITH("\x1f\x8b\x08"), "gzip" },
	{ 4, WITH("1AY&SY"), "bzip2" },
	{ 0, WITH("\xfd" "7zXZ\0"), "xz" },
	{ 0, WITH("\x28\xb5\x2f\xfd"), "zstd" },
	{ 0, WITH("\x04\x22\x4d\x18"), "lz4" },
	{ 0, WITH("LZIP\x01"), "lzip" },
	{ 0, WITH("\x89LZO\0\r\n\x1a\n"), "lzop" },
	{ 0, WITH("LRZI"), "lrzip" },
	{ 0, WITH("7z\xbc\xaf\x27\x1c"), "7-Zip archive" },
	{ 0, WITH("Rar!\x1a\x07"), "RAR archive" },
	{ 0, WITH("xar!"), "xar archive" },
	{ 0, WITH("MSCF\0\0\0\0"), "cabinet" },
	{ 0, WITH("PK\x03\x04"), "zip archive" },
	{ 0, WITH("\xed\xab\xee\xdb"), "RPM package" },
	{ 0, WITH("\x7f" "ELF"), "ELF program" },
	{ 0, WITH("%PDF-"), "PDF" },
	{ 0, WITH("%!PS"), "PostScript" },
	{ 0, WITH("\x89PNG\r\n\x1a\n"), "PNG image" },
	{ 0, WITH("\xff\xd8\xff"), "JPEG image" },
	{ 0, WITH("\x89HDF\r\n\x1a\n"), "HDF5 data" },
	{ 0, WITH("SIMPLE  =                    T"), "FITS data" },
	{ 0, WITH("LUKS\xba\xbe"), "LUKS image" },
	{ 0, WITH("QFI\xfb"), "QEMU disk image" },
	{ 0, WITH("KDMV"), "VMware disk image" },
	{ 0, WITH("vhdxfile"), "VHDX disk image" },
	{ 0, WITH("VMA\0"), "Proxmox VMA" },
	{ 0, WITH("partclone-image"), "partclone image" },
	{ 0, WITH("hsqs"), "squashfs image" },
	{ 0, WITH("XFSB\0\0"), "XFS image" },
	{ 3, WITH("NTFS    "), "NTFS image" },
	{ 512, WITH("LABELONE"), "LVM image" },
	{ 512, WITH("EFI PART"), "GPT disk image" },
	{ 32769, WITH("CD001"), "ISO 9660 image" },
	{ 65600, WITH("_BHRfS_M"), "btrfs image" },
};

static bool begins(const uint8_t *p, size_t n, size_t at, const char *bytes, size_t len)
{
	return n >= at + len && !memcmp(p + at, bytes, len);
}

/* ---- what takes more than a word to be sure of ------------------------------------------------------------------- */

/* struct u_spcl of dump(8): its type, and what stands for the format, in either byte order. */
static bool is_dump(const uint8_t *p, size_t n)
{
	static const uint32_t formats[] = { 60011, 60012, 0x19540119 };
	uint32_t type, format;

	if (n < 1024)
		return false;
	type = get_le32(p) <= 6 ? get_le32(p) : get_be32(p);
	format = get_le32(p) <= 6 ? get_le32(p + 24) : get_be32(p + 24);
	for (unsigned i = 0; i < ARRAY_LEN(formats); i++)
		if (format == formats[i])
			return type >= 1 && type <= 6;
	return false;
}

/* Microsoft Tape Format (NTBackup, Backup Exec): 25 words and what they come to. */
static bool is_mtf(const uint8_t *p, size_t n)
{
	uint16_t sum = 0;

	if (!begins(p, n, 0, WITH("TAPE")) || n < 52)
		return false;
	for (unsigned i = 0; i < 50; i += 2)
		sum ^= get_le16(p + i);
	return sum == get_le16(p + 50);
}

/* The superblock, 1024 bytes in: its magic, with a block size and a state that there are. */
static bool is_ext(const uint8_t *p, size_t n)
{
	if (n < 2048 || get_le16(p + 1024 + 56) != 0xef53)
		return false;
	return get_le32(p + 1024 + 24) <= 6 && get_le16(p + 1024 + 58) <= 7;
}

/* 40 cards of 80 columns in EBCDIC, each with a C before it. */
static bool is_segy(const uint8_t *p, size_t n)
{
	for (unsigned card = 0; card < 40; card++)
		if (n < 3200 || p[80 * card] != 0xc3)
			return false;
	return true;
}

static bool is_ltfs(const uint8_t *p, size_t n)
{
	static const char root[] = "<ltfs";

	return begins(p, n, 0, WITH("<?xml")) && memmem(p, n < 512 ? n : 512, root, sizeof(root) - 1);
}

static bool is_mbr(const uint8_t *p, size_t n)
{
	if (!begins(p, n, 510, WITH("\x55\xaa")))
		return false;
	for (unsigned at = 446; at < 510; at += 16)
		if (p[at] & 0x7f)
			return false;	/* active, or not: nothing else */
	return p[450] || p[466] || p[482] || p[498];
}

static bool is_zeros(const uint8_t *p, size_t n)
{
	return n && !p[0] && !memcmp(p, p + 1, n - 1);
}

/* Bytes of one UTF-8 character that are there; 0 if it is none.  One that @n cuts off is taken for whole. */
static size_t utf8_char(const uint8_t *p, size_t n)
{
	size_t len = *p < 0x80		      ? 1 :
		     *p >= 0xc2 && *p < 0xe0 ? 2 :
		     *p >= 0xe0 && *p < 0xf0 ? 3 :
		     *p >= 0xf0 && *p < 0xf5 ? 4 :
					       0;

	if (*p < 0x20 && !strchr("\t\n\f\r\x1b", *p))
		return 0;
	for (size_t i = 1; i < len && i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len < n ? len : len ? n : 0;
}

static bool is_text(const uint8_t *p, size_t n)
{
	size_t at = 0, some = 1;

	/* The last record of a text may have been filled up. */
	while (n && !p[n - 1])
		n--;
	while (at < n && some) {
		some = *(p + at) && p[at] != 0x7f ? utf8_char(p + at, n - at) : 0;
		at += some;
	}
	return n && at == n;
}

static const struct {
	bool (*is)(const uint8_t *p, size_t n);
	const char *words;
} tests[] = {
	{ is_dump, "dump" },	       { is_mtf, "Microsoft tape format" },  { is_ltfs, "LTFS label or index" },
	{ is_ext, "ext2/3/4 image" },  { is_segy, "SEG-Y data" },	     { is_mbr, "disk image" },
	{ is_zeros, "zeros" },	       { is_text, "text" },
};

const char *magic_words(const void *p, size_t n)
{
	for (unsigned i = 0; i < ARRAY_LEN(magics); i++)
		if (begins(p, n, magics[i].at, magics[i].bytes, magics[i].len))
			return magics[i].words;
	for (unsigned i = 0; i < ARRAY_LEN(tests); i++)
		if (tests[i].is(p, n))
			return tests[i].words;
	return "";
}
