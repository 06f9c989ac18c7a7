/* SPDX-License-Identifier: BSD-2-Clause */
/* Shell patterns. */
#ifndef CONTENTS_GLOB_H
#define CONTENTS_GLOB_H

#include <vtape/util.h>

/* @ignore_case: of the letters of ASCII. */
bool glob_fits(const char *pattern, const char *s, bool ignore_case);
bool glob_is_literal(const char *pattern);
/* What everything that fits begins with, as far as there is room. */
void glob_prefix(const char *pattern, char *out, size_t cap);

#endif
