/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_tarball: a small archive of each kind.  seed_tarball FOLDER */
#include <archive.h>
#include <archive_entry.h>

#include "seed.h"

static void add(struct archive *a, const char *path, unsigned type, const char *text, const char *link)
{
	struct archive_entry *e = archive_entry_new();
	size_t n = strlen(text);

	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_mtime(e, 1700000000, 0);
	archive_entry_set_uname(e, "anna");
	archive_entry_set_size(e, (la_int64_t)n);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(e, link);
	else if (link)
		archive_entry_set_hardlink(e, link);
	/* Not every format has every kind of member. */
	if (archive_write_header(a, e) >= ARCHIVE_WARN && n && archive_write_data(a, text, n) < 0)
		abort();
	archive_entry_free(e);
}

static void add_sparse(struct archive *a)
{
	struct archive_entry *e = archive_entry_new();
	CLEANUP(freep) char *zeros = calloc(1, 40000);

	archive_entry_set_pathname(e, "sparse");
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_size(e, 40000);
	archive_entry_sparse_add_entry(e, 4096, 100);
	archive_entry_sparse_add_entry(e, 20000, 100);
	if (archive_write_header(a, e) != ARCHIVE_OK || archive_write_data(a, zeros, 40000) != 40000)
		abort();
	archive_entry_free(e);
}

static void save(const char *format, const char *filter, bool sparse)
{
	struct archive *a = archive_write_new();
	char path[64], name[200];

	snprintf(path, sizeof(path), "%s%s%s%s", format, *filter ? "-" : "", filter, sparse ? "-sparse" : "");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	if (archive_write_set_format_by_name(a, format) || (*filter && archive_write_add_filter_by_name(a, filter)))
		abort();
	archive_write_set_bytes_per_block(a, 512);
	archive_write_set_bytes_in_last_block(a, 1);
	if (archive_write_open_filename(a, path))
		abort();
	add(a, "one", AE_IFREG, "the first", NULL);
	add(a, "two", AE_IFREG, "", "one");
	add(a, "folder", AE_IFDIR, "", NULL);
	add(a, "folder/link", AE_IFLNK, "", "../one");
	add(a, name, AE_IFREG, "of a long name", NULL);
	if (sparse)
		add_sparse(a);
	add(a, "last", AE_IFREG, "the last", NULL);
	if (archive_write_close(a))
		abort();
	archive_write_free(a);
}

int main(int argc, char **argv)
{
	static const char *formats[] = { "v7tar", "ustar", "pax", "gnutar", "odc", "newc", "bin", "arsvr4", "arbsd", "zip" };
	static const char *filters[] = { "gzip", "bzip2", "xz", "lzma", "lzip", "zstd", "lz4", "compress" };

	seed_into(argc, argv);
	for (unsigned i = 0; i < ARRAY_LEN(formats); i++)
		save(formats[i], "", false);
	for (unsigned i = 0; i < ARRAY_LEN(filters); i++)
		save("ustar", filters[i], false);
	save("pax", "", true);
	return 0;
}
