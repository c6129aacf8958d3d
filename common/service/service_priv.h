/* SPDX-License-Identifier: Apache-2.0 */
/* The options that every service has; one service a process, so one place for their values. */
#ifndef ROUSE_SERVICE_PRIV_H
#define ROUSE_SERVICE_PRIV_H

#include "service.h"

/* An offset with this bit counts from service_base instead of the service's own conf. */
#define SERVICE_BASE_BIT ((size_t)1 << 62)

struct service_base_conf {
    const char *log_level, *http;
};
extern struct service_base_conf service_base;

#endif
