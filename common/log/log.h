/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one line = one fact, `level time service key=value…` on stderr.  For services and tools only:
 * libraries return errors.  Never give it a phone number, an open id, a member's text or a secret.
 */
#ifndef ROUSE_LOG_H
#define ROUSE_LOG_H

#include "base.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

void log_init(const char *service, enum log_level least, int64_t (*now_ms)(void));
int log_level_parse(const char *name, enum log_level *out); /* debug info warn error */
/* event: a fixed word such as "partition_claimed".  Then "key=%format" pairs; values with blanks,
 * quotes or control bytes are quoted and escaped:
 *     log_info("partition_claimed", "p=%d off=%" PRId64, p, off);
 */
void log_debug(const char *event, const char *fmt, ...) BASE_PRINTF(2, 3);
void log_info(const char *event, const char *fmt, ...) BASE_PRINTF(2, 3);
void log_warn(const char *event, const char *fmt, ...) BASE_PRINTF(2, 3);
void log_error(const char *event, const char *fmt, ...) BASE_PRINTF(2, 3);
/* With the error's kind, code, place and text appended as keys. */
void log_err(enum log_level l, const char *event, const struct err *err, const char *fmt, ...)
    BASE_PRINTF(4, 5);

#endif
