/* SPDX-License-Identifier: BSD-2-Clause */
#include <vtape/tcmu.h>
